"""What every phase of a run shares: settings, folder, faces, workers, the engine that trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.load_faces import Faces
from iacyclegan_tf.data.streams.augmentation import Augmentation
from iacyclegan_tf.data.streams.face_views import FaceViews
from iacyclegan_tf.models.saved_state import read_folder, write_folder
from iacyclegan_tf.training.distributed.workers import Workers
from iacyclegan_tf.training.engine.phase import Engine, Phase
from iacyclegan_tf.training.run_folder import RunFolder


@dataclass
class RunContext:
    config: Config
    folder: RunFolder
    faces: Faces
    workers: Workers
    console: object  # rich.console.Console

    def __post_init__(self) -> None:
        self.engine = Engine(self.config.train, self.folder, self.workers, self.console)
        self.say, self.history = self.engine.say, self.engine.history
        self.strategy, self.worker = self.workers.strategy, self.workers.stream_worker
        self.augmentation = Augmentation(self.config.data.enlarge, self.config.data.flip)

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

    def train(self, phase: Phase, watched: tuple[str, ...], callbacks: tuple | list = ()) -> None:
        """``Engine.train``, while the fitting images can be read."""
        with self.faces.fitting.reading():
            self.engine.train(phase, watched, callbacks)

    def restore(self, place: Path, objects: tf.train.Checkpoint) -> bool:
        """Whether a phase has left its result in ``place``; then its values are in ``objects``.

        Of several workers the chief's counts: what it holds, all get.
        """
        there = self.workers.agree(place.exists())
        if there:
            if self.workers.chief:
                read_folder(place, objects)
            self.workers.share(objects)
        return there

    def keep(self, place: Path, objects: tf.train.Checkpoint, extra: dict) -> None:
        """Leaves a result there. All workers write, each to its own folder, and go on with the chief's values.

        Different processors may round differently; each worker then applies equal gradients a little differently.
        """
        self.workers.settle(objects)
        self.workers.share(objects)
        write_folder(place, objects, extra)
