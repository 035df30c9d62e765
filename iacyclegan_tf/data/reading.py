"""Many image files at once: those that can be read, and one line for each that cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from iacyclegan_tf.data.images import read_image
from iacyclegan_tf.errors import UserError


def read_images(paths: Sequence[Path], progress: Callable,
                then: Callable[[np.ndarray], np.ndarray] = lambda image: image) -> tuple[dict[Path, np.ndarray], list[str]]:
    """uint8 RGB images by path, and why the others are missing.

    Args:
        progress: wraps an iterable, given the words for it and its length, e.g. to show a bar.
        then: what is kept of an image, e.g. ``Fit.apply``, so that big files do not fill the memory.
    """
    def read(path: Path):
        try:
            return path, then(read_image(path)), None
        except UserError as error:
            return path, None, str(error)

    with ThreadPoolExecutor() as pool:
        results = list(progress(pool.map(read, paths), "reading images", len(paths)))
    return ({path: image for path, image, _ in results if image is not None},
            [error for _, _, error in results if error is not None])
