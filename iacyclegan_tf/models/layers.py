"""The layers that Keras lacks: instance normalization, reflection padding and the ways of up-sampling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras

# Unrolling is cheaper than moments only for small batches; above this the graph would grow for little.
MAX_UNROLLED_BATCH = 8
_EPSILON = 1e-5


class InstanceNormalization(keras.layers.Layer):
    """y = γ · (x − μ) / sqrt(σ² + ε) + β with μ, σ² over height and width of each image and channel.

    Ulyanov et al. 2016 (arXiv 1607.08022). ε is 1e-5 as in the public CycleGAN; γ and β are learned,
    unlike there, since the convolutions before it have no bias. σ² is the population variance.
    Statistics are float32 whatever the compute type. Input and output: ``[N, H, W, C]``.
    """

    def build(self, input_shape):
        channels = int(input_shape[-1])
        self.gamma = self.add_weight("gamma", [channels], initializer="ones", dtype=tf.float32)
        self.beta = self.add_weight("beta", [channels], initializer="zeros", dtype=tf.float32)
        super().build(input_shape)

    def call(self, inputs):
        gamma, beta = tf.cast(self.gamma, tf.float32), tf.cast(self.beta, tf.float32)
        batch = inputs.shape[0]
        if batch is not None and batch <= MAX_UNROLLED_BATCH:
            images = [inputs] if batch == 1 else tf.split(inputs, batch)
            normalized = [self._fused(image, gamma, beta) for image in images]
            return normalized[0] if batch == 1 else tf.concat(normalized, axis=0)
        return self._by_moments(inputs, gamma, beta)

    def _fused(self, image, gamma, beta):
        """For one image, instance and batch normalization are the same thing, and the latter is one fast kernel."""
        return tf.compat.v1.nn.fused_batch_norm(image, gamma, beta, epsilon=_EPSILON, is_training=True)[0]

    def _by_moments(self, inputs, gamma, beta):
        values = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(values, [1, 2], keepdims=True)
        scale = gamma * tf.math.rsqrt(variance + _EPSILON)
        return tf.cast((values - mean) * scale + beta, inputs.dtype)


class ReflectionPadding2D(keras.layers.Layer):
    """Mirrors p = ``padding`` pixels at each border without the edge: ``[N, H, W, C]`` -> ``[N, H+2p, W+2p, C]``."""

    def __init__(self, padding: int, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs):
        p = self.padding
        if on_gpu() or any(size is None or size < 2 * p + 2 for size in inputs.shape[1:3]):
            return tf.pad(inputs, [[0, 0], [p, p], [p, p], [0, 0]], mode="REFLECT")
        return _mirrored(_mirrored(inputs, p, axis=1), p, axis=2)


def _mirrored(values, p: int, axis: int):
    """Along one axis. On a CPU, taking apart and putting together take a third of ``tf.pad``'s time, both ways."""
    pieces = tf.split(values, [1] * (p + 1) + [values.shape[axis] - 2 * p - 2] + [1] * (p + 1), axis)
    return tf.concat([*pieces[p:0:-1], *pieces, *pieces[-2 : -p - 2 : -1]], axis)


