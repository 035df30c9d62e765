"""What every phase of a run shares: settings, folder, faces, strategy, history and where to speak."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from iacyclegan_tf.adam import FusedAdam
from iacyclegan_tf.checkpoint import CheckpointStore
from iacyclegan_tf.config import Config, TrainConfig
from iacyclegan_tf.data.face_views import FaceViews
from iacyclegan_tf.data.faces import Faces
from iacyclegan_tf.data.streams import Augmentation, Worker
from iacyclegan_tf.monitor import History, PeakMemory, Progress
from iacyclegan_tf.run_folder import RunFolder
from iacyclegan_tf.schedules import Lowered
from iacyclegan_tf.training import Phase, train_phase
from iacyclegan_tf.workers import Workers


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


def train_watched(phase: Phase, store: CheckpointStore, history: History, watched: tuple[str, ...], console,
                  settings: TrainConfig, callbacks: list | None = None, workers: Workers = Workers()) -> None:
    """``train_phase`` with a bar that shows the ``watched`` numbers, and the peak memory."""
    def say(sentence: str) -> None:
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    progress = Progress(console, watched)
    try:
        train_phase(phase, store, history, [progress, PeakMemory(say), *(callbacks or [])], settings, say, workers)
    finally:
        progress.close()


def adam(rate, beta_1: float = 0.9, ema: float = 0.0, loss_scaling: bool = False) -> tf.keras.optimizers.Optimizer:
    """Adam whose rate a fault can lower.

    With ``ema`` it also keeps a moving average of the weights, with ``loss_scaling`` it is wrapped for float16.
    """
    optimizer = FusedAdam(Lowered(rate), beta_1=beta_1, jit_compile=False, use_ema=ema > 0, ema_momentum=ema if ema > 0 else 0.99)
    return tf.keras.mixed_precision.LossScaleOptimizer(optimizer) if loss_scaling else optimizer


class Restart:
    """Puts variables back to a remembered start, by assignment, so that nothing is traced again."""

    def __init__(self, variables: list[tf.Variable]):
        self.variables = list(variables)
        self.values = [variable.numpy() for variable in self.variables]

    def __call__(self) -> None:
        for variable, value in zip(self.variables, self.values):
            variable.assign(value)
