"""One phase of training through ``Model.fit``, resumable at any step."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from iacyclegan_tf.checkpoint import CheckpointStore
from iacyclegan_tf.commands import Terminated
from iacyclegan_tf.image_pool import ImagePool
from iacyclegan_tf.monitor import History, StopOnNonFinite
from iacyclegan_tf.workers import Workers


@dataclass
class Phase:
    """What ``train_phase`` has to do: ``steps`` steps of ``model`` on ``stream(start_step)``.

    ``state`` holds every TensorFlow object that a resume needs: networks, optimizers, pools, weights of losses.
    ``pools`` are those of its objects of which each worker knows only its own part.
    """

    name: str
    model: tf.keras.Model
    state: tf.train.Checkpoint
    stream: Callable[[int], tf.data.Dataset]
    steps: int
    epoch_steps: int
    images_per_step: int  # of both modalities together, over all replicas
    pools: tuple[ImagePool, ...] = ()


def train_phase(phase: Phase, store: CheckpointStore, history: History, callbacks: list[tf.keras.callbacks.Callback],
                checkpoint_steps: int, say: Callable[[str], None], workers: Workers = Workers()) -> None:
    """Runs the phase to its end, from its newest checkpoint if there is one. Checkpoints stay until ``store.clear()``.

    Of several ``workers`` the chief reads the checkpoint, and all write one, each to its own ``store``: reading the mean of
    what each replica keeps for itself needs them all.
    """
    saved = workers.agree(store.restore(phase.state, say) if workers.chief else None)
    start = saved["step"] if saved else 0
    if saved:
        workers.share(phase.state)
        say(f"{phase.name}: goes on from step {start} of {phase.steps}")
    history.begin(phase.name, start, saved.get("window") if saved else None, phase.images_per_step)
    keeper = KeepCheckpoints(phase, store, history, start if saved else None, checkpoint_steps, workers)
    # The check first, so that nothing wrong is written or saved; the keeper last, since a state holds history's window.
    everything = [StopOnNonFinite(), history, *callbacks, keeper]
    for callback in everything:
        callback.phase_name, callback.first_step, callback.total_steps = phase.name, start, phase.steps
    stream = workers.fed(phase.stream(start))
    while start < phase.steps:  # first what is left of an epoch, then whole epochs
        epoch, done = divmod(start, phase.epoch_steps)
        whole = (phase.steps - start) // phase.epoch_steps if done == 0 else 0
        steps = phase.epoch_steps if whole else min(phase.epoch_steps - done, phase.steps - start)
        phase.model.fit(stream, initial_epoch=epoch, epochs=epoch + max(whole, 1), steps_per_epoch=steps,
                        callbacks=everything, verbose=0)
        start += steps * max(whole, 1)
        if start < phase.steps:
            stream = workers.fed(phase.stream(start))
    if keeper.saved != phase.steps:
        keeper.save()
    history.flush()


class KeepCheckpoints(tf.keras.callbacks.Callback):
    """Saves every ``every`` steps, and once more when SIGTERM or Ctrl-C asks the program to stop."""

    def __init__(self, phase: Phase, store: CheckpointStore, history: History, saved: int | None, every: int, workers: Workers):
        super().__init__()
        self.phase, self.store, self.history, self.every, self.workers = phase, store, history, every, workers
        self.saved, self.step, self.stop_signal, self.previous = saved, saved or 0, 0, {}

    def save(self) -> None:
        self.workers.gather_pools(self.phase.pools)
        self.workers.settle(self.phase.state)
        self.saved = self.step
        self.store.save(self.step, self.phase.state, {"window": self.history.window(), "time": time.time()})

    def on_train_begin(self, logs=None):
        def remember(number, frame):
            self.stop_signal = number

        try:
            self.previous = {s: signal.signal(s, remember) for s in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:  # not in the main thread, where Python handles no signals
            self.previous = {}

    def on_train_end(self, logs=None):
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        stop = self.workers.largest(self.stop_signal)  # one that is asked to stop stops all
        if stop:
            self.save()
            self._restore_handlers()
            if stop == signal.SIGINT:
                raise KeyboardInterrupt
            raise Terminated(f"{self.phase.name} saved at step {self.step} of {self.phase.steps}; "
                             "the same command goes on from there")
        if self.step % self.every == 0:
            self.save()


