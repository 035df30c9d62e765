"""Where a stream takes its images from, one by one by number: memory, or records on a disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

# Fixed, not tf.data's AUTOTUNE: its optimisation thread sleeps in doubling intervals, and closing a stream at the
# end of ``fit`` waits for it, up to ten seconds each time.
FROM_MEMORY = 2  # images augmented side by side
FROM_DISK = min(max(os.cpu_count() or 1, 2), 16)  # images decoded, fitted and augmented side by side


class ImageSource(Protocol):
    """N images of one size. ``parallel``: how many a stream takes side by side."""

    shape: tuple[int, int, int, int]
    parallel: int

    @property
    def numbers(self) -> np.ndarray:
        """int64: the images that may be asked for; of synthesised ones on the disk not all of the N are there."""

    def __len__(self) -> int: ...

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        """In a ``tf.data`` function: image ``index`` (int64), uint8 ``[H, W, 3]``."""


class InMemory:
    """An array uint8 ``[N, H, W, 3]`` as ``ImageSource``."""

    parallel = FROM_MEMORY

    def __init__(self, images: np.ndarray):
        self.shape, self.numbers = images.shape, np.arange(len(images))
        with tf.device("CPU:0"):  # on the host, whatever devices train: the streams run there
            self._images = tf.constant(images)

    def __len__(self) -> int:
        return self.shape[0]

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        return self._images[index]


class Joined:
    """Several sources one after the other as one."""

    def __init__(self, sources: Sequence[ImageSource]):
        self.sources, self.parallel = sources, max(source.parallel for source in sources)
        self.ends = np.cumsum([len(source) for source in sources])
        self.shape = (int(self.ends[-1]), *sources[0].shape[1:])
        self.numbers = np.concatenate([source.numbers + end - len(source) for source, end in zip(sources, self.ends)])

    def __len__(self) -> int:
        return self.shape[0]

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        which = tf.reduce_sum(tf.cast(index >= tf.constant(self.ends[:-1], index.dtype), tf.int32))
        return tf.switch_case(
            which,
            [
                lambda source=source, first=end - len(source): source(index - first)
                for source, end in zip(self.sources, self.ends)
            ],
        )


def source_of(images: np.ndarray | ImageSource) -> ImageSource:
    return InMemory(images) if isinstance(images, np.ndarray) else images


def joined(images: Sequence[np.ndarray | ImageSource]) -> np.ndarray | ImageSource:
    """All of them one after the other; arrays as an array."""
    if all(isinstance(some, np.ndarray) for some in images):
        return np.concatenate(images)
    return Joined([source_of(some) for some in images])


def paired(photos: np.ndarray | ImageSource, sketches: np.ndarray | ImageSource) -> Callable:
    """A function from an index to (photo, sketch); one read where both lie in one record."""
    pairs = getattr(photos, "pairs", None)
    if pairs is not None and pairs is getattr(sketches, "pairs", None):
        return pairs.images
    photos, sketches = source_of(photos), source_of(sketches)
    return lambda index: (photos(index), sketches(index))


def each(count: int, take: Callable, parallel: int = FROM_DISK) -> tf.data.Dataset:
    """``take(index)`` for index 0..count−1, in order."""
    return plain(tf.data.Dataset.range(count).map(take, parallel, deterministic=True).prefetch(parallel))


def plain(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Without AUTOTUNE, see above."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
