"""Exact search in a gallery of made-up embeddings: the matrix product that is used, and faiss-cpu's flat index.

Run from the repository root: python -m benchmarks.gallery FOLDER [--photos 100000]

Two galleries are written to FOLDER (1 GB and 4 GB of disk for 100,000 photos): embeddings of 1,024 numbers (pool4, the
quickstart) and 4,096 (fc7, VGG-Face), both ways each. They are removed, unless --keep leaves them for the next call.
``first`` is the first search after opening, with what the system's page cache holds. faiss is measured where it is
installed (pip install faiss-cpu==1.15.1).
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from os import sched_getaffinity
from pathlib import Path

import numpy as np

from iacyclegan_tf.metrics import fuse
from iacyclegan_tf.search.names import Entry
from iacyclegan_tf.search.ranking import best, cosines
from iacyclegan_tf.search.store import GalleryStore

LENGTHS = {"pool4, quickstart": 1024, "fc7, VGG-Face": 4096}
SIDES = ("photo", "sketch")
BLOCK = 5000
REPEATS = 15
TOP = 20


def made_up(seed: int, count: int, length: int) -> np.ndarray:
    """Rectified noise of length 1, as activations after a ReLU are."""
    vectors = np.maximum(np.random.default_rng(seed).standard_normal((count, length), np.float32), 0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(folder: Path, photos: int, length: int) -> GalleryStore:
    store = GalleryStore(folder, dict.fromkeys(SIDES, length))
    for start in range(0, photos, BLOCK):
        count = min(BLOCK, photos - start)
        store.add(
            [Entry(f"{start + i:08d}.png", "0" * 64) for i in range(count)],
            {way: made_up(2 * start + side, count, length) for side, way in enumerate(SIDES)},
        )
    return store


def milliseconds(call: Callable) -> str:
    """Median and, in brackets, the best: other programs share the memory's bandwidth, which is the limit."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - start))
    return f"{statistics.median(taken):.1f} ({min(taken):.1f})"


def by_product(store: GalleryStore, probes: dict[str, np.ndarray]) -> np.ndarray:
    """What a search does once the probe is embedded: one way, or both ways fused."""
    snapshot = store.snapshot()
    scores = list(cosines(snapshot, probes).values())
    ranked = scores[0] if len(scores) == 1 else fuse([one[None] for one in scores])[0]
    return best(ranked, snapshot.names, TOP)


def by_faiss(store: GalleryStore, probe: np.ndarray) -> str:
    try:
        import faiss
    except ImportError:
        return "not installed"
    faiss.omp_set_num_threads(len(sched_getaffinity(0)))
    index = faiss.IndexFlatIP(len(probe))
    vectors = store.snapshot().vectors["photo"]
    for start in range(0, len(vectors), BLOCK):
        index.add(vectors[start : start + BLOCK])
    assert set(index.search(probe[None], TOP)[1][0]) == set(by_product(store, {"photo": probe}))
    return milliseconds(lambda: index.search(probe[None], TOP))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    print(
        f"{options.photos} photos, {len(sched_getaffinity(0))} cores, top {TOP}, milliseconds, median and best of "
        f"{REPEATS}"
    )
    print(f"{'embedding':<18} {'open':>8} {'first':>8} {'one way':>14} {'fused':>14} {'faiss, one way':>15}")
    for name, length in LENGTHS.items():
        folder = options.folder / f"gallery-{length}"
        if not folder.exists():
            fill(folder, options.photos, length).close()
        probes = {way: made_up(99 + side, 1, length)[0] for side, way in enumerate(SIDES)}
        start = time.perf_counter()
        store = GalleryStore(folder)
        store.snapshot()
        opened = time.perf_counter()
        by_product(store, probes)
        first = time.perf_counter()
        one, both = (milliseconds(partial(by_product, store, some)) for some in ({"photo": probes["photo"]}, probes))
        print(
            f"{name:<18} {1000 * (opened - start):>8.0f} {1000 * (first - opened):>8.0f} {one:>14} {both:>14} "
            f"{by_faiss(store, probes['photo']):>15}",
            flush=True,
        )
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
