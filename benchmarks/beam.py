"""How much of the bare model's speed a Beam pipeline keeps: 2,000 images, 5 of them broken, two worker processes.

Run from the repository root, with Apache Beam installed: python -m benchmarks.beam [IMAGES] [FOLDER]
FOLDER (default: a temporary one) keeps images and model for the next run, not the results.

The bare model is called in this process on one core, on batches of 8 that lie in memory. The pipeline reads PNG files,
decodes, calls the model, encodes and writes PNG files, in two processes of one core each. Its time is taken from the
first result to the last, without the start of the processes, and also as a whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

IMAGES, BROKEN, WORKERS, BATCH = 2_000, 5, 2, 8
SIDE, FILTERS, BLOCKS = 64, 32, 6


def images(folder: Path, count: int) -> None:
    """``count`` PNG files of noise on ramps, some of which are cut, empty, no image, or announce too much."""
    from iacyclegan_tf.data.images.files import write_png

    random = np.random.default_rng(0)
    ramp = np.linspace(0, 200, SIDE)[:, None, None] + np.zeros([SIDE, SIDE, 3])
    for number in range(count - BROKEN):
        image = np.roll(ramp, number, number % 2) + random.integers(0, 55, [SIDE, SIDE, 1])
        path = folder / f"{number // 500:02d}" / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, image.astype(np.uint8))
    whole = (folder / "00" / "00000.png").read_bytes()
    huge = whole[:16] + (60_000).to_bytes(4, "big") * 2 + whole[24:]
    for name, data in zip(
        ("cut", "empty", "text", "huge", "jpeg"),
        (whole[:500], b"", b"not an image", huge, b"\xff\xd8\xff\xe0" + b"x" * 99),
    ):
        (folder / f"broken_{name}.png").write_bytes(data)


def model(folder: Path) -> None:
    """An untrained generator, exported as a run exports it."""
    import tensorflow as tf

    from iacyclegan_tf.data.resizing import Fit
    from iacyclegan_tf.models.generator import Generator
    from iacyclegan_tf.serving.served_modules import Translator, save

    generator = Generator(FILTERS, BLOCKS, "resize", seed=1)
    generator(tf.zeros([1, SIDE, SIDE, 3]))
    save(Translator(generator, Fit("squeeze", SIDE, SIDE)), folder)


def bare(folder: Path, seconds: float = 5.0) -> None:
    """Prints images a second of the model alone, on one core with one thread."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from iacyclegan_tf.serving.calling import Served

    served, batch = Served(folder), np.random.default_rng(0).uniform(0, 255, [BATCH, SIDE, SIDE, 3]).astype(np.float32)
    for _ in range(2):
        served.tensor(batch)
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        served.tensor(batch)["images"].numpy()
        times.append(time.perf_counter() - before)
    print(BATCH / np.median(times))


def in_process(call: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", f"from benchmarks.beam import *; {call}"], check=True, capture_output=True, text=True
    ).stdout


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary)
        places = [folder / name for name in ("images", "model", "out")]
        for place, make in zip(
            places, (f"images(Path({str(places[0])!r}), {count})", f"model(Path({str(places[1])!r}))")
        ):
            if not place.exists():
                in_process(make)
        shutil.rmtree(places[2], ignore_errors=True)
        before = float(in_process(f"bare(Path({str(places[1])!r}))"))
        command = [sys.executable, "-m", "iacyclegan_tf.beam", "translate", "--to", "sketch", "--model", str(places[1])]
        command += ["--images", str(places[0]), "--out", str(places[2])]
        command += ["--workers", str(WORKERS), "--batch", str(BATCH)]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        whole = time.perf_counter() - start
        after = float(in_process(f"bare(Path({str(places[1])!r}))"))
        written = sorted(path.stat().st_mtime for path in places[2].rglob("*.sketch.png"))
        failures = (places[2] / "failures.jsonl").read_text().splitlines()
        assert done.returncode == 2 and len(failures) == BROKEN and len(written) == count - BROKEN, (
            done.stdout + done.stderr
        )
        steady = (len(written) - WORKERS * BATCH) / (written[-1] - written[WORKERS * BATCH - 1]) / WORKERS
        print(
            f"{len(written)} results, {len(failures)} failures, {SIDE} px, {FILTERS} filters, {BLOCKS} blocks, "
            f"batch {BATCH}"
        )
        print(f"bare model, one core: {before:.1f} images/s before, {after:.1f} after")
        mean, overall = (before + after) / 2, len(written) / whole / WORKERS
        print(
            f"pipeline, a core of {WORKERS}: {steady:.1f} images/s from first to last result = {steady / mean:.0%}; "
            f"with start and end of the processes {overall:.1f} = {overall / mean:.0%} ({whole:.0f} s)"
        )


if __name__ == "__main__":
    main()
