"""The layers that Keras lacks: instance normalisation, reflection padding and the two ways of up-sampling."""

from __future__ import annotations

import tensorflow as tf

# Unrolling is cheaper than moments only for small batches; above this the graph would grow for little.
MAX_UNROLLED_BATCH = 8


class InstanceNormalization(tf.keras.layers.Layer):
    """y = γ · (x − μ) / sqrt(σ² + ε) + β with μ, σ² over height and width of each image and channel.

    Ulyanov et al. 2016 (arXiv 1607.08022). ε is 1e-5 as in the public CycleGAN; γ and β (``affine``) are
    learnt, unlike there, since the convolutions before it have no bias. σ² is the population variance.
    Statistics are float32 whatever the compute type. Input and output: ``[N, H, W, C]``.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

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
            normalised = [self._fused(image, gamma, beta) for image in images]
            return normalised[0] if batch == 1 else tf.concat(normalised, axis=0)
        return self._by_moments(inputs, gamma, beta)

    def _fused(self, image, gamma, beta):
        """For one image, instance and batch normalisation are the same thing, and the latter is one fast kernel."""
        return tf.compat.v1.nn.fused_batch_norm(image, gamma, beta, epsilon=self.epsilon, is_training=True)[0]

    def _by_moments(self, inputs, gamma, beta):
        values = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(values, [1, 2], keepdims=True)
        scale = gamma * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast((values - mean) * scale + beta, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


class ReflectionPadding2D(tf.keras.layers.Layer):
    """Mirrors ``padding`` pixels at each border without repeating the edge: ``[N, H, W, C]`` -> ``[N, H+2p, W+2p, C]``."""

    def __init__(self, padding: int, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs):
        p = self.padding
        return tf.pad(inputs, [[0, 0], [p, p], [p, p], [0, 0]], mode="REFLECT")

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


def upsampling(kind: str, filters: int, initializer, dtype) -> list[tf.keras.layers.Layer]:
    """Doubles height and width and leaves ``filters`` channels.

    ``transpose``: a 3×3 convolution with stride 1/2 as Johnson et al. 2016 and the public CycleGAN.
    ``resize``: nearest neighbour, then a 3×3 convolution, which avoids checkerboards (Odena et al. 2016).
    """
    options = dict(padding="same", use_bias=False, kernel_initializer=initializer, dtype=dtype)
    if kind == "transpose":
        return [tf.keras.layers.Conv2DTranspose(filters, 3, strides=2, **options)]
    return [tf.keras.layers.UpSampling2D(2, dtype=dtype), tf.keras.layers.Conv2D(filters, 3, **options)]
