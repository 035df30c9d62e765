"""TensorFlow objects as a folder with checksums: written whole or not at all, read completely or refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import new_folder
from iacyclegan_tf.common.errors import UserError

_STATE, _EXTRA, _SUMS = "state", "extra.json", "SHA256SUMS"


def write_folder(folder: Path, objects: tf.train.Checkpoint, extra: dict | None = None) -> None:
    """Writes TensorFlow objects (and JSON beside them) as one new folder. ``UserError`` when the disk refuses."""
    try:
        with new_folder(folder) as aside:
            objects.write(str(aside / _STATE))
            (aside / _EXTRA).write_text(json.dumps(extra or {}), encoding="utf-8")
            (aside / _SUMS).write_text(_sums(aside), encoding="utf-8")
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError):
        raise  # of no disk: another worker is lost, with which a value was to be averaged
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"{folder} could not be written: {error}. Everything saved before is still there.") from None


def read_folder(folder: Path, objects: tf.train.Checkpoint) -> dict:
    """Restores what ``write_folder`` wrote and returns the JSON; every object and every saved value must be used.

    Raises ``UserError`` naming the folder when a byte of it has changed since it was written, or of another build.
    """
    try:
        if (folder / _SUMS).read_text(encoding="utf-8") != _sums(folder):
            raise ValueError(f"its files are not those that {_SUMS} describes")
        extra = json.loads((folder / _EXTRA).read_text(encoding="utf-8"))
        if not isinstance(extra, dict):
            raise ValueError(f"{_EXTRA} holds no object")
        objects.read(str(folder / _STATE)).assert_consumed()
    except (OSError, ValueError, IndexError, AssertionError, tf.errors.OpError) as error:
        reason = str(error).split("\n")[0][:300]
        raise UserError(f"The saved state {folder} cannot be read: {reason}") from None
    return extra


def _sums(folder: Path) -> str:
    """A line a file, as ``sha256sum`` writes and checks it. TensorFlow's own sums leave out the JSON and part of the index."""
    lines = []
    for path in sorted(path for path in folder.iterdir() if path.name != _SUMS and path.name[0] != "."):
        with open(path, "rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines)
