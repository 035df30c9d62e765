"""Our training step on made-up images, as the training command builds it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.train_step import Setting
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import LossConfig
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.method.synthesis import IACycleGAN
from iacyclegan_tf.models.discriminator import Discriminator
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.training.engine.optimizers import adam


def build(s: Setting, precision: str) -> tuple[keras.Model, Callable]:
    """The model, and its step as a function without arguments; ``precision``: float32, bfloat16 or float16."""
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    dtype, shape = precision if precision == "float32" else f"mixed_{precision}", (s.height, s.width, 3)
    networks = [
        *(Generator(s.filters, s.blocks, s.upsampling, seed=i * 100, dtype=dtype) for i in (1, 2)),
        *(Discriminator(s.filters, s.layers, seed=i * 100, dtype=dtype) for i in (3, 4)),
    ]
    for network in networks:
        network(tf.zeros([1, *shape]))
    recognizers, losses = [None, None], LossConfig()
    if s.recognizer:
        width, side, layers, normalization = s.recognizer
        recognizers = [Recognizer(width, side, normalization=normalization, seed=i, dtype=dtype) for i in (5, 6)]
        for recognizer in recognizers:
            recognizer.build()
        losses = LossConfig(perception_layer=layers)
    gan = IACycleGAN(*networks, *recognizers, losses, ImagePool(50, shape), ImagePool(50, shape, seed=1))
    scaling = precision == "float16"
    gan.compile(adam(2e-4, 0.5, 0.99, scaling), adam(2e-4, 0.5, 0.0, scaling))
    random = np.random.default_rng(0)
    images = tuple(tf.constant(random.uniform(-1, 1, (1, *shape)).astype(np.float32)) for _ in range(2))
    return gan, tf.function(lambda: gan.train_step(images), autograph=False)
