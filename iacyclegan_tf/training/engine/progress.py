"""What a phase shows while it trains: a bar with time left, and the peak memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

from iacyclegan_tf.training.engine.history import PhaseCallback


class PeakMemory(PhaseCallback):
    """Says after step 2, when every buffer has been used once, how much memory the process needed at most."""

    def __init__(self, say: Callable[[str], None]):
        super().__init__()
        self.say, self.seen = say, 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen == 2:
            self.say(f"{self.phase_name}: peak memory after step 2: {peak_memory_gb():.2f} GB")


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


class Progress(PhaseCallback):
    """A bar with time left on a terminal; elsewhere a line now and then, so that logs stay short."""

    LINE_SECONDS = 15.0

    def __init__(self, console, watched: tuple[str, ...] = ()):
        super().__init__()
        self.console, self.watched = console, watched
        self.done, self.bar, self.task = None, None, None

    def enter(self, phase_name: str, first_step: int, total_steps: int) -> None:
        super().enter(phase_name, first_step, total_steps)
        self.close()
        self.done = None

    def on_train_begin(self, logs=None):
        if self.done is None:
            self.done = self.first_step
            self.started, self.spoken = time.perf_counter(), time.perf_counter()
        if self.console.is_terminal and self.bar is None:
            from rich import progress as rich

            self.bar = rich.Progress(
                rich.TextColumn("{task.description}"),
                rich.BarColumn(),
                rich.MofNCompleteColumn(),
                rich.TimeElapsedColumn(),
                rich.TextColumn("left"),
                rich.TimeRemainingColumn(),
                rich.TextColumn("{task.fields[values]}"),
                console=self.console,
                transient=True,
            )
            self.task = self.bar.add_task(self.phase_name, total=self.total_steps, completed=self.done, values="")
            self.bar.start()

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        last = self.done == self.total_steps
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done, values=self._values(logs))
            if last:
                self.close()
        elif last or time.perf_counter() - self.spoken > self.LINE_SECONDS:
            self.spoken = time.perf_counter()
        else:
            return
        if last or self.bar is None:
            spent = time.perf_counter() - self.started
            left = spent / max(1, self.done - self.first_step) * (self.total_steps - self.done)
            timing = f"{clock(spent)} spent" if last else f"{clock(left)} left"
            self.console.print(
                f"{self.phase_name}: step {self.done}/{self.total_steps}, {timing}  {self._values(logs)}",
                highlight=False,
            )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _values(self, logs) -> str:
        return "  ".join(
            f"{name.rpartition('/')[2]} {float(logs[name]):.3f}" for name in self.watched if name in (logs or {})
        )


def clock(seconds: float) -> str:
    minutes, seconds = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
