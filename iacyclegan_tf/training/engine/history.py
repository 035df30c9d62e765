"""What a run writes while it trains: history.jsonl and TensorBoard's event files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.evaluation.result_files import scalars


class PhaseCallback(keras.callbacks.Callback):
    """A callback that knows where it is: ``step`` counts from the phase's beginning, also after a resumption."""

    phase_name, first_step, step, total_steps = "", 0, 0, 0

    def enter(self, phase_name: str, first_step: int, total_steps: int) -> None:
        """Before each ``fit``: from ``first_step`` on, which is 0 or that of a checkpoint."""
        self.phase_name, self.first_step, self.step, self.total_steps = phase_name, first_step, first_step, total_steps

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self.after_step(logs or {})

    def after_step(self, logs: dict) -> None:
        """``logs``: what ``train_step`` returned; ``step`` is the number of this step, from 1 on."""


class History(PhaseCallback):
    """Means over windows of ``every`` steps, one line each in history.jsonl and the same to TensorBoard.

    The unfinished window is part of a checkpoint, so a resumed run writes the same lines as an unbroken one;
    lines that a killed run wrote after its last checkpoint are removed when it goes on, and lines that cannot be read.
    """

    def __init__(self, path: Path, tensorboard: Callable[[str], Path], every: int):
        super().__init__()
        self.path, self.tensorboard, self.every = path, tensorboard, every
        self.writer: tf.summary.SummaryWriter | None = None

    def begin(self, window: dict | None = None, images_per_step: int = 1) -> None:
        """After ``enter``. ``window``: of the checkpoint."""
        self.images_per_step = images_per_step
        self.sums, self.count = (window["sums"], window["count"]) if window else ({}, 0)
        self._drop_lines()
        self.writer = tf.summary.create_file_writer(str(self.tensorboard(self.phase_name)))
        self.since, self.timed = time.perf_counter(), 0

    def window(self) -> dict:
        return {"sums": self.sums, "count": self.count}

    def after_step(self, logs):
        self.count += 1
        self.timed += 1
        for name, value in logs.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        if self.step % self.every == 0 or self.step == self.total_steps:
            optimizer = getattr(self.model, "generator_optimizer", None) or self.model.optimizer
            means = {name: total / self.count for name, total in self.sums.items()}
            self._write(means | {"learning_rate": float(tf.convert_to_tensor(optimizer.learning_rate))})

    def _write(self, means: dict[str, float]) -> None:
        seconds = time.perf_counter() - self.since
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"phase": self.phase_name, "step": self.step, **means}) + "\n")
        with self.writer.as_default(step=self.step):
            for name, value in means.items():
                tf.summary.scalar(name, value)
            tf.summary.scalar("images_per_second", self.timed * self.images_per_step / max(seconds, 1e-9))
        self.sums, self.count = {}, 0
        self.since, self.timed = time.perf_counter(), 0

    def image(self, name: str, picture) -> None:
        """``[H, W, 3]`` uint8 to TensorBoard at the present step."""
        with self.writer.as_default(step=self.step):
            tf.summary.image(name, picture[None])

    def measures(self, number: int, metrics: dict) -> None:
        """A round's numbers, at the round's number, as ``measures`` beside the phases."""
        writer = tf.summary.create_file_writer(str(self.tensorboard("measures")))
        with writer.as_default(step=number):
            for name, value in scalars(metrics):
                tf.summary.scalar(name, value)
        writer.close()

    def flush(self) -> None:
        self.writer.flush()

    def _drop_lines(self) -> None:
        if self.path.exists():
            lines = self.path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if self._holds(line)]
            if kept != lines:
                write_bytes(self.path, b"".join(kept))

    def _holds(self, line: bytes) -> bool:
        """Whether a line is whole (the last one of a killed run may be half) and of no step that is still to come."""
        try:
            entry = json.loads(line)
            return line.endswith(b"\n") and (entry["phase"] != self.phase_name or entry["step"] <= self.first_step)
        except (ValueError, LookupError, TypeError, RecursionError):
            return False
