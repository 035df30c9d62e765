"""Unsharp masking of generated images, on stock TensorFlow operations."""

from __future__ import annotations

import tensorflow as tf

_BINOMIAL = (0.25, 0.5, 0.25)  # the smallest smoothing filter: what it takes away is what resampling and averaging lose first


def sharpened(images: tf.Tensor, amount) -> tf.Tensor:
    """``images + amount · (images − smoothed images)``, clipped to [−1, 1]; float ``[N, H, W, C]``, edges go on."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    rows = sum(weight * padded[:, i:i + tf.shape(images)[1]] for i, weight in enumerate(_BINOMIAL))
    smoothed = sum(weight * rows[:, :, i:i + tf.shape(images)[2]] for i, weight in enumerate(_BINOMIAL))
    return tf.clip_by_value(images + amount * (images - smoothed), -1.0, 1.0)
