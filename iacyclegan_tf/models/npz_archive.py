"""What is checked of an ``.npz`` file before any array in it is read: lengths, sizes, no pickle."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError

# What numpy and zipfile raise on damaged bytes, found by editing small files at random.
DAMAGE = (
    ValueError,
    KeyError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    SyntaxError,
    tokenize.TokenError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    OverflowError,
    MemoryError,
)


def claimed_shapes(path: Path, archive: zipfile.ZipFile, max_bytes: int) -> dict[str, tuple[int, ...]]:
    """Shape of every member by its header, after checking that the member's length agrees with it.

    Raises ``UserError`` for more than ``max_bytes`` of all members together, and for what ``np.savez`` does not write.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    if sum(member.file_size for member in archive.infolist()) > max_bytes:
        raise UserError(f"{path} holds more than {max_bytes / 2**30:g} GiB, which no weights of this program do.")
    for member in archive.infolist():
        with archive.open(member) as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise UserError(f"{path} is not ours: {member.filename[:60]!r} has not .npy version 1.0.")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            claimed = dtype.itemsize
            for dimension in shape:
                claimed *= dimension
            if claimed != member.file_size - file.tell():
                raise UserError(f"{path} is damaged: {member.filename[:60]!r} has not the length it says.")
        shapes[member.filename.removesuffix(".npy")] = shape
    if len(shapes) != len(archive.infolist()):
        raise UserError(f"{path} is damaged: it holds two arrays of the same name.")
    return shapes
