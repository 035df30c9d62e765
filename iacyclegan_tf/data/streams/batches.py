"""tf.data streams whose order and augmentation are functions of (seed, step), so that a resume needs no state.

Images are uint8 arrays in memory, or are read from a disk, decoded and fitted when their turn comes (any
``ImageSource``); augmentation comes after that, so that no image keeps its first crop for ever. Sample g of a stream
lies in epoch g // N at place g % N of that epoch's permutation; its crop and flip are drawn from the seed (seed, g).
A stream that starts later computes only what it gives. Of several workers each takes its own part of every batch
(``Worker``): together they see exactly the batches that one would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.streams.augmentation import Augmentation
from iacyclegan_tf.data.streams.image_sources import FROM_MEMORY, ImageSource, joined, plain, source_of

_SECOND = 500_000_003  # added to a seed for the second image of a pair that is augmented apart


@dataclass(frozen=True)
class Worker:
    """Number ``number`` of ``count`` workers, each of which takes its own ``batch / count`` samples of every batch.

    Within an epoch no two workers see one sample, and together they see all. A worker with several devices
    (``replicas``) gets its samples of a batch in as many parts, one after the other.
    """

    number: int = 0
    count: int = 1
    replicas: int = 1

    def share(self, batch: int) -> int:
        """This worker's samples of a batch over all workers; ``UserError`` where it does not divide."""
        if batch % (self.count * self.replicas):
            each = f" with {self.replicas} devices each" if self.replicas > 1 else ""
            raise UserError(
                f"A batch of {batch} cannot be divided among {self.count} workers{each}; make it divisible."
            )
        return batch // self.count


ALONE = Worker()


