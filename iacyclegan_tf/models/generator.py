"""The generator: Johnson's residual network as CycleGAN uses it (arXiv 1603.08155, 1703.10593)."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.models.convolution import Convolution
from iacyclegan_tf.models.layers import (
    InstanceNormalization,
    ReflectionPadding2D,
    normal,
    seed_sequence,
    sharpened,
    upsampling,
)


class ResidualBlock(keras.layers.Layer):
    """x + norm(conv(relu(norm(conv(x))))) with 3×3 convolutions and reflection padding; keeps the shape."""

    def __init__(self, filters: int, seeds, **kwargs):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.pad = ReflectionPadding2D(1, dtype=policy)
        self.conv1, self.conv2 = (
            Convolution(filters, 3, use_bias=False, dtype=policy, kernel_initializer=normal(seeds)) for _ in range(2)
        )
        self.norm1, self.norm2 = (InstanceNormalization(dtype=policy) for _ in range(2))

    def call(self, inputs, training=None):
        hidden = tf.nn.relu(self.norm1(self.conv1(self.pad(inputs))))
        return inputs + self.norm2(self.conv2(self.pad(hidden)))


class Generator(keras.Model):
    """Translates images of one modality into the other: c7s1-f, d2f, d4f, n × R4f, u2f, uf, c7s1-3, tanh.

    Args:
        filters: f, the channels of the first convolution; 64 in the paper's networks.
        blocks: n, the residual blocks; 6 at 128 px, 9 at 256 px.
        upsampling_kind: ``transpose``, ``resize`` or ``bilinear``, see ``models/layers.py``; or one for each step.
        recompute: in training, keep only what goes into each residual block and compute the rest again on the way
            back (Chen et al. 2016, arXiv 1604.06174): less memory for more time, and the same gradients.
        sharpening: whether outputs are sharpened outside training, by the amount of the variable ``sharpening``
            (``training/calibrate_sharpening.py`` finds it), which is saved with the weights.
        dtype: a Keras precision policy; the output is float32 under any.

    Input and output: float ``[N, H, W, 3]`` in [−1, 1], H and W divisible by 4.

    >>> images = tf.zeros([1, 32, 24, 3])
    >>> Generator(filters=4, blocks=1)(images).shape
    TensorShape([1, 32, 24, 3])
    """

    def __init__(
        self,
        filters: int = 64,
        blocks: int = 9,
        upsampling_kind: str | tuple[str, str] = "transpose",
        seed: int | None = None,
        recompute: bool = False,
        sharpening: bool = False,
        dtype=None,
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        self.recompute = recompute
        policy = self.dtype_policy
        seeds = seed_sequence(seed)

        def conv(channels: int, size: int, **options):
            return Convolution(
                channels, size, use_bias=False, kernel_initializer=normal(seeds), dtype=policy, **options
            )

        def norm_relu() -> list:
            return [InstanceNormalization(dtype=policy), keras.layers.ReLU(dtype=policy)]

        self.stages = [ReflectionPadding2D(3, dtype=policy), conv(filters, 7), *norm_relu()]
        for channels in (2 * filters, 4 * filters):
            self.stages += [conv(channels, 3, strides=2, padding="same"), *norm_relu()]
        self.stages += [ResidualBlock(4 * filters, seeds, dtype=policy) for _ in range(blocks)]
        kinds = [upsampling_kind] * 2 if isinstance(upsampling_kind, str) else upsampling_kind
        for kind, channels in zip(kinds, (2 * filters, filters), strict=True):
            self.stages += [*upsampling(kind, channels, normal(seeds), policy), *norm_relu()]
        self.stages += [
            ReflectionPadding2D(3, dtype=policy),
            Convolution(3, 7, kernel_initializer=normal(seeds), dtype=policy),
        ]
        # none where it is off: checkpoints of earlier generators hold no such variable
        self.sharpening = tf.Variable(0.0, trainable=False, name="sharpening") if sharpening else None

    def call(self, images, training=None):
        # Keras hands ``training`` on to all layers inside.
        hidden = tf.cast(images, self.compute_dtype)
        for stage in self.stages:
            if self.recompute and training and isinstance(stage, ResidualBlock):
                hidden = tf.recompute_grad(lambda values, block=stage: block(values, training=True))(hidden)
            else:
                hidden = stage(hidden)
        images = tf.tanh(tf.cast(hidden, tf.float32))
        return images if training or self.sharpening is None else sharpened(images, self.sharpening)
