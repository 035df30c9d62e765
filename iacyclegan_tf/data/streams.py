"""tf.data streams whose order and augmentation are functions of (seed, step), so that a resume needs no state.

Images are decoded and fitted once and stay in memory as uint8; augmentation comes after that, so that no image
keeps its first crop for ever. Sample g of a stream lies in epoch g // N at place g % N of that epoch's
permutation; its crop and flip are drawn from the seed (seed, g).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

# Fixed, not tf.data's AUTOTUNE: its optimisation thread sleeps in doubling intervals, and closing a stream at the
# end of ``fit`` waits for it, up to ten seconds each time.
_PARALLEL = 2
_SECOND = 500_000_003  # added to a seed for the second image of a pair that is augmented apart


@dataclass(frozen=True)
class Augmentation:
    """Resize to ``enlarge`` times the size, random crop back, horizontal flip with probability ½ (CycleGAN: 286 → 256)."""

    enlarge: float = 1.0
    flip: bool = False

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """uint8 ``[H, W, 3]``, int64 seed ``[2]`` -> float32 in [−1, 1]; the same seed gives the same crop and flip."""
        height, width = image.shape[:2]
        image = tf.cast(image, tf.float32)
        larger = (round(height * self.enlarge), round(width * self.enlarge))
        draws = tf.random.stateless_uniform([3], seed)
        if larger != (height, width):
            image = tf.image.resize(image, larger)
            slack = tf.constant([larger[0] - height + 1, larger[1] - width + 1], tf.float32)
            top_left = tf.cast(tf.floor(draws[:2] * slack), tf.int32)
            image = tf.slice(image, [top_left[0], top_left[1], 0], [height, width, 3])
        if self.flip:
            image = tf.cond(draws[2] < 0.5, lambda: tf.reverse(image, [1]), lambda: image)
        return tf.ensure_shape(image, [height, width, 3]) / 127.5 - 1.0


def shuffled(place: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Where ``place`` goes in the permutation of 0..count−1 that belongs to ``seed`` (int64 ``[2]``)."""
    if count == 1:
        return tf.zeros_like(place)
    return tf.random.experimental.index_shuffle(place, seed, tf.cast(count - 1, place.dtype))


def paired_stream(photos: np.ndarray, sketches: np.ndarray, *, batch: int, seed: int, augmentation: Augmentation,
                  together: bool = True, start_step: int = 0) -> tf.data.Dataset:
    """Endless batches ``(photos, sketches)`` float32 ``[batch, H, W, 3]`` in [−1, 1], from step ``start_step`` on.

    ``photos`` and ``sketches``: uint8 ``[N, H, W, 3]``, paired by index. ``together`` gives both images of a pair
    the same crop and flip.
    """
    count = len(photos)
    photos, sketches = _in_memory(photos), _in_memory(sketches)

    def sample(g):
        epoch, place = g // count, g % count
        index = shuffled(place, count, tf.stack([tf.constant(seed, tf.int64), epoch]))
        key = tf.stack([tf.constant(seed, tf.int64), g])
        other = key if together else key + [_SECOND, 0]
        return augmentation(photos[index], key), augmentation(sketches[index], other)

    return _endless(sample, start_step, batch)


def labelled_stream(images: np.ndarray, labels: np.ndarray, *, batch: int, seed: int, augmentation: Augmentation,
                    start_step: int = 0) -> tf.data.Dataset:
    """Endless batches ``(images, labels)`` for identity classification; ``labels`` int ``[N]``."""
    count = len(images)
    images, labels = _in_memory(images), tf.constant(labels, tf.int32)

    def sample(g):
        index = shuffled(g % count, count, tf.stack([tf.constant(seed, tf.int64), g // count]))
        return augmentation(images[index], tf.stack([tf.constant(seed, tf.int64), g])), labels[index]

    return _endless(sample, start_step, batch)


def identity_stream(sources: list[tuple[np.ndarray, np.ndarray]], *, people: int, images: int, seed: int,
                    augmentation: Augmentation, start_step: int = 0) -> tf.data.Dataset:
    """Endless batches of P people × K images, as triplet mining wants them.

    Args:
        sources: e.g. ``[(real images, labels), (synthesised images, labels)]``; uint8 ``[N, H, W, 3]`` and int
            ``[N]`` with labels 0..people−1, each label in every source. A person's K images are taken from the
            sources in turn.
        people: P, different in each batch; at most the number of labels.
        images: K.
    """
    everyone = int(max(labels.max() for _, labels in sources)) + 1
    people = min(people, everyone)
    orders = [np.argsort(labels, kind="stable") for _, labels in sources]
    pictures = _in_memory(np.concatenate([array[order] for (array, _), order in zip(sources, orders)]))
    counts = np.stack([np.bincount(labels, minlength=everyone) for _, labels in sources])
    firsts = np.cumsum(np.concatenate([[0], counts.reshape(-1)]))[:-1].reshape(counts.shape)
    counts, firsts = tf.constant(counts, tf.int64), tf.constant(firsts, tf.int64)

    def sample(g):
        step, slot = g // (people * images), g % (people * images)
        person = shuffled(slot // images, everyone, tf.stack([tf.constant(seed, tf.int64), step]))
        turn = slot % images
        source = turn % len(sources)
        available = counts[source, person]
        # the first choice is random, the following ones go round, so that one batch repeats as little as it can
        start = tf.random.stateless_uniform([], tf.stack([seed + 1 + person, step]), 0, 2**31 - 1, tf.int64)
        index = firsts[source, person] + (start + turn // len(sources)) % available
        return (augmentation(pictures[index], tf.stack([tf.constant(seed, tf.int64), g])),
                tf.cast(person, tf.int32))

    return _endless(sample, start_step, people * images)


def _in_memory(images: np.ndarray) -> tf.Tensor:
    """On the host, whatever devices train: the streams run there."""
    with tf.device("CPU:0"):
        return tf.constant(images)


def _endless(sample, start_step: int, batch: int) -> tf.data.Dataset:
    """Batches of ``sample(g)`` for g from ``start_step`` · ``batch`` on, without end."""
    options = tf.data.Options()
    options.autotune.enabled = False
    numbers = tf.data.Dataset.range(start_step * batch, np.iinfo(np.int64).max)
    return numbers.map(sample, _PARALLEL, deterministic=True).batch(batch, drop_remainder=True).prefetch(2).with_options(options)
