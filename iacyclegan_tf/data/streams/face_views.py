"""Views of one aligned face image: parts of it, moved, mirrored and in another light, to train recognizers with."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

_FACE_BELOW = 0.2  # the face's center lies under the image's, by 0.08 of the height at crop 0.6; less for larger crops
_ASPECT = 0.07  # largest change of the width, a share of it


@dataclass(frozen=True)
class FaceViews:
    """Random views; ``central`` is the one without chance.

    Args:
        crop: the smallest part of the image that a view shows, a share of its sides; 0.6 about the face alone.
        shift: largest displacement in each direction, a share of the side.
        light: largest change of contrast (a factor) and brightness (in [−1, 1]); with it colors fade, down to gray.
        flip: mirror with probability ½.
    """

    crop: float = 1.0
    shift: float = 0.0
    light: float = 0.0
    flip: bool = False

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """uint8 ``[H, W, 3]``, int64 seed ``[2]`` -> float32 of that shape; in [−1, 1], but for what ``light`` adds."""
        draws = tf.unstack(tf.random.stateless_uniform([8], seed, -1.0, 1.0))
        size = 1.0 - (1.0 - self.crop) * (draws[0] + 1.0) / 2.0
        width = size * (1.0 + _ASPECT * draws[1]) if self.crop < 1.0 else size
        view = _part(image, size, width, draws[2] * self.shift, draws[3] * self.shift)
        if self.light > 0:
            gray = tf.reduce_mean(view, -1, keepdims=True)
            faded = gray + (view - gray) * (draws[4] + 1.0) / 2.0
            view = faded * (1.0 + self.light * draws[5]) + self.light * draws[6]
        return tf.cond(draws[7] < 0.0, lambda: tf.reverse(view, [1]), lambda: view) if self.flip else view

    def central(self, image: tf.Tensor) -> tf.Tensor:
        """The smallest part, neither moved nor mirrored nor in another light; as above, in [−1, 1]."""
        return _part(image, self.crop, self.crop, 0.0, 0.0)


def _part(image: tf.Tensor, height_share, width_share, down, right) -> tf.Tensor:
    """The part of the image scaled to its size, bilinear; beyond its edges the last pixels go on."""
    height, width = image.shape[:2]
    top = 0.5 + (1.0 - height_share) * _FACE_BELOW + down - height_share / 2.0
    left = 0.5 + right - width_share / 2.0
    rows = (top + height_share * (tf.range(height, dtype=tf.float32) + 0.5) / height) * height - 0.5
    columns = (left + width_share * (tf.range(width, dtype=tf.float32) + 0.5) / width) * width - 0.5
    places = tf.stack(tf.meshgrid(rows, columns, indexing="ij"), -1)
    return tf.ensure_shape(sampled(tf.cast(image, tf.float32), places), image.shape) / 127.5 - 1.0


def sampled(image: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The image at ``places`` (row, column), float32 ``[H, W, 2]``, bilinear; its edges go on without end."""
    height, width, channels = image.shape
    flat = tf.reshape(image, [-1, channels])
    first = tf.floor(places)
    row, column = tf.unstack(tf.cast(first, tf.int32), axis=-1)

    def at(row, column):
        return tf.gather(flat, tf.clip_by_value(row, 0, height - 1) * width + tf.clip_by_value(column, 0, width - 1))

    y, x = tf.split(places - first, 2, -1)
    return (1 - y) * ((1 - x) * at(row, column) + x * at(row, column + 1)) + y * (
        (1 - x) * at(row + 1, column) + x * at(row + 1, column + 1)
    )
