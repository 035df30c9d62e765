"""Augmented pairs a second from images in memory, and which share of the quickstart's training step waits for them.

Run from the repository root: python -m benchmarks.input_pipeline   (image files: python -m benchmarks.streaming)
"""

from __future__ import annotations

import itertools
import statistics
import time

import numpy as np

from benchmarks.step_settings import SETTINGS, Contender

SIDES, BATCHES = (64, 128, 256), (1, 4)
PAIRS, STEPS, TURNS = 64, 100, 3


def stream(height: int, width: int, batch: int):
    """Endless batches as training takes them: crops of 1.117 times the size, flips."""
    from iacyclegan_tf.data.streams.augmentation import Augmentation
    from iacyclegan_tf.data.streams.batches import paired_stream

    photos, sketches = np.random.default_rng(0).integers(0, 256, (2, PAIRS, height, width, 3), np.uint8)
    return iter(paired_stream(photos, sketches, batch=batch, seed=0, augmentation=Augmentation(1.117, flip=True)))


def rate(side: int, batch: int) -> tuple[float, float]:
    """Pairs a second, and milliseconds of processor time a pair; median of TURNS."""
    batches, rates, processor = stream(side, side, batch), [], []
    for _ in itertools.islice(batches, 10):  # tracing
        pass
    for _ in range(TURNS):
        start, used = time.perf_counter(), time.process_time()
        for _ in itertools.islice(batches, STEPS // batch):
            pass
        rates.append(STEPS // batch * batch / (time.perf_counter() - start))
        processor.append(1000 * (time.process_time() - used) / (STEPS // batch * batch))
    return statistics.median(rates), statistics.median(processor)


def waiting() -> tuple[float, float]:
    """Milliseconds of a step of the quickstart, and of these how long it waits for its batch; median of steps."""
    import tensorflow as tf

    from benchmarks.our_step import build

    setting = SETTINGS["quickstart"]
    gan, _ = build(setting, Contender("ours", "float32", 1))
    step = tf.function(lambda photos, sketches: gan.train_step((photos, sketches)), autograph=False)
    batches, waits, steps = stream(setting.height, setting.width, 1), [], []
    for number in range(60):
        start = time.perf_counter()
        batch = next(batches)
        got = time.perf_counter()
        step(*batch)["loss/generators"].numpy()
        if number >= 10:
            waits.append(1000 * (got - start))
            steps.append(1000 * (time.perf_counter() - start))
    return statistics.median(steps), statistics.median(waits)


def main() -> None:
    from iacyclegan_tf.training.start import set_threads

    set_threads(1)
    print("| side | batch | pairs/s | CPU ms/pair |\n|---|---|---|---|")
    for side in SIDES:
        for batch in BATCHES:
            pairs, processor = rate(side, batch)
            print(f"| {side} | {batch} | {pairs:.0f} | {processor:.2f} |", flush=True)
    step, wait = waiting()
    print(f"\nA step of the quickstart: {step:.1f} ms, of which {wait:.2f} ms ({wait / step:.1%}) wait for the batch")


if __name__ == "__main__":
    main()
