"""``make soak``: what is too long for ``make test``. A line of figures for each entry; any failure: code 1.

    python soak.py FOLDER [--kills 40] [--inputs 50000] [--seed N]

Two entries run side by side. docs/reliability.md says what each shows and gives the figures of the last run.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tiny

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}", flush=True)
    unbroken = options.folder / "unbroken"
    result = tiny.train(unbroken, timeout=3600)
    assert result.returncode == 0, result.stdout + result.stderr
    half = options.kills // 2
    kill = ["kill_training.py", "--unbroken", unbroken]
    entries = [
        [*kill, options.folder / "kills_1", half, "--seed", options.seed],
        [*kill, options.folder / "kills_2", options.kills - half, "--seed", options.seed + 1],
        [*kill, options.folder / "evaluations", max(options.kills // 5, 1), "--evaluate", "--seed", options.seed],
        ["fill_disk.py", options.folder / "disk", unbroken, 5, 30, 60, 90],
        [
            "fuzz_readers.py",
            options.inputs,
            "--jobs",
            1,
            "--seed",
            options.seed,
            "--keep",
            options.folder / "fuzz_failures",
        ],
        [
            "fuzz_readers.py",
            options.inputs,
            "--jobs",
            1,
            "--seed",
            options.seed,
            "--keep",
            options.folder / "fuzz_failures",
        ],
    ]
    from fuzz_samples import READERS

    for entry, names in zip(entries[-2:], (list(READERS)[::2], list(READERS)[1::2])):  # on two cores
        for name in names:
            entry += ["--reader", name]

    def run(entry: list) -> bool:
        begun = time.monotonic()
        script, *arguments = map(str, entry)
        namespace = ["unshare", "-rm"] if script == "fill_disk.py" else []
        done = subprocess.run([*namespace, sys.executable, HERE / script, *arguments], capture_output=True, text=True)
        print(
            f"== {script} {' '.join(arguments)}: {'FAILED' if done.returncode else 'passed'} in "
            f"{time.monotonic() - begun:.0f} s\n"
            f"{done.stdout}{done.stderr[-4000:] if done.returncode else ''}",
            flush=True,
        )
        return not done.returncode

    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(run, entries))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