class ResizeConvolution(keras.layers.Layer):
    """Nearest neighbor to twice the size, then a 3×3 convolution with zero padding, as one transposed convolution.

    Each of the four outputs under a repeated pixel sees 2×2 different pixels only, so the nine weights add up to four:
    16 products for 36, and no enlarged image in memory. ``[N, H, W, C]`` -> ``[N, 2H, 2W, filters]``, no bias.

    ``bilinear`` interpolates instead of repeating, which is repeating and then smoothing by (1, 2, 1) / 4: 3×3
    different pixels under each output, 36 products, and zeros around the image.
    """

    def __init__(self, filters: int, kernel_initializer="glorot_uniform", bilinear: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_initializer, self.bilinear = filters, kernel_initializer, bilinear

    def build(self, input_shape):
        # float32 in every precision, so that sums of weights are rounded once
        self.kernel = self.add_weight(
            "kernel",
            [3, 3, int(input_shape[-1]), self.filters],
            dtype=tf.float32,
            initializer=self.kernel_initializer,
            experimental_autocast=False,
        )
        super().build(input_shape)

    def call(self, inputs):
        size = tf.shape(inputs) if None in inputs.shape else inputs.shape
        return tf.nn.conv2d_transpose(
            inputs, tf.cast(self._summed(), inputs.dtype), [size[0], 2 * size[1], 2 * size[2], self.filters], 2, "SAME"
        )

    def _summed(self):
        """``[3, 3, C, filters]`` -> ``[4, 4, filters, C]``, bilinear ``[6, 6, filters, C]``."""
        along = _BILINEAR if self.bilinear else _NEAREST
        side, channels = len(along), self.kernel.shape[2]
        sums = tf.matmul(tf.constant(np.kron(along, along)), tf.reshape(self.kernel, [9, channels * self.filters]))
        sums = tf.transpose(tf.reshape(sums, [side * side, channels, self.filters]), [0, 2, 1])
        return tf.reshape(sums, [side, side, self.filters, channels])


# the smallest smoothing filter: what it takes away is what resampling and averaging lose first
_BINOMIAL = (0.25, 0.5, 0.25)

# Along one axis, output 2m − 1 + t sees input m through weight 2 − t of its left copy and 3 − t of its right one.
_NEAREST = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)
# The same smoothed, from output 2m − 2 on.
_BILINEAR = sum(np.float32(weight) * np.pad(_NEAREST, [(i, 2 - i), (0, 0)]) for i, weight in enumerate(_BINOMIAL))


def upsampling(kind: str, filters: int, initializer, dtype) -> list[keras.layers.Layer]:
    """Doubles height and width and leaves ``filters`` channels.

    ``transpose``: a 3×3 convolution with stride 1/2 as Johnson et al. 2016 and the public CycleGAN.
    ``resize``: nearest neighbor, then a 3×3 convolution, which avoids checkerboards (Odena et al. 2016).
    ``bilinear``: interpolated, then a 3×3 convolution, which also avoids a weave of four pixels in hair.
    """
    if kind == "transpose":
        return [
            keras.layers.Conv2DTranspose(
                filters, 3, strides=2, padding="same", use_bias=False, kernel_initializer=initializer, dtype=dtype
            )
        ]
    # The first keeps the numbering of layers in states written when resizing was a layer of its own.
    return [
        keras.layers.Identity(dtype=dtype),
        ResizeConvolution(filters, initializer, kind == "bilinear", dtype=dtype),
    ]


def on_gpu() -> bool:
    """Whether this machine computes on GPUs, where other formulations of the same sums are the fast ones."""
    return bool(tf.config.list_physical_devices("GPU"))


def sharpened(images: tf.Tensor, amount) -> tf.Tensor:
    """``images + amount · (images − smoothed images)``, clipped to [−1, 1]; float ``[N, H, W, C]``, edges go on."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    rows = sum(weight * padded[:, i : i + tf.shape(images)[1]] for i, weight in enumerate(_BINOMIAL))
    smoothed = sum(weight * rows[:, :, i : i + tf.shape(images)[2]] for i, weight in enumerate(_BINOMIAL))
    return tf.clip_by_value(images + amount * (images - smoothed), -1.0, 1.0)


INITIAL_STDDEV = 0.02  # weights from N(0, 0.02), as the public CycleGAN


def seed_sequence(seed: int | None) -> Iterator[int | None]:
    """``seed``, ``seed + 1``, ...; endless ``None`` without a seed."""
    while True:
        yield seed
        seed = None if seed is None else seed + 1


def normal(seeds: Iterator[int | None]) -> keras.initializers.Initializer:
    """N(0, 0.02) with the next seed."""
    return keras.initializers.RandomNormal(0.0, INITIAL_STDDEV, seed=next(seeds))
