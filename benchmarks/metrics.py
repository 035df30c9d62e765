"""Speed of the image measures at 200x250 on made-up images: pairs a second, processor time a pair.

Run from the repository root: python -m benchmarks.metrics
"""

import time
from collections.abc import Callable
from os import cpu_count

import numpy as np

from iacyclegan_tf.metrics import fsim, fsimc, sharpness, ssim

PAIRS = 48
REPEATS = 3


def made_up_images(seed: int, *tail: int) -> np.ndarray:
    """Random blobs, uint8 [PAIRS, 250, 200, *tail]: smooth areas and edges, as faces have."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(PAIRS, 250, 200, *tail))
    blobs = gaussian_filter(noise, (0, 6, 6) + (0,) * len(tail))
    return np.clip(128 + 60 * np.sign(blobs) + 4 * noise, 0, 255).astype(np.uint8)


def timed(measure: Callable, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Pairs a second and processor seconds a pair, the best of REPEATS after one call to fill caches."""
    measure(first[:2], second[:2])
    wall, processor = [], []
    for _ in range(REPEATS):
        start, start_processor = time.perf_counter(), time.process_time()
        measure(first, second)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return len(first) / min(wall), min(processor) / len(first)


def main() -> None:
    gray, color = [made_up_images(seed) for seed in (0, 1)], [made_up_images(seed, 3) for seed in (0, 1)]
    print(f"{PAIRS} pairs at 200x250, {cpu_count()} cores, best of {REPEATS}")
    print(f"{'measure':<10} {'pairs/s':>8} {'CPU ms/pair':>12}")
    for measure, images in ((ssim, gray), (fsim, gray), (fsimc, color), (sharpness, gray)):
        rate, processor = timed(measure, *images)
        print(f"{measure.__name__:<10} {rate:>8.0f} {1000 * processor:>12.1f}")


if __name__ == "__main__":
    main()
