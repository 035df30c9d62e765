"""Tiny instances of every network and module, each with an input, for tests that must hold for all of them.

``GOLDEN[name](seed)`` gives a ``Golden``: the built module, a fixed input and one call of it. Two seeds give
different weights, so that a restored state can be told from a fresh one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import LossConfig
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.method.recognizer_training import TripletTrainer
from iacyclegan_tf.method.synthesis import IACycleGAN
from iacyclegan_tf.models.discriminator import Discriminator
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.layers import InstanceNormalization, ReflectionPadding2D, upsampling
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.serving.served_modules import Embedder, Translator

HEIGHT, WIDTH = 32, 24
PEOPLE = 3


@dataclass(frozen=True)
class Golden:
    """``run(input)`` calls ``module`` and gives one tensor."""

    module: tf.Module
    input: tf.Tensor
    run: Callable[[tf.Tensor], tf.Tensor]

    def __call__(self) -> np.ndarray:
        return self.run(self.input).numpy()


def images(count: int = 2, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> tf.Tensor:
    """float32 ``[count, height, width, 3]`` in [−1, 1]: noise over a slope, so that no channel is constant."""
    noise = np.random.default_rng(seed).uniform(-1, 1, [count, height, width, 3])
    slope = np.linspace(-1, 1, height)[None, :, None, None]
    return tf.constant(0.7 * noise + 0.3 * slope, tf.float32)


def generator(seed: int = 0, upsampling_kind: str = "resize", dtype=None) -> Generator:
    network = Generator(filters=4, blocks=1, upsampling_kind=upsampling_kind, seed=seed, dtype=dtype)
    network(images(1))
    return network


def discriminator(seed: int = 0, layers: int = 2, dtype=None) -> Discriminator:
    network = Discriminator(filters=4, layers=layers, seed=seed, dtype=dtype)
    network(images(1))
    return network


def recognizer(seed: int = 0, embedding: str = "fc7", normalization: str = "none", dtype=None) -> Recognizer:
    """8 channels in the first three stages, 32 in the last, 256 in fc6 and fc7."""
    network = Recognizer(0.0625, 32, embedding, normalization, seed=seed, dtype=dtype)
    network.build()
    return network


def image_pool(seed: int = 0) -> ImagePool:
    """Holds three images, so that its content is state to be kept."""
    pool = ImagePool(3, (HEIGHT, WIDTH, 3), seed=seed)
    for step in range(3):
        pool.query(images(1, seed=100 * seed + step), tf.constant(step, tf.int64))
    return pool


def synthesis(seed: int = 0, settings: LossConfig | None = None) -> IACycleGAN:
    recognizers = [recognizer(10 * seed + i) for i in (5, 6)]
    pools = [ImagePool(3, (HEIGHT, WIDTH, 3), seed=seed + i) for i in (0, 1000)]
    gan = IACycleGAN(
        generator(10 * seed + 1),
        generator(10 * seed + 100),
        discriminator(10 * seed + 200),
        discriminator(10 * seed + 300),
        *recognizers,
        settings or LossConfig(),
        *pools,
    )
    gan.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    gan.generator_optimizer.build(gan.generator_variables)
    gan.discriminator_optimizer.build(gan.discriminator_variables)
    return gan


def triplet_trainer(seed: int = 0, margin: float = 0.3) -> TripletTrainer:
    trainer = TripletTrainer(recognizer(seed), margin)
    trainer.compile(keras.optimizers.Adam(1e-4))
    return trainer


def _layer(layer: keras.layers.Layer, seed: int) -> Golden:
    layer(images())
    for index, variable in enumerate(layer.trainable_variables):  # γ = 1 and β = 0 alike would hide mistakes
        variable.assign(tf.random.stateless_normal(variable.shape, [seed, index]))
    return Golden(layer, images(), layer)


def _upsampling(kind: str, seed: int) -> Golden:
    stages = keras.Sequential(upsampling(kind, 5, keras.initializers.RandomNormal(seed=seed), None))
    stages(images())
    return Golden(stages, images(), stages)


def _network(network: keras.Model) -> Golden:
    return Golden(network, images(), network)


def _pixels() -> tf.Tensor:
    """0..255 in a size that is not the network's."""
    return tf.round((images(height=37, width=29) + 1.0) * 127.5)


def _translator(seed: int) -> Golden:
    module = Translator(generator(seed), Fit("squeeze", HEIGHT, WIDTH))
    return Golden(module, _pixels(), lambda pixels: module.tensor(pixels)["images"])


def _embedder(seed: int) -> Golden:
    module = Embedder(recognizer(seed), Fit("squeeze", HEIGHT, WIDTH))
    return Golden(module, _pixels(), lambda pixels: module.tensor(pixels)["embedding"])


def _pool(seed: int) -> Golden:
    pool = image_pool(seed)
    return Golden(pool, images(), lambda batch: pool.images + tf.reduce_sum(0.0 * batch))


def _synthesis(seed: int) -> Golden:
    gan = synthesis(seed)
    return Golden(gan, images(), lambda batch: tf.concat(gan((batch, batch)), 0))


GOLDEN: dict[str, Callable[[int], Golden]] = {
    "instance_normalization": lambda seed: _layer(InstanceNormalization(), seed),
    "reflection_padding": lambda seed: _layer(ReflectionPadding2D(2), seed),
    "upsampling_transpose": lambda seed: _upsampling("transpose", seed),
    "upsampling_resize": lambda seed: _upsampling("resize", seed),
    "upsampling_bilinear": lambda seed: _upsampling("bilinear", seed),
    "generator_resize": lambda seed: _network(generator(seed)),
    "generator_transpose": lambda seed: _network(generator(seed, "transpose")),
    "discriminator": lambda seed: _network(discriminator(seed)),
    "recognizer": lambda seed: _network(recognizer(seed)),
    "recognizer_pool5": lambda seed: _network(recognizer(seed, "pool5")),
    "recognizer_batch": lambda seed: _network(recognizer(seed, normalization="batch")),
    "triplet_trainer": lambda seed: _network(triplet_trainer(seed)),
    "image_pool": _pool,
    "synthesis": _synthesis,
    "translator": _translator,
    "embedder": _embedder,
}
STATELESS = ("reflection_padding",)  # no variables: two seeds give one output
