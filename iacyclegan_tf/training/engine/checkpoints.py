"""Everything that a resume needs, written so that a kill at any moment leaves the last complete state."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.saved_state import Damaged, read_folder, write_folder


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
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.folder / f"{old:09d}")

    def restore(self, objects: tf.train.Checkpoint, say=print) -> dict | None:
        """The newest whole state's JSON after restoring ``objects``; ``None`` when none was ever saved.

        A damaged state is set aside with a sentence and the one before it is used; when all are damaged, ``UserError``:
        starting from nothing silently would lose work. A state whose sums match stays, whatever its reading says.
        """
        for step in reversed(self.steps()):
            path = self.folder / f"{step:09d}"
            try:
                extra = read_folder(path, objects)
            except Damaged as error:
                say(f"{error}. The one before it is used.")
                damaged = path.with_name(f"damaged-{path.name}")
                shutil.rmtree(damaged, ignore_errors=True)
                os.rename(path, damaged)
                continue
            if extra.get("step") != step:
                raise UserError(
                    f"The saved state {path} says that it is of step {extra.get('step')}; give it its own name."
                )
            return extra
        if self.folder.is_dir() and any(path.name.startswith("damaged-") for path in self.folder.iterdir()):
            raise UserError(
                f"No checkpoint under {self.folder} can be read; remove that folder to start this phase anew."
            )
        return None

    def clear(self) -> None:
        """Removes all states, once the phase's result is saved elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)
