"""How much memory a run will need at its peak: an estimate before anything is built."""

from __future__ import annotations

import os

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.models.build import recognizer_shapes

_BASE_GB = 1.0  # Python, TensorFlow and its graphs, measured on a CPU
_FLOAT = 4
# Copies of each activation that live together at the peak: the convolution's output, its norm, its padding or
# ReLU, and gradients on the way back; fitted to measured peaks (docs/performance.md).
_COPIES = 3.0


def generator_parameters(config: Config) -> int:
    f, blocks = config.generator.filters, config.generator.blocks
    convolutions = (
        3 * 49 * f
        + 9 * (2 * f * f + 8 * f * f)
        + blocks * 2 * 9 * 16 * f * f
        + 9 * (8 * f * f + 2 * f * f)
        + 49 * 3 * f
        + 3
    )
    norms = 2 * (f + 2 * f + 4 * f + blocks * 8 * f + 2 * f + f)
    return convolutions + norms


def estimate_gb(config: Config, image_shape: tuple[int, int, int]) -> float:
    """Peak resident gigabytes of the synthesis phase, which needs the most."""
    pixels = image_shape[0] * image_shape[1]
    f = config.generator.filters
    # activations of one image through one generator, in floats
    generator = (
        pixels * (2 * f + 2 * f / 4 * 1 + 4 * f / 16 + 2 * f / 4 + 3)
        + config.generator.blocks * 2 * pixels / 16 * 4 * f
    )
    d = config.discriminator.filters
    discriminator = pixels * sum(d * min(2**i, 8) / 4 ** (i + 1) for i in range(config.discriminator.layers + 1))
    floats = 8 * generator + 6 * discriminator  # x, y, two identity mappings, two cycles; fakes and reals judged
    if config.rounds.perception:
        shapes, _ = recognizer_shapes(config)
        floats += 4 * sum(side * side * channels for side, channels in shapes)
    copies = _COPIES * (0.7 if config.train.precision != "float32" else 1.0)
    parameters = 2 * generator_parameters(config) * 4 + 3 * recognizer_shapes(config)[1] * 3
    pool = 2 * config.discriminator.pool_size * pixels * 3
    return _BASE_GB + (floats * copies * config.train.batch + parameters + pool) * _FLOAT / 1024**3


def check_memory(config: Config, image_shape: tuple[int, int, int]) -> float:
    """The estimate; ``UserError`` when it exceeds ``train.memory_limit_gb`` (0: this machine's memory)."""
    limit = config.train.memory_limit_gb or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    needed = estimate_gb(config, image_shape)
    if needed > limit:
        generator, (height, width, _) = config.generator, image_shape
        raise UserError(
            f"This run would need about {needed:.1f} GB of memory and {limit:.1f} GB are there (generator.filters="
            f"{generator.filters}, generator.blocks={generator.blocks}, {width}×{height} pixels, train.batch="
            f"{config.train.batch}); make one of these smaller, or raise train.memory_limit_gb."
        )
    return needed
