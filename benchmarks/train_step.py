"""Time and memory of one training step: ours, its floor, and an equal step in PyTorch, in alternating runs.

Run from the repository root: python -m benchmarks.train_step [--settings full,plain] [--sizes 64,128] [--batches 1,4]
Each contender is a process of its own, all alive at once and stepping in turn, since shared machines change from minute
to minute. The floor is the step's own convolutions (forward and both backward products at their own shapes and matrix
products) with nothing between them. ``cyclegan`` is ours without recognizers, where a setting has them. PyTorch takes
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
from pathlib import Path

from benchmarks.step_settings import SETTINGS, Contender, Setting, to_json

ROOT = Path(__file__).parents[1]
FRAMEWORKS = ("ours", "cyclegan", "floor", "torch")


class Process:
    """A contender, warm and waiting."""

    def __init__(self, python: str, setting: Setting, contender: Contender):
        self.contender, self.times, self.processors, self.peak = contender, [], [], 0.0
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.step_process"],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.known = self._ask(json.dumps(to_json(setting, contender)))

    def run(self, steps: int) -> float:
        told = self._ask(str(steps))
        self.times += told["milliseconds"]
        self.processors += told["processors"]
        self.peak = told["peak_gb"]
        return statistics.median(told["milliseconds"])

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, line: str) -> dict:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(
                f"{self.contender.label()} ended with exit code {self.process.wait()}; its error is above."
            )
        return json.loads(answer)


def faster_layout(python: str, setting: Setting, precision: str) -> Contender:
    """PyTorch with the faster of its two memory formats."""
    contenders = [Contender("torch", precision, channels_last=last) for last in (False, True)]
    processes = [Process(python, setting, contender) for contender in contenders]
    times = {process.contender: process.run(3) for process in processes}
    for process in processes:
        process.end()
    return min(times, key=times.get)


def started(setting: Setting, options: argparse.Namespace, torch: str | None) -> list[Process]:
    """Every contender that is wanted, warm."""
    wanted = [
        (framework, precision)
        for precision in options.precisions
        for framework in FRAMEWORKS
        if not options.only or f"{framework}:{precision}" in options.only
    ]
    contenders = [
        Contender(framework, precision, options.threads)
        for framework, precision in wanted
        if framework != "torch" and (framework != "cyclegan" or setting.recognizer)
    ]
    if options.recompute:
        contenders += [
            Contender("ours", precision, options.threads, recompute=True)
            for framework, precision in wanted
            if framework == "ours"
        ]
    if torch:
        contenders += [
            faster_layout(torch, setting, precision)
            for framework, precision in wanted
            if framework == "torch" and precision != "float16"
        ]
    processes = [Process(torch if c.framework == "torch" else sys.executable, setting, c) for c in contenders]
    if options.beside:
        processes += [Process(options.beside, setting, c) for c in contenders if c.framework == "ours"]
    return processes


def compare(setting: Setting, options: argparse.Namespace, torch: str | None) -> None:
    processes = started(setting, options, torch)
    for _ in range(options.rounds):
        for process in processes:
            process.run(options.steps)
    print(f"\n**{setting.label()}** ({setting.what}; {setting.upsampling})\n")
    print(
        "| | step, ms (least) | CPU, ms | pairs/s | GFLOP/s | share of the floor | peak memory, GB |\n"
        + "|---" * 7
        + "|"
    )
    for precision in options.precisions:
        mine = [process for process in processes if process.contender.precision == precision]
        ground = next((process for process in mine if process.contender.framework == "floor"), None)
        for process in mine:
            time, least, rate, share = statistics.median(process.times), min(process.times), "", ""
            cpu = min(process.processors)
            if ground:
                rate = f"{1000 * ground.known['gigaflop'] / time:.0f}"
                share = "" if process is ground else f"{statistics.median(ground.times) / time:.0%}"
            who = process.contender.label() + f" ({process.known.get('tensorflow')})" * bool(options.beside)
            print(
                f"| {who} | {time:.0f} ({least:.0f}) | {cpu:.0f} | {1000 * setting.batch / time:.2f} | "
                f"{rate} | {share} | {process.peak:.2f} |"
            )
        if options.beside:
            _print_losses([process.known["losses"] for process in mine if process.contender.framework == "ours"])
        if ground:
            known = ground.known
            print(f"\n{known['gigaflop']:.1f} GFLOP a step by TensorFlow's count, {known['products']} products\n")
    for process in processes:
        process.end()
    sys.stdout.flush()


def _print_losses(found: list[dict[str, float]]) -> None:
    apart = {name: max(one[name] for one in found) - min(one[name] for one in found) for name in found[0]}
    name = max(apart, key=lambda name: apart[name] / max(1.0, abs(found[0][name])))
    print(f"\nlosses of the first step: at most {apart[name]:.1e} apart ({name}, {found[0][name]:.4f})\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--settings", type=_words, default=list(SETTINGS), help=", ".join(SETTINGS))
    parser.add_argument("--sizes", type=_numbers, help="sides of the images; default: each setting's own")
    parser.add_argument("--batches", type=_numbers, default=[1])
    parser.add_argument("--precisions", type=_words, default=["float32", "bfloat16"])
    parser.add_argument("--only", type=_words, default=[], metavar="WHO:PRECISION,...", help="fewer contenders")
    parser.add_argument("--threads", type=int, default=1, help="train.intra_op_threads")
    parser.add_argument("--steps", type=int, default=4, help="of a contender at a time")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each contender")
    parser.add_argument("--recompute", action="store_true", help="also with train.recompute")
    parser.add_argument("--torch", help="an interpreter that can import torch; default: this one, where it can")
    parser.add_argument("--beside", metavar="PYTHON", help="an interpreter with another set of packages")
    options = parser.parse_args()
    known = {f"{framework}:{precision}" for precision in options.precisions for framework in FRAMEWORKS}
    unknown = sorted((set(options.settings) - set(SETTINGS)) | (set(options.only) - known))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; choose of {', '.join([*SETTINGS, *sorted(known)])}")
    torch = options.torch or (sys.executable if _has_torch() else None)
    print(
        f"{os.cpu_count()} cores, {options.rounds} turns of {options.steps} steps each, median (least)"
        + ("" if torch else "; PyTorch is not installed, so its step is left out")
    )
    for name in options.settings:
        for side in options.sizes or [None]:
            for batch in options.batches:
                compare(SETTINGS[name].at(side, batch), options, torch)


def _words(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _has_torch() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None


if __name__ == "__main__":
    main()
