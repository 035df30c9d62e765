"""Everything that a resume needs, written so that a kill at any moment leaves the last complete state."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.atomic_files import new_folder
from iacyclegan_tf.errors import UserError

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


class CheckpointStore:
    """The last ``keep`` states of one phase of training, in folders named by step.

    >>> import tempfile
    >>> store = CheckpointStore(Path(tempfile.mkdtemp()) / "checkpoints")
    >>> store.restore(tf.train.Checkpoint()) is None
    True
    """

    def __init__(self, folder: Path, keep: int = 2):
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """The steps that have a complete state, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())

    def save(self, step: int, objects: tf.train.Checkpoint, extra: dict) -> None:
        write_folder(self.folder / f"{step:09d}", objects, extra | {"step": step})
        for old in self.steps()[:-self.keep]:
            shutil.rmtree(self.folder / f"{old:09d}")

    def restore(self, objects: tf.train.Checkpoint, say=print) -> dict | None:
        """The newest readable state's JSON after restoring ``objects``; ``None`` when none was ever saved.

        A damaged state is set aside with a sentence and the one before it is used; when all are damaged,
        ``UserError``: starting from nothing silently would lose work.
        """
        steps = self.steps()
        for step in reversed(steps):
            path = self.folder / f"{step:09d}"
            try:
                extra = read_folder(path, objects)
                if extra.get("step") != step:
                    raise UserError(f"The saved state {path} says it is of step {extra.get('step')}.")
                return extra
            except UserError as error:
                say(f"{error} The one before it is used.")
                damaged = path.with_name(f"damaged-{path.name}")
                shutil.rmtree(damaged, ignore_errors=True)
                os.rename(path, damaged)
        if self.folder.is_dir() and any(path.name.startswith("damaged-") for path in self.folder.iterdir()):
            raise UserError(f"No checkpoint under {self.folder} can be read; remove that folder to start this phase anew.")
        return None

    def clear(self) -> None:
        """Removes all states, once the phase's result is saved elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)
