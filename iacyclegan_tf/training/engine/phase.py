"""One phase of training through ``Model.fit``, resumable at any step; what happens when a number is not finite."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.common.run_command import Terminated
from iacyclegan_tf.common.terminal import say
from iacyclegan_tf.config.settings import TrainConfig
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.training.distributed.workers import Workers
from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
from iacyclegan_tf.training.engine.history import History, PhaseCallback
from iacyclegan_tf.training.engine.learning_rate import lower_rates
from iacyclegan_tf.training.engine.progress import Progress
from iacyclegan_tf.training.engine.stops_and_warnings import NonFinite, StopOnNonFinite
from iacyclegan_tf.training.run_folder import RunFolder

LOWER = 0.5  # the learning rate after a fault, where train.non_finite is lower_rate


@dataclass
class Phase:
    """What ``Engine.train`` has to do: ``steps`` steps of ``model`` on ``stream(start_step)``.

    ``state`` holds every TensorFlow object that a resume needs: networks, optimizers, pools, weights of losses.
    ``images`` names those of step 0, 1, …, over all workers, to be told when something is wrong with them.
    ``pools`` are those of its objects of which each worker knows only its own part.
    """

    name: str
    model: keras.Model
    state: tf.train.Checkpoint
    stream: Callable[[int], tf.data.Dataset]
    steps: int
    epoch_steps: int
    images_per_step: int  # of both modalities together, over all replicas
    images: Callable[[int], list[str]]
    pools: tuple[ImagePool, ...] = ()
    begins: int = 0  # the step where an earlier part of the same phase ended


@dataclass
class Engine:
    """Trains the phases of one run: what they share is where states and log go, who takes part and where to speak."""

    settings: TrainConfig
    folder: RunFolder
    workers: Workers
    console: object  # rich.console.Console

    def __post_init__(self) -> None:
        self.history = History(self.folder.history, self.folder.tensorboard, self.settings.log_steps)

    def say(self, sentence: str) -> None:
        say(self.console, sentence)

    def train(self, phase: Phase, watched: tuple[str, ...] = (), callbacks: tuple | list = ()) -> None:
        """Runs the phase to its end, from its newest checkpoint if there is one; checkpoints stay until cleared.

        ``watched``: numbers that the bar shows. A loss or gradient that is not finite ends the run with ``UserError``,
        or takes it back to the newest checkpoint with half the rate, ``train.non_finite_tries`` times at most.

        Of several workers the chief reads the checkpoint, and all write one, each to its own folder: reading the mean
        of what each replica keeps for itself needs them all. Logs are summed over all, so a fault is one on all.
        """
        store, returns = CheckpointStore(self.folder.checkpoints(phase.name)), 0
        while True:
            saved = self.workers.agree(store.restore(phase.state, self.say) if self.workers.chief else None) or {}
            returns = max(returns, saved.get("returns", 0))
            lower_rates(phase.model, LOWER**returns)
            if saved:
                self.workers.share(phase.state)
                if saved["step"] != phase.begins:
                    self.say(f"{phase.name}: goes on from step {saved['step']} of {phase.steps}")
            keeper = KeepCheckpoints(self, phase, store, returns)
            try:
                return self._fit(phase, saved, keeper, [Progress(self.console, watched), *callbacks])
            except NonFinite as fault:
                steps, returns = self.workers.agree(store.steps()), returns + 1
                self._after_fault(fault, phase, steps[-1] if steps else None, returns)

    def _fit(self, phase: Phase, saved: dict, keeper: KeepCheckpoints, shown: list) -> None:
        """From the checkpoint ``saved`` (empty: none) to the end, or to a ``NonFinite``."""
        start = saved.get("step", 0)
        # The check first, so that nothing wrong is written; the keeper last, since a state holds history's window.
        everything = [StopOnNonFinite(), self.history, *shown, keeper]
        for callback in everything:
            callback.enter(phase.name, start, phase.steps)
        self.history.begin(saved.get("window"), phase.images_per_step)
        keeper.saved = start if saved else None
        if not saved and self.settings.non_finite == "lower_rate":
            keeper.save()  # there must be something to return to
        if start < phase.steps:
            stream = self.workers.fed(phase.stream(start))
            try:
                with keeper.asked_to_stop():
                    phase.model.fit(stream, steps_per_epoch=phase.steps - start, callbacks=everything, verbose=0)
            finally:
                shown[0].close()
        keeper.finish()
        self.history.flush()

    def _after_fault(self, fault: NonFinite, phase: Phase, last: int | None, returns: int) -> None:
        """Says that training returns to the checkpoint of step ``last``; ``UserError`` where it must not."""
        names = list(dict.fromkeys(phase.images(fault.step - 1)))
        more = f" and {len(names) - 8} more" if names[8:] else ""
        what = (
            f"{fault} Images of the step: {', '.join(names[:8])}{more}. The step was not taken; weights are finite. "
            + ("There is no checkpoint yet" if last is None else f"The last checkpoint is of step {last}")
        )
        if self.settings.non_finite == "stop":
            raise UserError(
                f"{what}. train.non_finite=lower_rate goes on from there with half the learning rate; or try a lower "
                "train.learning_rate or train.precision=float32."
            )
        if returns > self.settings.non_finite_tries:
            raise UserError(
                f"{what}. It has been returned to {returns - 1} times, at last with {LOWER ** (returns - 1):g} times "
                "the learning rate: train.non_finite_tries allows no more."
            )
        self.say(
            f"{what}; training returns to it with {LOWER**returns:g} times the learning rate (try {returns} of "
            f"{self.settings.non_finite_tries})."
        )


class KeepCheckpoints(PhaseCallback):
    """Saves every ``train.checkpoint_steps``, and once more when SIGTERM or Ctrl-C asks the program to stop."""

    def __init__(self, engine: Engine, phase: Phase, store: CheckpointStore, returns: int):
        super().__init__()
        self.engine, self.phase, self.store, self.returns = engine, phase, store, returns
        self.saved: int | None = None
        self.stop_signal = 0

    def save(self) -> None:
        self.engine.workers.settle(self.phase.state, self.phase.pools)
        extra = {"window": self.engine.history.window(), "returns": self.returns}
        self.store.save(self.step, self.phase.state, extra)
        self.saved = self.step

    @contextmanager
    def asked_to_stop(self) -> Iterator[None]:
        """Within it SIGTERM and Ctrl-C are remembered until the step is done."""

        def remember(number, frame):
            self.stop_signal = number

        before = {}
        with suppress(ValueError):  # not in the main thread, where Python handles no signals
            before = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def after_step(self, logs):
        stop = self.engine.workers.largest(self.stop_signal)  # one that is asked to stop stops all
        if stop or self.step % self.engine.settings.checkpoint_steps == 0:
            self.save()
        self._stop(stop)

    def finish(self) -> None:
        """Saves the end of the phase; a signal that came after its last step counts, too."""
        if self.saved != self.step:
            self.save()
        self._stop(self.engine.workers.largest(self.stop_signal))

    def _stop(self, stop: int) -> None:
        if stop:
            done = f"{self.phase.name} saved at step {self.step} of {self.phase.steps}"
            kind = KeyboardInterrupt if stop == signal.SIGINT else Terminated
            raise kind(f"{done}; the same command goes on from there")


class Restart:
    """Puts variables back to a remembered start, by assignment, so that nothing is traced again."""

    def __init__(self, variables: list[tf.Variable]):
        self.variables = list(variables)
        self.values = [variable.numpy() for variable in self.variables]

    def __call__(self) -> None:
        for variable, value in zip(self.variables, self.values):
            variable.assign(value)
