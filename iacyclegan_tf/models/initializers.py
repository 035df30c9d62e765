"""Initial weights: one seed per layer, so that equal seeds give equal networks wherever they are built."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

INITIAL_STDDEV = 0.02  # weights from N(0, 0.02), as the public CycleGAN


def seed_sequence(seed: int | None) -> Iterator[int | None]:
    """``seed``, ``seed + 1``, ...; endless ``None`` without a seed."""
    while True:
        yield seed
        seed = None if seed is None else seed + 1


def normal(seeds: Iterator[int | None]) -> tf.keras.initializers.Initializer:
    """N(0, 0.02) with the next seed."""
    return tf.keras.initializers.RandomNormal(0.0, INITIAL_STDDEV, seed=next(seeds))
