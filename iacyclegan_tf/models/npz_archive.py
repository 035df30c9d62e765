"""This program's weights files: ``.npz`` without pickle, read within bounds and written whole or not at all."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import new_file
from iacyclegan_tf.common.errors import UserError

MAX_BYTES = 2 << 30  # of all arrays together; those of VGG-Face take 0.58 GB
MAX_REASON = 160  # zipfile quotes whole stretches of a damaged file


@contextmanager
def damage_in_one_sentence(path: str | os.PathLike, kind: str) -> Iterator[None]:
    """Turns what a library raises about the file, which should be a ``kind``, into a short ``UserError``.

    Any exception: damaged bytes make zipfile, NumPy, h5py, scipy and protobuf raise far more types than they document.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason[:MAX_REASON] + " ..." if len(reason) > MAX_REASON else reason.rstrip(".")
        raise UserError(f"{path} is not a readable {kind}: {reason}.") from error


def member_names(path: str | os.PathLike) -> list[str]:
    """Names of the files in a zip archive; none where ``path`` is no readable zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return []


def read_arrays(path: Path, kind: str) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz``; ``UserError`` where it is damaged, larger than ``MAX_BYTES``, or holds objects."""
    with damage_in_one_sentence(path, kind), np.load(path, allow_pickle=False) as archive:
        _check_lengths(path, archive.zip)
        return {name: archive[name] for name in archive.files}


def _check_lengths(path: Path, archive: zipfile.ZipFile) -> None:
    """Before any array is read: ``UserError`` where a header claims other than what its member holds."""
    members = archive.infolist()
    if sum(member.file_size for member in members) > MAX_BYTES:
        raise UserError(f"{path} holds more than {MAX_BYTES / 2**30:g} GiB, which no weights of this program do.")
    if len({member.filename for member in members}) != len(members):
        raise UserError(f"{path} is damaged: it holds two arrays of the same name.")
    for member in members:
        with archive.open(member) as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise UserError(f"{path} is not ours: {member.filename[:60]!r} has not .npy version 1.0.")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype.itemsize * math.prod(shape) != member.file_size - file.tell():
                raise UserError(f"{path} is damaged: {member.filename[:60]!r} has not the length it says.")


def check_target(path: Path) -> None:
    """Raises UserError unless ``path`` can name a .npz in a folder that exists; ask before long work."""
    if path.suffix != ".npz" or path.is_dir() or not path.parent.is_dir():
        raise UserError(f"The weights cannot go to {path}: it must end in .npz, in a folder that exists.")


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes them uncompressed, the same arrays as the same bytes; ``UserError`` where ``path`` cannot be written."""
    check_target(path)
    try:
        with new_file(path) as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise UserError(f"The weights cannot be written to {path}: {error.strerror or error}.") from error
