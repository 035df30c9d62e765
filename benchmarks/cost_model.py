"""Prediction against truth: what ``--dry-run`` says of a run's time and memory, and what the run then needs.

Run from the repository root on a quiet machine: python -m benchmarks.cost_model [setting=value ...]
Without settings: the quickstart's networks at two sizes, one round each. Time is that of an epoch of synthesis, taken
from the end of the first log window to that of the last (so without tracing, with checkpoints and pictures); memory is
the largest resident size of the whole run's process, evaluation and export included.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = (
    "rounds.count=1 data.drawn.train_people=80",
    "rounds.count=1 data.height=128 data.width=128 generator.filters=32 generator.blocks=6 discriminator.filters=32 "
    "data.drawn.train_people=40 data.drawn.test_people=16 data.drawn.renderings=1 recognizer.pretrain.epochs=4 "
    "train.intra_op_threads=0",
)


def seconds_a_step(folder: Path) -> float:
    """From the wall-clock times of the log windows."""
    import tensorflow as tf

    ends = {
        event.step: event.wall_time
        for file in sorted(folder.glob("events*"))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "loss/generators"
    }
    return (ends[max(ends)] - ends[min(ends)]) / (max(ends) - min(ends))


def run(*arguments: str) -> tuple[str, float]:
    """What the command prints, and the largest resident GB of its own process."""
    with tempfile.TemporaryFile("w+") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "iacyclegan_tf.train", *arguments], stdout=file, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        file.seek(0)
        output = file.read()
    assert os.waitstatus_to_exitcode(status) == 0, output[-3000:]
    return output, usage.ru_maxrss / 1024**2


def compare(settings: list[str]) -> None:
    foreseen, _ = run("--dry-run", *settings)
    found = re.search(r"Predicted: [\d:]+ for an epoch of synthesis.*peak memory ([\d.]+) GB", foreseen)
    steps = re.search(r"rounds of (\d+) epochs = (\d+) steps", foreseen)
    epochs, total = int(steps[1]), int(steps[2])
    milliseconds = float(re.search(r"synthesis\D+[\d,]+\D+([\d.]+)", foreseen[foreseen.index("Predicted for") :])[1])
    with tempfile.TemporaryDirectory() as folder:
        _, memory = run(*settings, "name=measured", f"runs_dir={folder}/runs", f"savedmodels_dir={folder}/savedmodels")
        true = seconds_a_step(Path(folder) / "runs/measured/tensorboard/round_1/synthesis") * total / epochs
    said = milliseconds / 1000 * total / epochs
    print(
        f"{' '.join(settings)}\n  epoch: {said:.1f} s predicted, {true:.1f} s true ({said / true - 1:+.0%}); "
        f"peak memory: {found[1]} GB predicted, {memory:.2f} GB true ({float(found[1]) / memory - 1:+.0%})",
        flush=True,
    )


def main() -> None:
    for settings in [sys.argv[1:]] if len(sys.argv) > 1 else [some.split() for some in SETTINGS]:
        compare(settings)


if __name__ == "__main__":
    main()
