"""Time and memory of one training step: ours, and an equal step in PyTorch, in alternating runs.

Run from the repository root: python -m benchmarks.train_step [--settings full,plain] [--steps 4] [--rounds 4]
Each contender is a process of its own (``step_process.py``), all alive at once and stepping in turn, since shared
machines change from minute to minute. ``cyclegan`` is ours without recognizers, where a setting has them. PyTorch takes
part where it can be imported, or with --torch PYTHON, an interpreter that has it. --beside PYTHON: ours on another set
of packages too, with the largest difference of the losses of the first step from equal weights (docs/stacks.md).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FRAMEWORKS = ("ours", "cyclegan", "torch", "torch_channels_last")


class Setting(NamedTuple):
    """Networks and images of one step; ``recognizer`` is (width, input size, layers, normalization) or None."""

    what: str
    filters: int
    blocks: int
    height: int
    width: int
    recognizer: tuple[float, int, tuple[str, ...], str] | None
    layers: int = 3
    upsampling: str = "transpose"


_FULL = "the whole method: 64 filters, 9 blocks, VGG-16 features (pool5) at the images' size"
_PLAIN = "CycleGAN: 32 filters, 6 blocks, no perception loss"
SETTINGS = {
    "full": Setting(_FULL, 64, 9, 128, 128, (1.0, 128, ("pool5",), "none")),
    "plain": Setting(_PLAIN, 32, 6, 128, 128, None),
    "student": Setting(
        "configs/cufs_student_128.yaml", 32, 6, 128, 128, (0.25, 96, ("pool2",), "batch"), upsampling="resize"
    ),
    "quickstart": Setting(
        "configs/quickstart.yaml", 16, 4, 80, 64, (0.125, 64, ("pool1", "pool2", "pool3"), "batch"), 2, "resize"
    ),
}


class Process:
    """A contender, warm and waiting: one of ``FRAMEWORKS`` with a precision."""

    def __init__(self, python: str, setting: str, framework: str, precision: str):
        self.framework, self.precision, self.times, self.processors, self.peak = framework, precision, [], [], 0.0
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.step_process", setting, framework, precision],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.known = self._answer()

    def run(self, steps: int) -> None:
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        told = self._answer()
        self.times += told["milliseconds"]
        self.processors += told["processors"]
        self.peak = told["peak_gb"]

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict:
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.framework} ended with exit code {self.process.wait()}; its error is above.")
        return json.loads(answer)


def started(name: str, options: argparse.Namespace, torch: str | None) -> list[Process]:
    """Every contender that is wanted, warm."""
    found = []
    for precision in options.precisions:
        for framework in FRAMEWORKS:
            in_torch = framework.startswith("torch")
            possible = (torch and precision != "float16") if in_torch else True
            possible = possible and (framework != "cyclegan" or SETTINGS[name].recognizer)
            if possible and (not options.only or f"{framework}:{precision}" in options.only):
                found.append(Process(torch if in_torch else sys.executable, name, framework, precision))
                if options.beside and framework == "ours":
                    found.append(Process(options.beside, name, framework, precision))
    return found


def compare(name: str, options: argparse.Namespace, torch: str | None) -> None:
    processes, setting = started(name, options, torch), SETTINGS[name]
    for _ in range(options.rounds):
        for process in processes:
            process.run(options.steps)
    print(f"\n**{name}, {setting.height}×{setting.width}** ({setting.what}; {setting.upsampling})\n")
    print("| | step, ms (least) | CPU, ms | pairs/s | peak memory, GB |\n" + "|---" * 5 + "|")
    for process in processes:
        time = statistics.median(process.times)
        who = f"{process.framework} {process.precision} {process.known.get('tensorflow', '')}".rstrip()
        print(
            f"| {who} | {time:.0f} ({min(process.times):.0f}) | {min(process.processors):.0f} | {1000 / time:.2f} "
            f"| {process.peak:.2f} |"
        )
        process.end()
    for precision in options.precisions if options.beside else ():
        ours = [one.known["losses"] for one in processes if (one.framework, one.precision) == ("ours", precision)]
        if ours:
            print_losses(ours)
    sys.stdout.flush()


def print_losses(found: list[dict[str, float]]) -> None:
    apart = {name: max(one[name] for one in found) - min(one[name] for one in found) for name in found[0]}
    name = max(apart, key=lambda name: apart[name] / max(1.0, abs(found[0][name])))
    print(f"\nlosses of the first step: at most {apart[name]:.1e} apart ({name}, {found[0][name]:.4f})\n")


def words(text: str) -> list[str]:
    return text.split(",")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--settings", type=words, default=list(SETTINGS), help=", ".join(SETTINGS))
    parser.add_argument("--precisions", type=words, default=["float32", "bfloat16"])
    parser.add_argument("--only", type=words, default=[], metavar="WHO:PRECISION,...", help="fewer contenders")
    parser.add_argument("--steps", type=int, default=4, help="of a contender at a time")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each contender")
    parser.add_argument("--torch", help="an interpreter that can import torch; default: this one, where it can")
    parser.add_argument("--beside", metavar="PYTHON", help="an interpreter with another set of packages")
    options = parser.parse_args()
    known = {f"{framework}:{precision}" for precision in options.precisions for framework in FRAMEWORKS}
    unknown = sorted((set(options.settings) - set(SETTINGS)) | (set(options.only) - known))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; choose of {', '.join([*SETTINGS, *sorted(known)])}")
    torch = options.torch or (sys.executable if find_spec("torch") else None)
    print(
        f"{os.cpu_count()} cores, {options.rounds} turns of {options.steps} steps each, median (least)"
        + ("" if torch else "; PyTorch is not installed, so its step is left out")
    )
    for name in options.settings:
        compare(name, options, torch)


if __name__ == "__main__":
    main()
