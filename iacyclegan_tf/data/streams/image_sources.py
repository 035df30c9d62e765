"""Where a stream takes its images from, one by one by number: memory, or image files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import read_image
from iacyclegan_tf.data.resizing import Fit

# Fixed, not tf.data's AUTOTUNE: its optimization thread sleeps in doubling intervals, and closing a stream at the
# end of ``fit`` waits for it, up to ten seconds each time.
FROM_MEMORY = 2  # images augmented side by side
FROM_DISK = min(max(os.cpu_count() or 1, 2), 16)  # images decoded, fitted and augmented side by side


class ImageSource:
    """N images of one size, to be called in a ``tf.data`` function: image ``index`` (int64), uint8 ``[H, W, 3]``.

    Attributes:
        shape: ``(N, H, W, 3)``.
        numbers: int64: the images that may be asked for; of synthesized ones on the disk not all of the N are there.
        parallel: how many a stream takes side by side.
    """

    parallel = FROM_MEMORY

    def __init__(self, shape: tuple[int, int, int, int], numbers: np.ndarray | None = None):
        self.shape, self.numbers = tuple(shape), np.arange(shape[0]) if numbers is None else numbers

    def __len__(self) -> int:
        return self.shape[0]


class InMemory(ImageSource):
    """An array uint8 ``[N, H, W, 3]``."""

    def __init__(self, images: np.ndarray):
        super().__init__(images.shape)
        with tf.device("CPU:0"):  # on the host, whatever devices train: the streams run there
            self._images = tf.constant(images)

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        return self._images[index]


class ImageFiles(ImageSource):
    """N image files: each is read and brought to size when its turn comes.

    Args:
        paths: of the N files. size: (height, width) for the network. fit: brings them to it; None where all have it.
        numbers: those that are there; None: all. then: what becomes of an image that was read, given its
            number; it has the network's size after that.
    """

    parallel = FROM_DISK

    def __init__(
        self,
        paths: Sequence[Path],
        size: tuple[int, int],
        fit: Fit | None,
        numbers: np.ndarray | None = None,
        then: Callable[[np.ndarray, int], np.ndarray] | None = None,
    ):
        super().__init__((len(paths), *size, 3), numbers)
        self.paths, self._fit, self._then = tuple(paths), fit, then
        self._fault: UserError | None = None

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        # not stateful: with deterministic operations those that are would run one after the other
        image = tf.ensure_shape(tf.numpy_function(self._read, [index], tf.uint8, stateful=False), [None, None, 3])
        if self._fit is not None:
            image = tf.cast(self._fit.apply_graph(tf.cast(image, tf.float32)), tf.uint8)
        return tf.ensure_shape(image, self.shape[1:])

    def _read(self, number: int) -> np.ndarray:
        try:
            image = read_image(self.paths[number])
            return image if self._then is None else self._then(image, int(number))
        except UserError as error:
            self._fault = error
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around whatever reads: TensorFlow's error about a file becomes the ``UserError`` that names it."""
        try:
            yield
        except tf.errors.OpError:
            if self._fault is None:
                raise
            raise self._fault from None


class Joined(ImageSource):
    """Several sources one after the other as one."""

    def __init__(self, sources: Sequence[ImageSource]):
        self.sources, self.parallel = sources, max(source.parallel for source in sources)
        self.ends = np.cumsum([len(source) for source in sources])
        numbers = [source.numbers + end - len(source) for source, end in zip(sources, self.ends)]
        super().__init__((int(self.ends[-1]), *sources[0].shape[1:]), np.concatenate(numbers))

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        which = tf.reduce_sum(tf.cast(index >= tf.constant(self.ends[:-1], index.dtype), tf.int32))
        return tf.switch_case(
            which,
            [
                lambda source=source, first=first: source(index - first)
                for source, first in zip(self.sources, (0, *self.ends))
            ],
        )


def source_of(images: np.ndarray | ImageSource) -> ImageSource:
    return InMemory(images) if isinstance(images, np.ndarray) else images


def joined(images: Sequence[np.ndarray | ImageSource]) -> np.ndarray | ImageSource:
    """All of them one after the other; arrays as an array."""
    if all(isinstance(some, np.ndarray) for some in images):
        return np.concatenate(images)
    return Joined([source_of(some) for some in images])


def total(images: np.ndarray | ImageSource) -> np.ndarray:
    """The sum of all images, int64 ``[H, W, 3]``."""
    if isinstance(images, np.ndarray):
        return images.sum(0, dtype=np.int64)
    result = np.zeros(images.shape[1:], np.int64)
    for image in each(len(images), images).as_numpy_iterator():
        result += image
    return result


def each(count: int, take: Callable, parallel: int = FROM_DISK) -> tf.data.Dataset:
    """``take(index)`` for index 0..count−1, in order."""
    return plain(tf.data.Dataset.range(count).map(take, parallel, deterministic=True).prefetch(parallel))


def plain(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Without AUTOTUNE, see above."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
