"""One image as it is seen this time: its random crop and flip, a function of a seed."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Augmentation:
    """Resize to ``enlarge`` times the size, random crop back, flip with probability ½ (CycleGAN: 286 → 256)."""

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
