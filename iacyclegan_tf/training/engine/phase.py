"""One phase of training through ``Model.fit``, resumable at any step; what happens when a number is not finite."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from iacyclegan_tf.common.command_line import Terminated
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import TrainConfig
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.training.distributed.workers import Workers
from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
from iacyclegan_tf.training.engine.checks import NonFinite, StopOnNonFinite
from iacyclegan_tf.training.engine.history import History, PhaseCallback
from iacyclegan_tf.training.engine.optimizers import Lowered
from iacyclegan_tf.training.engine.progress import PeakMemory, Progress

LOWER = 0.5  # the learning rate after a fault, where train.non_finite is lower_rate


@dataclass
class Phase:
    """What ``train_phase`` has to do: ``steps`` steps of ``model`` on ``stream(start_step)``.

    ``state`` holds every TensorFlow object that a resume needs: networks, optimizers, pools, weights of losses.
    ``images`` names those of step 0, 1, …, over all workers, to be told when something is wrong with them.
    ``pools`` are those of its objects of which each worker knows only its own part.
    """

    name: str
    model: tf.keras.Model
    state: tf.train.Checkpoint
    stream: Callable[[int], tf.data.Dataset]
    steps: int
    epoch_steps: int
    images_per_step: int  # of both modalities together, over all replicas
    images: Callable[[int], list[str]]
    pools: tuple[ImagePool, ...] = ()


def train_phase(
    phase: Phase,
    store: CheckpointStore,
    history: History,
    callbacks: list[tf.keras.callbacks.Callback],
    settings: TrainConfig,
    say: Callable[[str], None],
    workers: Workers = Workers(),
) -> None:
    """Runs the phase to its end, from its newest checkpoint if there is one. Checkpoints stay until ``store.clear()``.

    A loss or gradient that is not finite ends the run with a ``UserError``, or takes it back to the newest checkpoint
    with half the learning rate, ``settings.non_finite_tries`` times at most.

    Of several ``workers`` the chief reads the checkpoint, and all write one, each to its own ``store``: reading the mean of
    what each replica keeps for itself needs them all. What is logged is summed over all, so a fault is one on all of them.
    """
    returns = 0
    while True:
        try:
            return _go_on(phase, store, history, callbacks, settings, returns, say, workers)
        except NonFinite as fault:
            steps = workers.agree(store.steps())
            last = f"The last checkpoint is of step {steps[-1]}" if steps else "There is no checkpoint yet"
            what = f"{fault} {_images(phase, fault.step)} The step was not taken; the weights are finite. {last}"
            returns = max(returns, fault.returns) + 1
            if settings.non_finite == "stop":
                raise UserError(
                    f"{what}. train.non_finite=lower_rate goes on from there with half the learning rate; or try a "
                    "lower train.learning_rate or train.precision=float32."
                ) from None
            if returns > settings.non_finite_tries:
                raise UserError(
                    f"{what}. It has been returned to {returns - 1} times, at last with {LOWER ** (returns - 1):g} "
                    "times the learning rate: train.non_finite_tries allows no more."
                ) from None
            say(
                f"{what}; training returns to it with {LOWER**returns:g} times the learning rate "
                f"(try {returns} of {settings.non_finite_tries})."
            )


def _go_on(
    phase: Phase,
    store: CheckpointStore,
    history: History,
    callbacks: list,
    settings: TrainConfig,
    returns: int,
    say: Callable[[str], None],
    workers: Workers,
) -> None:
    """From the newest checkpoint to the end, or to a ``NonFinite``."""
    saved = workers.agree(store.restore(phase.state, say) if workers.chief else None)
    start = saved["step"] if saved else 0
    returns = max(returns, saved.get("returns", 0) if saved else 0)
    for rate in _rates(phase.model):
        rate.factor.assign(LOWER**returns)
    if saved:
        workers.share(phase.state)
        say(f"{phase.name}: goes on from step {start} of {phase.steps}")
    history.begin(phase.name, start, saved.get("window") if saved else None, phase.images_per_step)
    keeper = KeepCheckpoints(
        phase, store, history, start if saved else None, settings.checkpoint_steps, workers, returns
    )
    if not saved and settings.non_finite == "lower_rate":
        keeper.save()  # there must be something to return to
    # The check first, so that nothing wrong is written or saved; the keeper last, since a state holds history's window.
    everything = [StopOnNonFinite(returns), history, *callbacks, keeper]
    for callback in everything:
        callback.enter(phase.name, start, phase.steps)
    try:
        _fit(phase, start, everything, workers)
    finally:
        keeper.restore_handlers()
    if keeper.saved != phase.steps:
        keeper.save()
    history.flush()


def _fit(phase: Phase, start: int, callbacks: list, workers: Workers) -> None:
    stream = workers.fed(phase.stream(start))
    while start < phase.steps:  # first what is left of an epoch, then whole epochs
        epoch, done = divmod(start, phase.epoch_steps)
        whole = (phase.steps - start) // phase.epoch_steps if done == 0 else 0
        steps = phase.epoch_steps if whole else min(phase.epoch_steps - done, phase.steps - start)
        phase.model.fit(
            stream,
            initial_epoch=epoch,
            epochs=epoch + max(whole, 1),
            steps_per_epoch=steps,
            callbacks=callbacks,
            verbose=0,
        )
        start += steps * max(whole, 1)
        if start < phase.steps:
            stream = workers.fed(phase.stream(start))


def _rates(model: tf.keras.Model) -> list[Lowered]:
    found = []
    for name in ("optimizer", "generator_optimizer", "discriminator_optimizer"):
        optimizer = getattr(model, name, None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        rate = getattr(optimizer, "_learning_rate", None)  # ``learning_rate`` gives a schedule's present value
        found += [rate] if isinstance(rate, Lowered) else []
    return found


def _images(phase: Phase, step: int, most: int = 8) -> str:
    names = list(dict.fromkeys(phase.images(step - 1)))
    return (
        f"Images of the step: {', '.join(names[:most])}{f' and {len(names) - most} more' if len(names) > most else ''}."
    )


class KeepCheckpoints(PhaseCallback):
    """Saves every ``every`` steps, and once more when SIGTERM or Ctrl-C asks the program to stop."""

    def __init__(
        self,
        phase: Phase,
        store: CheckpointStore,
        history: History,
        saved: int | None,
        every: int,
        workers: Workers,
        returns: int = 0,
    ):
        super().__init__()
        self.phase, self.store, self.history, self.every, self.workers = phase, store, history, every, workers
        self.saved, self.step, self.returns = saved, saved or 0, returns
        self.stop_signal, self.previous = 0, {}

    def save(self) -> None:
        self.workers.gather_pools(self.phase.pools)
        self.workers.settle(self.phase.state)
        self.saved = self.step
        self.store.save(self.step, self.phase.state, {"window": self.history.window(), "returns": self.returns})

    def on_train_begin(self, logs=None):
        def remember(number, frame):
            self.stop_signal = number

        try:
            self.previous = {s: signal.signal(s, remember) for s in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:  # not in the main thread, where Python handles no signals
            self.previous = {}

    def on_train_end(self, logs=None):
        self.restore_handlers()

    def restore_handlers(self) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        stop = self.workers.largest(self.stop_signal)  # one that is asked to stop stops all
        if stop:
            self.save()
            self.restore_handlers()
            raise (KeyboardInterrupt if stop == signal.SIGINT else Terminated)(
                f"{self.phase.name} saved at step {self.step} of {self.phase.steps}; the same command goes on from there"
            )
        if self.step % self.every == 0:
            self.save()


def train_watched(
    phase: Phase,
    store: CheckpointStore,
    history: History,
    watched: tuple[str, ...],
    console,
    settings: TrainConfig,
    callbacks: list | None = None,
    workers: Workers = Workers(),
) -> None:
    """``train_phase`` with a bar that shows the ``watched`` numbers, and the peak memory."""

    def say(sentence: str) -> None:
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    progress = Progress(console, watched)
    try:
        train_phase(phase, store, history, [progress, PeakMemory(say), *(callbacks or [])], settings, say, workers)
    finally:
        progress.close()
