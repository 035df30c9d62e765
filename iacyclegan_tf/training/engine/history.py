"""What a run tells while it trains: TensorBoard, history.jsonl, a progress bar, and stops that name their reason."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import write_text
from iacyclegan_tf.evaluation.files import scalars


class PhaseCallback(tf.keras.callbacks.Callback):
    """``train_phase`` says where in the run we are, again where it returns to a checkpoint."""

    phase_name, first_step, total_steps = "", 0, 0

    def enter(self, phase_name: str, first_step: int, total_steps: int) -> None:
        self.phase_name, self.first_step, self.total_steps = phase_name, first_step, total_steps


class History(PhaseCallback):
    """Means over windows of ``every`` steps, one line each in history.jsonl and the same to TensorBoard.

    The unfinished window is part of a checkpoint, so a resumed run writes the same lines as an unbroken one;
    lines that a killed run wrote after its last checkpoint are removed when it goes on.
    """

    def __init__(self, path: Path, tensorboard: Callable[[str], Path], every: int):
        super().__init__()
        self.path, self.tensorboard, self.every = path, tensorboard, every
        self.writer: tf.summary.SummaryWriter | None = None
        self.step, self.sums, self.count, self.since, self.timed, self.images_per_step = 0, {}, 0, 0.0, 0, 1

    def begin(self, phase: str, start: int, window: dict | None, images_per_step: int = 1) -> None:
        self.phase_name, self.step, self.images_per_step = phase, start, images_per_step
        self.sums, self.count = (window["sums"], window["count"]) if window else ({}, 0)
        self._drop_lines_after(phase, start)
        self.writer = tf.summary.create_file_writer(str(self.tensorboard(phase)))
        self.since, self.timed = time.perf_counter(), 0

    def window(self) -> dict:
        return {"sums": self.sums, "count": self.count}

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self.count += 1
        self.timed += 1
        for name, value in (logs or {}).items():
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

    def _drop_lines_after(self, phase: str, step: int) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if _still_true(line, phase, step)]
        if kept != lines:
            write_text(self.path, "".join(kept))


def _still_true(line: str, phase: str, step: int) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:  # the last line of a killed run may be half a line
        return False
    return entry["phase"] != phase or entry["step"] <= step
