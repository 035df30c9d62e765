"""Damages valid files at random and hands them to every reader: an answer or a ``UserError``, at once and in bounded
memory.

    python fuzz_readers.py COUNT [--seed N] [--jobs J] [--reader NAME ...] [--keep FOLDER]

Hypothesis draws the damage, so that what fails is shrunk to little and printed. A reader runs in a process of its
own: a crash, a hang (10 s of processor time, or 120 s of waiting; a signal ends it, also inside C code) or more than
500 MB of growth is a failure too; the file that caused it stays in FOLDER. ``test_fuzz.py`` does the same with few
inputs, always the same.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz_samples import READERS, Reader
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.peak_memory import peak_memory_gb

HANG_SECONDS, WAIT_SECONDS, MAX_GROWTH_MB, CHUNK = 10, 120, 500, 1000
INTEGERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    2**15 - 1,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)


@st.composite
def damaged(draw, reader: Reader) -> bytes:
    """A valid file with one to four changes. Each is a function of one number: a draw of Hypothesis costs more than
    most readers."""
    data = bytearray(draw(st.sampled_from(reader.samples)))
    for number in draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4)):
        change(data, random.Random(number), reader)
    return bytes(data)


def change(data: bytearray, chance: random.Random, reader: Reader) -> None:
    """Cut, overwritten, a number or word put in its place, a piece left out, doubled, put in, or an end of another
    file."""
    end = len(data) if chance.random() < 0.5 else min(len(data), 200)  # half of the changes in the header
    at = chance.randrange(max(end, 1))
    what = chance.choice(("byte", "cut", "number", "word", "bit", "drop", "double", "insert", "splice"))
    if what == "cut":
        del data[at:]
    elif what == "byte" and data:
        data[at] = chance.randrange(256)
    elif what == "bit" and data:
        data[at] ^= 1 << chance.randrange(8)
    elif what == "number":
        size = chance.choice((1, 2, 4, 8))
        data[at : at + size] = (chance.choice(INTEGERS) % 256**size).to_bytes(size, chance.choice(("little", "big")))
    elif what == "word" and reader.words:
        data[at : at + chance.choice((0, 0, 1, 4))] = chance.choice(reader.words)
    elif what == "drop":
        del data[at : at + chance.randint(1, 64)]
    elif what == "double":
        data[at:at] = data[at : at + chance.randint(1, 64)] * chance.choice((1, 1, 2, 50))
    elif what == "splice":
        other = chance.choice(reader.samples)
        data[at:] = other[chance.randint(0, len(other)) :]
    else:
        data[at:at] = chance.randbytes(chance.randint(0, 16))


def tried(reader: Reader, data: bytes) -> bool:
    """Whether the reader took the file; anything but an answer and a short ``UserError`` raises."""
    try:
        reader.read(data)
        return True
    except UserError as error:
        assert 0 < len(str(error)) < 5000, "a sentence"
        return False


def check_samples(name: str, reader: Reader) -> None:
    """Valid files are taken, else nothing would be learned from damaging them; a server takes three formats only."""
    taken = [tried(reader, sample) for sample in reader.samples]
    assert all(taken) or (name == "served images" and sum(taken) > 7), f"{name}: a valid file was refused: {taken}"


def fuzz(name: str, count: int, first_seed: int, current: Path) -> dict:
    """``count`` inputs for one reader, in this process."""
    with tempfile.TemporaryDirectory(dir=_fast()) as folder:
        reader = READERS[name](Path(folder))
        check_samples(name, reader)
        peak, done, taken, slowest = 1024 * peak_memory_gb(), 0, 0, 0.0

        def one(data):
            nonlocal done, taken, slowest
            current.write_bytes(data)
            faulthandler.dump_traceback_later(WAIT_SECONDS, exit=True)
            signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)  # its signal's default is to end the process
            begun = time.process_time()
            taken += tried(reader, data)
            slowest = max(slowest, time.process_time() - begun)
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()
            done += 1
            if done % 100 == 0:
                growth = 1024 * peak_memory_gb() - peak
                assert growth < MAX_GROWTH_MB, f"memory grew by {growth:.0f} MB"

        while done < count:  # in chunks: Hypothesis remembers all inputs of one test
            settled = settings(
                max_examples=min(CHUNK, count - done),
                deadline=None,
                database=None,
                derandomize=False,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            )
            seed(first_seed + done)(settled(given(damaged(reader))(one)))()
        return {
            "reader": name,
            "inputs": done,
            "taken": taken,
            "slowest s": round(slowest, 3),
            "growth MB": round(1024 * peak_memory_gb() - peak),
            "seed": first_seed,
        }


def _fast() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--reader", action="append", choices=READERS, dest="readers")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_failures"))
    parser.add_argument(
        "--here", type=Path, help=argparse.SUPPRESS
    )  # one reader, in this process; where its input lies
    options = parser.parse_args()
    if options.here:
        faulthandler.enable()
        faulthandler.register(signal.SIGPROF, chain=True)
        print(json.dumps(fuzz(options.readers[0], options.count, options.seed, options.here)))
        return

    def run(name: str) -> bool:
        with tempfile.TemporaryDirectory(dir=_fast()) as folder:
            current, begun = Path(folder) / "input", time.perf_counter()
            command = [
                sys.executable,
                __file__,
                str(options.count),
                "--seed",
                str(options.seed),
                "--reader",
                name,
                "--here",
                str(current),
            ]
            done = subprocess.run(
                command, capture_output=True, text=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
            )
            if done.returncode:
                options.keep.mkdir(parents=True, exist_ok=True)
                kept = options.keep / name.replace(" ", "_")
                kept.write_bytes(current.read_bytes() if current.exists() else b"")
                print(
                    f"{name}: FAILED with exit code {done.returncode}, seed {options.seed}; the last input is {kept}\n"
                    f"{done.stderr[-6000:]}",
                    flush=True,
                )
            else:
                found = json.loads(done.stdout.splitlines()[-1]) | {"seconds": round(time.perf_counter() - begun)}
                print(json.dumps(found), flush=True)
            return done.returncode == 0

    with ThreadPoolExecutor(options.jobs) as pool:
        passed = list(pool.map(run, options.readers or READERS))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
