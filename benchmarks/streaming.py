"""Speed and memory of training data read from image files: 20,000 pairs of 64 px, shown at 128 px, on two cores.

Run from the repository root: python -m benchmarks.streaming [FOLDER] [PAIRS]
FOLDER (default: a temporary one) keeps the made-up set for the next run.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from os import sched_getaffinity, sched_setaffinity
from pathlib import Path

import numpy as np

PAIRS, SIDE, NETWORK = 20_000, 64, 128
DRAWN = 200  # different faces; the others are these with other light and noise, since drawing one costs 15 ms
TEST = 20
BATCH, WINDOWS = 8, 10


def make(folder: Path, count: int) -> None:
    """``folder`` as a prepared set: PNG files and a manifest."""
    from iacyclegan_tf.data.drawn.faces import draw_pair
    from iacyclegan_tf.data.images.files import write_png
    from iacyclegan_tf.data.pairs.manifest import manifest_text

    random, rows = np.random.default_rng(0), []
    drawn = [draw_pair(person, 0, seed=1, height=SIDE, width=SIDE) for person in range(DRAWN)]
    for number in range(count + TEST):
        row = {
            "identity": f"p{number // 2:06d}" if number < count else f"t{number:06d}",
            "split": "train" if number < count else "test",
        }
        for side, image in zip(("photo", "sketch"), drawn[number % DRAWN]):
            row[side] = f"{side}/{number // 1000:03d}/{number:06d}.png"
            light = image * random.uniform(0.8, 1.0) + random.normal(0, 3, image.shape)
            (folder / row[side]).parent.mkdir(parents=True, exist_ok=True)
            write_png(folder / row[side], np.clip(light, 0, 255).astype(np.uint8))
        rows.append(row)
    (folder / "manifest.csv").write_text(manifest_text(rows))


def resident() -> float:
    """Megabytes of this process that are in memory now."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024


def stream(folder: Path, enlarge: float) -> None:
    """One epoch, and a row for each tenth of it."""
    from iacyclegan_tf.config.settings import DataConfig
    from iacyclegan_tf.data.load_faces import load_faces
    from iacyclegan_tf.data.streams.augmentation import Augmentation
    from iacyclegan_tf.data.streams.batches import paired_stream

    settings = DataConfig(
        source="pairs", in_memory=False, root=str(folder), height=NETWORK, width=NETWORK, validation_share=0.002
    )
    start = time.perf_counter()
    fitting = load_faces(settings, 0).fitting
    print(f"checked before training: {len(fitting) / (time.perf_counter() - start):.0f} pairs/s", flush=True)
    batches = iter(
        paired_stream(
            fitting.photos, fitting.sketches, batch=BATCH, seed=0, augmentation=Augmentation(enlarge, flip=True)
        )
    )
    print(
        f"\n{len(fitting)} pairs, {SIDE} -> {NETWORK} px, flips, crops of {enlarge} x, batch {BATCH}\n"
        f"{'pairs':>8} {'pairs/s':>8} {'CPU ms/pair':>12} {'resident MB':>12}",
        flush=True,
    )
    for _ in itertools.islice(batches, 20):  # tracing, first files
        pass
    steps = len(fitting) // BATCH // WINDOWS
    for window in range(1, WINDOWS + 1):
        start, processor = time.perf_counter(), time.process_time()
        for _ in itertools.islice(batches, steps):
            pass
        wall, processor = time.perf_counter() - start, time.process_time() - processor
        print(
            f"{window * steps * BATCH:>8} {steps * BATCH / wall:>8.0f} {1000 * processor / steps / BATCH:>12.2f} "
            f"{resident():>12.0f}",
            flush=True,
        )


def main() -> None:
    kept, count = Path(sys.argv[1]) if len(sys.argv) > 1 else None, int(sys.argv[2]) if len(sys.argv) > 2 else PAIRS
    with tempfile.TemporaryDirectory() as temporary:
        folder = kept or Path(temporary)
        if not (folder / "manifest.csv").is_file():
            # by a process of its own, so that its memory is not counted
            subprocess.run(
                [sys.executable, "-c", f"from benchmarks.streaming import *; make(Path({str(folder)!r}), {count})"],
                check=True,
            )
        sched_setaffinity(0, sorted(sched_getaffinity(0))[:2])
        from iacyclegan_tf.training.start import set_threads

        set_threads(1)
        stream(folder, 1.0)
        stream(folder, 1.117)


if __name__ == "__main__":
    main()
