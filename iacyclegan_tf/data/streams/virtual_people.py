"""Batches of people with several photos, each person also seen through smooth warps, as other people.

A few dozen people are too few to learn from what strangers differ in. A warp changes the shape of a face, its
proportions and features, and leaves all else as it is; given to every photo of a person alike, it makes another
person of the same pose, light and expression. Each batch draws its own warps, so that no virtual person returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from iacyclegan_tf.data.streams.batches import ALONE, Worker, endless, shuffled
from iacyclegan_tf.data.streams.image_sources import source_of

_GRID = 4  # random displacements across the image in each direction, smoothly joined
_WARPS = 500_000_009  # added to a seed for the warps
_PHOTOS = 500_000_023  # ... and for the choice of photos


@dataclass(frozen=True)
class Portrait:
    """How a photo is changed from one view to the next, and how far one person's face lies from another's.

    Args:
        rotation: largest turn to either side, degrees.
        zoom: largest change of size, as the logarithm of a factor.
        shift: largest displacement in each direction, as a share of the side.
        warp: standard deviation of the displacements that make a virtual person, as a share of the side.
        flip: mirror with probability ½.
    """

    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    warp: float = 0.0
    flip: bool = True

    def __call__(self, image: tf.Tensor, seed: tf.Tensor, person: tf.Tensor, warped: tf.Tensor) -> tf.Tensor:
        """uint8 ``[H, W, 3]`` -> float32 in [−1, 1].

        ``seed`` and ``person``, int64 ``[2]``: equal ones give the same view, and the same warp; ``warped`` (bool):
        whether this is a virtual person. Beyond the edges the last pixels go on.
        """
        height, width = image.shape[:2]
        turn, zoom, down, right, mirror = tf.unstack(tf.random.stateless_uniform([5], seed, -1.0, 1.0))
        angle, size = turn * self.rotation * np.pi / 180.0, tf.exp(-zoom * self.zoom)
        y, x = tf.meshgrid(
            tf.range(height, dtype=tf.float32) - (height - 1) / 2,
            tf.range(width, dtype=tf.float32) - (width - 1) / 2,
            indexing="ij",
        )
        moved = tf.stack(
            [
                size * (tf.cos(angle) * y + tf.sin(angle) * x) + down * self.shift * height,
                size * (tf.cos(angle) * x - tf.sin(angle) * y) + right * self.shift * width,
            ],
            -1,
        )
        if self.warp > 0:
            field = symmetric_field(person, height, width) * self.warp * [float(height), float(width)]
            moved += tf.where(warped, field, tf.zeros_like(field))
        image = sampled(
            tf.cast(image, tf.float32), moved + tf.constant([(height - 1) / 2, (width - 1) / 2], tf.float32)
        )
        if self.flip:
            image = tf.cond(mirror < 0.0, lambda: tf.reverse(image, [1]), lambda: image)
        return tf.ensure_shape(image, [height, width, 3]) / 127.5 - 1.0


def symmetric_field(seed: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Smooth displacements (down, right), float32 ``[H, W, 2]`` of deviation about 1, alike in both halves."""
    down, right = tf.unstack(tf.random.stateless_normal([2, _GRID, _GRID], seed) / np.sqrt(2.0))
    grid = tf.stack([down + down[:, ::-1], right - right[:, ::-1]], -1)
    return tf.image.resize(grid, [height, width], "bicubic")


def sampled(image: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The image at ``places`` (row, column), float32 ``[H, W, 2]``, bilinear; its edges go on without end."""
    height, width, channels = image.shape
    flat = tf.reshape(image, [-1, channels])
    first = tf.floor(places)
    part = places - first
    row, column = tf.unstack(tf.cast(first, tf.int32), axis=-1)

    def at(row, column):
        return tf.gather(flat, tf.clip_by_value(row, 0, height - 1) * width + tf.clip_by_value(column, 0, width - 1))

    y, x = part[..., :1], part[..., 1:]
    return (1 - y) * ((1 - x) * at(row, column) + x * at(row, column + 1)) + y * (
        (1 - x) * at(row + 1, column) + x * at(row + 1, column + 1)
    )


def virtual_people_stream(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    people: int,
    variants: int,
    photos: int,
    seed: int,
    portrait: Portrait,
    start_step: int = 0,
    worker: Worker = ALONE,
) -> tf.data.Dataset:
    """Endless batches ``(images, labels)`` of P people × V variants × K photos, from step ``start_step`` on.

    Args:
        images: uint8 ``[N, H, W, 3]``; ``labels`` int ``[N]``, 0..people−1, at least two photos each.
        people: P, different in each batch; at most the number of labels.
        variants: V; the first is the person as photographed, the others are virtual.
        photos: K; different photos as far as the person has as many.

    The labels that come out tell variants apart: V · person + variant.
    """
    counts = np.bincount(labels)
    everyone = len(counts)
    people = min(people, everyone)
    order = np.argsort(labels, kind="stable")
    pictures = source_of(images[order])
    firsts, counts = tf.constant(np.cumsum(counts) - counts, tf.int64), tf.constant(counts, tf.int64)
    batch = people * variants * photos

    def key(offset, number):
        return tf.stack([tf.constant(seed + offset, tf.int64), number])

    def sample(g):
        step, slot = g // batch, g % batch
        group, turn = slot // photos, slot % photos
        person, variant = shuffled(group // variants, everyone, key(0, step)), group % variants
        count = counts[person]
        chosen = tf.random.experimental.index_shuffle(turn % count, key(_PHOTOS, g // photos), count - 1)
        image = portrait(pictures(firsts[person] + chosen), key(0, g), key(_WARPS, g // photos), variant > 0)
        return image, tf.cast(person * variants + variant, tf.int32)

    return endless(sample, start_step, batch, pictures.parallel, worker)
