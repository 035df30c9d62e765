"""What a run tells while it trains: TensorBoard, history.jsonl, a progress bar, and stops that name their reason."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.atomic_files import write_text
from iacyclegan_tf.errors import UserError


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


def scalars(values: dict, prefix: str = ""):
    """The measured numbers of ``metrics.json``, named by their place in it."""
    for key, value in values.items():
        if isinstance(value, dict) and key not in ("protocol", "trivial_baselines"):
            yield from scalars(value, f"{prefix}{key}/")
        elif isinstance(value, float):
            yield prefix + key, value


def _still_true(line: str, phase: str, step: int) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:  # the last line of a killed run may be half a line
        return False
    return entry["phase"] != phase or entry["step"] <= step


class NonFinite(Exception):
    """Step ``step`` was not taken since a loss or a gradient was not finite; ``returns``: how often that happened before."""

    def __init__(self, sentence: str, step: int, returns: int):
        super().__init__(sentence)
        self.step, self.returns = step, returns


class StopOnNonFinite(PhaseCallback):
    """Raises ``NonFinite`` when any logged number is not finite, before that state could be saved."""

    def __init__(self, returns: int = 0):
        super().__init__()
        self.returns, self.taken = returns, 0

    def on_train_batch_end(self, batch, logs=None):
        self.taken += 1
        bad = {name: float(value) for name, value in (logs or {}).items() if not math.isfinite(float(value))}
        if bad:
            step = self.first_step + self.taken
            named = ", ".join(f"{name} became {value}" for name, value in list(bad.items())[:4])
            more = f" and {len(bad) - 4} more" if len(bad) > 4 else ""
            raise NonFinite(f"{self.phase_name}, step {step}: {named}{more}.", step, self.returns)


class DiscriminatorAtZero(PhaseCallback):
    """Warns, once a phase and discriminator, when its mean loss over ``every`` steps is below ``LIMIT``.

    It then tells real from generated without fail, and its answer has no slope left from which a generator could learn.
    Least squares: 0.25 where it cannot tell, 0.005 where it is 0.07 off the right answer on average.
    """

    LIMIT = 0.005

    def __init__(self, say: Callable[[str], None], every: int = 50):
        super().__init__()
        self.say, self.every, self.steps, self.warned = say, every, 0, set()
        self.sums = dict.fromkeys(("photo", "sketch"), 0.0)

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        for name in self.sums:
            self.sums[name] += float(logs[f"loss/{name}_discriminator"])
        if self.steps % self.every:
            return
        for name, total in self.sums.items():
            mean = total / self.every
            if mean < self.LIMIT and name not in self.warned:
                self.warned.add(name)
                self.say(f"Warning: {self.phase_name}, step {self.first_step + self.steps}: the {name} discriminator's loss is "
                         f"{mean:.2g} on average over {self.every} steps, below {self.LIMIT:g}: the generators learn nothing "
                         "from it. Try fewer discriminator.filters or a larger discriminator.pool_size.")
            self.sums[name] = 0.0


class PerceptionLimit(PhaseCallback):
    """Stops at the first step when the weighted identity term would drown all other generator losses."""

    def __init__(self, limit: float):
        super().__init__()
        self.limit, self.seen = limit, False

    def on_train_batch_end(self, batch, logs=None):
        if self.seen or self.first_step > 0:
            return
        self.seen = True
        perception = float(logs["weighted/identity_perception"])
        others = sum(float(logs[f"weighted/{name}"]) for name in ("adversarial", "cycle", "identity_mapping"))
        if perception > self.limit * others:
            raise UserError(
                f"The first weighted identity perception loss is {perception:.4g}, more than {self.limit:g} times "
                f"all other generator losses together ({others:.4g}). The printed weight 3e7 means nothing without its "
                "layer, normalisation and scale: set loss.perception_weight=auto, or raise loss.perception_limit.")


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
                rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeElapsedColumn(),
                rich.TextColumn("left"), rich.TimeRemainingColumn(), rich.TextColumn("{task.fields[values]}"),
                console=self.console, transient=True)
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
            self.console.print(f"{self.phase_name}: step {self.done}/{self.total_steps}, {timing}  {self._values(logs)}",
                               highlight=False)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _values(self, logs) -> str:
        return "  ".join(f"{name.rpartition('/')[2]} {float(logs[name]):.3f}" for name in self.watched if name in (logs or {}))


def clock(seconds: float) -> str:
    minutes, seconds = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
