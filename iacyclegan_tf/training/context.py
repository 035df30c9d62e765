"""What every phase of a run shares: settings, folder, faces, strategy, history and where to speak."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.faces import Faces
from iacyclegan_tf.data.streams.batches import Augmentation, Worker
from iacyclegan_tf.data.streams.face_views import FaceViews
from iacyclegan_tf.models.saved_state import read_folder, write_folder
from iacyclegan_tf.training.distributed.workers import Workers, fingerprint
from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
from iacyclegan_tf.training.engine.history import History
from iacyclegan_tf.training.engine.phase import Phase, train_watched
from iacyclegan_tf.training.run_folder import RunFolder


@dataclass
class RunContext:
    config: Config
    folder: RunFolder
    faces: Faces
    strategy: tf.distribute.Strategy
    history: History
    console: object  # rich.console.Console
    workers: Workers = Workers()

    def say(self, sentence: str) -> None:
        self.console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    @property
    def worker(self) -> Worker:
        return self.workers.stream_worker

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(self.config.data.enlarge, self.config.data.flip)

    @property
    def views(self) -> Augmentation | FaceViews:
        """How images are changed to train recognizers."""
        views = self.config.recognizer.views
        if (views.crop, views.shift, views.light) == (1.0, 0.0, 0.0):
            return self.augmentation
        return FaceViews(views.crop, views.shift, views.light, self.config.data.flip)

    def phase_seed(self, number: int) -> int:
        """A seed of its own for each numbered phase of the run."""
        return self.config.seed * 1000 + number

    def train(self, phase: Phase, watched: tuple[str, ...], callbacks: list | None = None) -> CheckpointStore:
        """Trains ``phase`` to its end, resuming; returns its checkpoints, to be cleared once the result is saved."""
        store = CheckpointStore(self.folder.checkpoints(phase.name))
        with self.faces.fitting.reading():
            train_watched(phase, store, self.history, watched, self.console, self.config.train, callbacks, self.workers)
        return store


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
            self.context.say(
                f"{place.name}: the workers' networks are not equal to the last bit; the chief's are taken."
            )
            self.workers.share(objects)
        write_folder(place, objects, extra)
        self._remember(objects)

    def _remember(self, objects: tf.train.Checkpoint) -> None:
        if not self.workers.alone:
            self.workers.kept.update(fingerprint(objects).encode())
            self.workers.kept_any = True
