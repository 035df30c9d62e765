"""The discriminator: PatchGAN (Isola et al. 2017, arXiv 1611.07004; CycleGAN, arXiv 1703.10593)."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.models.convolution import Convolution
from iacyclegan_tf.models.layers import InstanceNormalization, normal, seed_sequence

LEAK = 0.2


class Discriminator(keras.Model):
    """Judges overlapping patches: C64-C128-C256-C512 of 4×4 convolutions, leaky ReLU 0.2, one logit a patch.

    ``layers`` stride-2 convolutions, then one of stride 1, then the logits. 3 layers see 70×70 patches,
    2 see 34×34, 1 sees 16×16. All convolutions pad one pixel of zeros, as the public CycleGAN.

    Input: float ``[N, H, W, 3]`` in [−1, 1]. Output: float32 logits ``[N, h, w, 1]``, not squashed: the loss decides.

    >>> Discriminator(filters=4)(tf.zeros([1, 64, 64, 3])).shape
    TensorShape([1, 6, 6, 1])
    """

    def __init__(self, filters: int = 64, layers: int = 3, seed: int | None = None, dtype=None, **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        policy = self.dtype_policy
        seeds = seed_sequence(seed)

        def conv(channels: int, strides: int, use_bias: bool) -> list:
            return [
                keras.layers.ZeroPadding2D(1, dtype=policy),
                Convolution(
                    channels, 4, strides=strides, use_bias=use_bias, kernel_initializer=normal(seeds), dtype=policy
                ),
            ]

        def leaky_relu():
            return keras.layers.LeakyReLU(LEAK, dtype=policy)

        # The first convolution has no norm, so that tone itself can be judged.
        self.stages = [*conv(filters, 2, use_bias=True), leaky_relu()]
        for depth in range(1, layers + 1):
            channels = filters * min(2**depth, 8)
            strides = 2 if depth < layers else 1
            self.stages += [*conv(channels, strides, use_bias=False), InstanceNormalization(dtype=policy), leaky_relu()]
        self.stages += conv(1, 1, use_bias=True)

    def call(self, images, training=None):
        # Keras hands ``training`` on to all layers inside.
        hidden = tf.cast(images, self.compute_dtype)
        for stage in self.stages:
            hidden = stage(hidden)
        return tf.cast(hidden, tf.float32)


def smallest_side(layers: int) -> int:
    """The smallest image side that leaves at least one patch after ``layers`` stride-2 convolutions."""
    side = 3  # the last two convolutions take one pixel each and leave one
    for _ in range(layers):
        side *= 2
    return side
