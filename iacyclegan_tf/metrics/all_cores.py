"""One measure over many pairs of images, on all cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import numpy as np


def on_all_cores(measure: Callable[[np.ndarray, np.ndarray], float], first: np.ndarray,
                 second: np.ndarray) -> np.ndarray:
    """measure(a, b) of each pair, float64 [N]. Threads do: NumPy and SciPy release the interpreter lock."""
    with ThreadPoolExecutor(min(len(first), cpu_count() or 1)) as threads:
        return np.array(list(threads.map(measure, first, second)), np.float64)
