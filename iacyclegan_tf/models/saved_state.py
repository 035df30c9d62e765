"""TensorFlow objects as a folder with checksums: written whole or not at all, read completely or refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import new_folder
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.common.plain_paths import plain_path

_STATE, _EXTRA, _SUMS = "state", "extra.json", "SHA256SUMS"


def write_folder(folder: Path, objects: tf.train.Checkpoint, extra: dict | None = None) -> None:
    """Writes TensorFlow objects (and JSON beside them) as one new folder. ``UserError`` when the disk refuses."""
    try:
        with new_folder(folder) as aside:
            with plain_path(aside) as place:
                objects.write(str(place / _STATE))
            (aside / _EXTRA).write_text(json.dumps(extra or {}), encoding="utf-8")
            (aside / _SUMS).write_text(_sums(aside), encoding="utf-8")
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError):
        raise  # of no disk: another worker is lost, with which a value was to be averaged
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"{folder} could not be written: {error}. Everything saved before is still there.") from None


class Damaged(UserError):
    """Bytes of a saved state are not those that were written."""


def read_folder(folder: Path, objects: tf.train.Checkpoint) -> dict:
    """Restores what ``write_folder`` wrote and returns the JSON; every object and every saved value must be used.

    Raises ``Damaged`` when a file is missing or a byte has changed since it was written; another ``UserError`` when the
    files are whole and yet do not serve: no permission, or a state of other networks. Both name the folder and the reason.
    """
    try:
        whole = (folder / _SUMS).read_bytes().decode(errors="replace") == _sums(folder)
    except (FileNotFoundError, NotADirectoryError):
        whole = False
    except OSError as error:
        raise UserError(f"The saved state {folder} cannot be read: {error.strerror}") from None
    if not whole:
        raise Damaged(f"The saved state {folder} cannot be read: its files are not those that {_SUMS} describes")
    try:
        extra = read_object(folder / _EXTRA)
        with plain_path(folder) as place:
            objects.read(str(place / _STATE)).assert_consumed()
    except (OSError, ValueError, IndexError, AssertionError, tf.errors.OpError) as error:
        reason = str(error).split("\n")[0][:300]
        raise UserError(f"The saved state {folder} cannot be read, though its files are whole: {reason}") from None
    return extra


def _sums(folder: Path) -> str:
    """A line a file, as ``sha256sum`` writes and checks it. TensorFlow's own sums leave out the JSON and part of the index."""
    lines = []
    for path in sorted(path for path in folder.iterdir() if path.name != _SUMS and path.name[0] != "."):
        with open(path, "rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines)
