"""Kills trainings at random moments and runs the same command again; the end must be that of an unbroken run.

    python kill_training.py FOLDER KILLS [--seed N] [--unbroken FOLDER] [setting=value ...]

A child runs the real command on ``tiny.RUN`` and counts what Python asks of the file system (audit events: open for
writing, rename, remove, mkdir, rmtree). At a number drawn at random it sends itself SIGKILL: at once, or a random part
of a second later, when TensorFlow is computing or writing. Half of the kills strike within writes, where most faults of
this kind lie, and which a clock alone would hardly ever hit. Each start also has a clock that is wrong by up to a year,
either way, and jumps.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import tiny

HERE = Path(__file__).parent
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.chmod")
PHASES = (
    *(
        f"runs/tiny/checkpoints/{phase}"
        for phase in (
            "recognizer_0/matching",
            "round_1/synthesis",
            "round_1/photo_recognizer",
            "round_1/sketch_recognizer",
        )
    ),
    "runs/tiny/round_1/.metrics",
    "savedmodels/tiny",
)  # a round: training, evaluation, export
HOUR = 3600  # of waiting for a run, on a machine that has other work
YEAR = 365 * 24 * HOUR


def child(number: int, delay: float, folder: str, arguments: list[str], module: str = "iacyclegan_tf.train") -> None:
    """Runs a command in this process, which dies at its ``number``-th write below ``folder``."""
    count, lock = 0, threading.Lock()

    def hook(event: str, details: tuple) -> None:
        nonlocal count
        writes = event in WRITES or (
            event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if not writes or not str(details[0]).startswith(folder):
            return
        with lock:
            count += 1
            if count != number:
                return
        if delay:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    sys.argv = [module, *arguments]
    importlib.import_module(module).main()


def wrong_clock(folder: Path) -> Path:
    library = folder / "wrong_clock.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, HERE / "wrong_clock.c", "-ldl"], check=True
    )
    return library


def clocked(library: Path, chance: random.Random) -> dict[str, str]:
    """An environment in which the time of day is wrong, and jumps, mostly backwards, while the program runs."""
    offset = chance.randint(-YEAR, YEAR)
    return os.environ | {
        "LD_PRELOAD": str(library),
        "CLOCK_OFFSET": str(offset),
        "CLOCK_READS": str(chance.randint(1, 20_000)),
        "CLOCK_LATER": str(offset + chance.choice((-YEAR, -3600, -1, 3600))),
    }


def strike(
    folder: Path | str,
    moment: int,
    delay: float,
    environment: dict,
    arguments: list[str],
    module: str = "iacyclegan_tf.train",
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, __file__, "--child", str(moment), str(delay), str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=HOUR,
        env=environment | {"KILL_MODULE": module},
    )


def whereabouts(folder: Path) -> str:
    """Which phase a killed run was in."""
    run = folder / "runs/tiny"
    states = sorted(
        path.parent.relative_to(run / "checkpoints").as_posix() for path in (run / "checkpoints").rglob("state.index")
    )
    if states:
        return states[-1].rpartition("/")[0]
    done = sorted(path.relative_to(run).as_posix() for path in run.glob("r*_*/*") if not path.name.startswith("."))
    return f"after {done[-1]}" if done else "the start"


def kill_again_and_again(
    base: Path,
    kills: int,
    seed: int,
    unbroken: Path,
    settings: list[str],
    events: int,
    within: tuple[str, ...] = ("",),
    say=lambda line: print(line, flush=True),
) -> dict:
    """``kills`` kills over as many runs as that takes, each compared with ``unbroken`` at its end.

    ``events``: how many writes lie between two kills at most; drawn evenly from 1 on.
    ``within``: what the written paths begin with, one for each kill in turn; all others are not counted.
    """
    from same_run import assert_same_run

    chance, library = random.Random(seed), wrong_clock(base)
    killed, finished, compared, places = 0, 0, 0, []
    folder = base / "run_0"
    while killed < kills:
        moment, delay = chance.randint(1, events), chance.choice((0.0, chance.uniform(0.0, 1.0)))
        place = within[killed % len(within)]
        result = strike(
            f"{folder}/{place}", moment, delay, clocked(library, chance), tiny.command(folder, *settings)[3:]
        )
        if result.returncode == -signal.SIGKILL:
            killed += 1
            places.append(whereabouts(folder))
            where, later = f"below {place} " if place else "", f"and {delay:.2f} s" if delay else ""
            say(f"kill {killed}: write {moment} {where}{later}, in {places[-1]}")
            continue
        assert result.returncode == 0, result.stdout + result.stderr
        finished, compared = finished + 1, compared + assert_same_run(unbroken, folder)
        folder = base / f"run_{finished}"
    if folder.exists():
        result = tiny.train(folder, *settings, timeout=HOUR)
        assert result.returncode == 0, result.stdout + result.stderr
        finished, compared = finished + 1, compared + assert_same_run(unbroken, folder)
    return {
        "kills": killed,
        "runs finished": finished,
        "places": sorted(set(places)),
        "bytes compared": compared,
        "bytes that differ": 0,
        "seed": seed,
    }


def kill_evaluations(
    base: Path, kills: int, seed: int, unbroken: Path, say=lambda line: print(line, flush=True)
) -> dict:
    """The same with ``evaluate``: after the kills the command leaves what an undisturbed one leaves."""
    chance, library, killed = random.Random(seed), wrong_clock(base), 0
    for name in ("killed", "undisturbed"):
        shutil.copytree(unbroken, base / name)

    def arguments(name: str) -> list[str]:
        return [str(base / name / "runs/tiny"), "--savedmodels", str(base / name / "savedmodels")]

    while killed < kills:
        moment, delay = chance.randint(1, 12), chance.choice((0.0, chance.uniform(0.0, 1.0)))
        result = strike(
            base / "killed", moment, delay, clocked(library, chance), arguments("killed"), "iacyclegan_tf.evaluate"
        )
        killed += result.returncode == -signal.SIGKILL
        assert result.returncode in (0, -signal.SIGKILL), result.stdout + result.stderr
        say(f"evaluate: kill {killed}, write {moment}")
    for name in ("killed", "undisturbed"):
        done = subprocess.run(
            [sys.executable, "-m", "iacyclegan_tf.evaluate", *arguments(name)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    compared = 0
    for path in sorted((base / "undisturbed/runs/tiny").glob("round_*/*.*")):
        twin = base / "killed" / path.relative_to(base / "undisturbed")
        if path.suffix == ".npz":  # zip files hold the time
            with np.load(path) as one, np.load(twin) as two:
                assert one.files == two.files and all(np.array_equal(one[key], two[key]) for key in one.files), path
        else:
            assert path.read_bytes() == twin.read_bytes(), path
        compared += path.stat().st_size
    return {"kills of evaluate": killed, "bytes compared": compared, "bytes that differ": 0, "seed": seed}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--unbroken", type=Path)
    parser.add_argument(
        "--events", type=int, default=110, help="writes from one kill to the next at most; a run has about 575"
    )
    parser.add_argument("--evaluate", action="store_true", help="kill evaluate instead of train")
    parser.add_argument("settings", nargs="*")
    options = parser.parse_intermixed_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    unbroken = options.unbroken or options.folder / "unbroken"
    if not unbroken.exists():
        result = tiny.train(unbroken, *options.settings, timeout=HOUR)
        assert result.returncode == 0, result.stdout + result.stderr
    if options.evaluate:
        print(json.dumps(kill_evaluations(options.folder, options.kills, options.seed, unbroken)))
        return
    print(
        json.dumps(
            kill_again_and_again(
                options.folder, options.kills, options.seed, unbroken, options.settings, options.events
            )
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(
            int(sys.argv[2]),
            float(sys.argv[3]),
            sys.argv[4],
            sys.argv[5:],
            os.environ.get("KILL_MODULE", "iacyclegan_tf.train"),
        )
    else:
        main()
