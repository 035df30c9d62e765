"""What a phase shows while it trains: a bar with time left, and the peak memory."""

from __future__ import annotations

import time

from iacyclegan_tf.common.peak_memory import peak_memory_gb
from iacyclegan_tf.common.terminal import bar, say
from iacyclegan_tf.training.engine.history import PhaseCallback


class Progress(PhaseCallback):
    """A bar with time left on a terminal; elsewhere a line now and then, so that logs stay short.

    After the second step, when every buffer has been used once, it says how much memory the process needed at most.
    """

    LINE_SECONDS = 15.0

    def __init__(self, console, watched: tuple[str, ...] = ()):
        super().__init__()
        self.console, self.watched, self.bar = console, watched, None

    def enter(self, phase_name: str, first_step: int, total_steps: int) -> None:
        super().enter(phase_name, first_step, total_steps)
        self.started = self.spoken = time.perf_counter()

    def on_train_begin(self, logs=None):
        if self.console.is_terminal:
            self.bar = bar(self.console)
            self.task = self.bar.add_task(self.phase_name, total=self.total_steps, completed=self.step, values="")
            self.bar.start()

    def after_step(self, logs):
        values = "  ".join(
            f"{name.rpartition('/')[2]} {float(logs[name]):.3f}" for name in self.watched if name in logs
        )
        now, last = time.perf_counter(), self.step == self.total_steps
        if self.bar is not None:
            self.bar.update(self.task, completed=self.step, values=values)
        if self.step - self.first_step == 2:
            say(self.console, f"{self.phase_name}: peak memory after step 2: {peak_memory_gb():.2f} GB")
        if last:
            self.close()
        if last or (self.bar is None and now - self.spoken > self.LINE_SECONDS):
            self.spoken, spent = now, now - self.started
            left = spent / (self.step - self.first_step) * (self.total_steps - self.step)
            timing = f"{clock(spent)} spent" if last else f"{clock(left)} left"
            say(self.console, f"{self.phase_name}: step {self.step}/{self.total_steps}, {timing}  {values}")

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def clock(seconds: float) -> str:
    """E.g. ``2:05`` or ``1:00:00``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
