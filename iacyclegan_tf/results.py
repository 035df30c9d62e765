"""Networks that a step of a run leaves in its folder: what is there is read and not made again."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.checkpoint import read_folder, write_folder
from iacyclegan_tf.run_context import RunContext
from iacyclegan_tf.workers import fingerprint


class Results:
    """Of several workers the chief's folder counts: what it holds, all get."""

    def __init__(self, context: RunContext):
        self.context, self.workers = context, context.workers

    def read(self, place: Path, objects: tf.train.Checkpoint) -> bool:
        """Whether ``place`` is there; then its values are in ``objects``."""
        there = self.workers.agree(place.exists())
        if there:
            if self.workers.chief:
                read_folder(place, objects)
            self.workers.share(objects)
            self._remember(objects)
        return there

    def write(self, place: Path, objects: tf.train.Checkpoint, extra: dict) -> None:
        """All workers write, each to its own folder (``train_phase`` says why), and go on with equal values."""
        self.workers.settle(objects)
        if not self.workers.same(objects):
            # different processors may round differently; each worker then applies equal gradients a little differently
            self.context.say(f"{place.name}: the workers' networks are not equal to the last bit; the chief's are taken.")
            self.workers.share(objects)
        write_folder(place, objects, extra)
        self._remember(objects)

    def _remember(self, objects: tf.train.Checkpoint) -> None:
        if not self.workers.alone:
            self.workers.kept.update(fingerprint(objects).encode())
            self.workers.kept_any = True