def shuffled(place: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Where ``place`` goes in the permutation of 0..count−1 that belongs to ``seed`` (int64 ``[2]``)."""
    if count == 1:
        return tf.zeros_like(place)
    return tf.random.experimental.index_shuffle(place, seed, tf.cast(count - 1, place.dtype))


def place_in_data(g: tf.Tensor, count: int, seed: int) -> tf.Tensor:
    """Which of ``count`` images or pairs sample ``g`` (int64) of a stream with ``seed`` is."""
    return shuffled(g % count, count, _pair_of(seed, g // count))


def _pair_of(seed: int, number: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.constant(seed, tf.int64), number])


def batch_places(step: int, batch: int, count: int, seed: int) -> list[int]:
    """Which pairs the batch of one step holds, in order."""
    return [int(place_in_data(tf.constant(g, tf.int64), count, seed)) for g in range(step * batch, (step + 1) * batch)]


def batch_labels(stream: tf.data.Dataset) -> list[int]:
    """The labels of a labeled stream's first batch, in order."""
    return next(iter(stream))[1].numpy().tolist()


def paired_stream(
    photos: np.ndarray | ImageSource,
    sketches: np.ndarray | ImageSource,
    *,
    batch: int,
    seed: int,
    augmentation: Augmentation,
    together: bool = True,
    start_step: int = 0,
    worker: Worker = ALONE,
) -> tf.data.Dataset:
    """Endless batches ``(photos, sketches)`` float32 ``[batch, H, W, 3]`` in [−1, 1], from step ``start_step`` on.

    ``photos`` and ``sketches``: uint8 ``[N, H, W, 3]``, paired by index. ``together`` gives both images of a pair
    the same crop and flip. ``batch`` is that of all workers together.
    """
    photos, sketches = source_of(photos), source_of(sketches)

    def sample(g):
        place = place_in_data(g, len(photos), seed)
        photo, sketch = photos(place), sketches(place)
        other = seed if together else seed + _SECOND
        return augmentation(photo, _pair_of(seed, g)), augmentation(sketch, _pair_of(other, g))

    return endless(sample, start_step, batch, max(photos.parallel, sketches.parallel), worker)


class IdentityChoice:
    """Which image stands at place ``g`` of the batches of P people × K images, as triplet mining wants them.

    Args:
        labels: of each source, int ``[N]`` with labels 0..people−1, each label in every source.
        people: P, different in each batch; at most the number of labels.
        images: K, taken from the sources in turn.
    """

    def __init__(self, labels: list[np.ndarray], *, people: int, images: int, seed: int):
        self.everyone = int(max(some.max() for some in labels)) + 1
        self.sources, self.images, self.seed = len(labels), images, seed
        self.batch = min(people, self.everyone) * images
        ends = np.cumsum([0, *map(len, labels)])
        self._places = tf.constant(
            np.concatenate([first + np.argsort(some, kind="stable") for first, some in zip(ends, labels)]), tf.int64
        )
        counts = np.stack([np.bincount(some, minlength=self.everyone) for some in labels])
        firsts = np.cumsum(np.concatenate([[0], counts.reshape(-1)]))[:-1].reshape(counts.shape)
        self._counts, self._firsts = tf.constant(counts, tf.int64), tf.constant(firsts, tf.int64)

    def __call__(self, g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The image's number among all sources one after the other, and the person (int64)."""
        step, slot = g // self.batch, g % self.batch
        person = shuffled(slot // self.images, self.everyone, _pair_of(self.seed, step))
        turn = slot % self.images
        source = turn % self.sources
        available = self._counts[source, person]
        # the first choice is random, the following ones go round, so that one batch repeats as little as it can
        start = tf.random.stateless_uniform([], tf.stack([self.seed + 1 + person, step]), 0, 2**31 - 1, tf.int64)
        return self._places[self._firsts[source, person] + (start + turn // self.sources) % available], person

    def used(self, steps: int) -> np.ndarray:
        """The numbers of all images that the first ``steps`` batches hold, int64, ascending."""
        numbers = plain(tf.data.Dataset.range(steps * self.batch).map(lambda g: self(g)[0], FROM_MEMORY).batch(4096))
        found = np.zeros(len(self._places), bool)
        for some in numbers.as_numpy_iterator():
            found[some] = True
        return np.flatnonzero(found)


def identity_stream(
    sources: list[tuple[np.ndarray | ImageSource, np.ndarray]],
    *,
    people: int,
    images: int,
    seed: int,
    augmentation: Augmentation,
    one_view: bool = False,
    start_step: int = 0,
    worker: Worker = ALONE,
) -> tf.data.Dataset:
    """Endless batches ``(images, labels)`` of P people × K images, chosen by ``IdentityChoice``.

    ``sources``: e.g. ``[(real images, labels), (synthesized images, labels)]``, images uint8 ``[N, H, W, 3]``.
    ``one_view``: all images of a batch get the same crop, shift, flip and light, else each its own.
    """
    choice = IdentityChoice([labels for _, labels in sources], people=people, images=images, seed=seed)
    pictures = source_of(joined([some for some, _ in sources]))

    def sample(g):
        index, person = choice(g)
        view = g // choice.batch if one_view else g
        return augmentation(pictures(index), _pair_of(seed, view)), tf.cast(person, tf.int32)

    return endless(sample, start_step, choice.batch, pictures.parallel, worker)


def endless(sample, start_step: int, batch: int, parallel: int, worker: Worker) -> tf.data.Dataset:
    """Batches of ``sample(g)`` for g from ``start_step`` · ``batch`` on, without end; of those the worker's part."""
    own = worker.share(batch)

    def number(n):  # of the worker's n-th sample
        return sample(n // own * batch + worker.number * own + n % own if worker.count > 1 else n)

    numbers = tf.data.Dataset.range(start_step * own, np.iinfo(np.int64).max)
    batches = numbers.map(number, parallel, deterministic=True).batch(own // worker.replicas, drop_remainder=True)
    # to strategies a stream with an end has a last batch of unknown size, and networks want to know it
    return plain(batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)).prefetch(2))
