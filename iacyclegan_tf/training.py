"""One phase of training through ``Model.fit``, resumable at any step."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from iacyclegan_tf.checkpoint import CheckpointStore
from iacyclegan_tf.commands import Terminated
from iacyclegan_tf.monitor import History, StopOnNonFinite


@dataclass
class Phase:
    """What ``train_phase`` has to do: ``steps`` steps of ``model`` on ``stream(start_step)``.

    ``state`` holds every TensorFlow object that a resume needs: networks, optimizers, pools, weights of losses.
    """

    name: str
    model: tf.keras.Model
    state: tf.train.Checkpoint
    stream: Callable[[int], tf.data.Dataset]
    steps: int
    epoch_steps: int
    images_per_step: int  # of both modalities together, over all replicas


def train_phase(phase: Phase, store: CheckpointStore, history: History, callbacks: list[tf.keras.callbacks.Callback],
                checkpoint_steps: int, say: Callable[[str], None]) -> None:
    """Runs the phase to its end, from its newest checkpoint if there is one. Checkpoints stay until ``store.clear()``."""
    saved = store.restore(phase.state, say)
    start = saved["step"] if saved else 0
    if saved:
        say(f"{phase.name}: goes on from step {start} of {phase.steps}")
    history.begin(phase.name, start, saved.get("window") if saved else None, phase.images_per_step)
    keeper = KeepCheckpoints(phase, store, history, start, checkpoint_steps)
    # The check first, so that nothing wrong is written or saved; the keeper last, since a state holds history's window.
    everything = [StopOnNonFinite(), history, *callbacks, keeper]
    for callback in everything:
        callback.phase_name, callback.first_step, callback.total_steps = phase.name, start, phase.steps
    stream = phase.stream(start)
    while start < phase.steps:  # first what is left of an epoch, then whole epochs
        epoch, done = divmod(start, phase.epoch_steps)
        whole = (phase.steps - start) // phase.epoch_steps if done == 0 else 0
        steps = phase.epoch_steps if whole else min(phase.epoch_steps - done, phase.steps - start)
        phase.model.fit(stream, initial_epoch=epoch, epochs=epoch + max(whole, 1), steps_per_epoch=steps,
                        callbacks=everything, verbose=0)
        start += steps * max(whole, 1)
        if start < phase.steps:
            stream = phase.stream(start)
    if store.steps()[-1:] != [phase.steps]:
        keeper.save()
    history.flush()


class KeepCheckpoints(tf.keras.callbacks.Callback):
    """Saves every ``every`` steps, and once more when SIGTERM or Ctrl-C asks the program to stop."""

    def __init__(self, phase: Phase, store: CheckpointStore, history: History, start: int, every: int):
        super().__init__()
        self.phase, self.store, self.history, self.every = phase, store, history, every
        self.step, self.stop_signal, self.previous = start, None, {}

    def save(self) -> None:
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
        if self.stop_signal is not None:
            self.save()
            self._restore_handlers()
            if self.stop_signal == signal.SIGINT:
                raise KeyboardInterrupt
            raise Terminated(f"{self.phase.name} saved at step {self.step} of {self.phase.steps}; "
                             "the same command goes on from there")
        if self.step % self.every == 0:
            self.save()


