"""The smallest networks and runs that still have every part."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.config.settings import LossConfig
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.method.synthesis import IACycleGAN
from iacyclegan_tf.models.discriminator import Discriminator
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.training.engine.adam import FusedAdam

SHAPE = (32, 24, 3)

# A whole run in seconds: every phase, two rounds, a checkpoint every other step.
RUN = [
    "data.height=32",
    "data.width=32",
    "data.drawn.train_people=8",
    "data.drawn.test_people=4",
    "data.drawn.renderings=1",
    "data.validation_share=0.25",
    "generator.filters=4",
    "generator.blocks=1",
    "generator.sharpness=0.9",
    "discriminator.filters=4",
    "discriminator.layers=1",
    "discriminator.pool_size=3",
    "recognizer.width=0.0625",
    "recognizer.input_size=32",
    "recognizer.views.crop=0.6",
    "recognizer.views.shift=0.03",
    "recognizer.views.light=0.2",
    "recognizer.pretrain.epochs=4",
    "recognizer.pretrain.batch=4",
    "recognizer.pretrain.triplet_steps=0",
    "recognizer.finetune.steps=6",
    "recognizer.finetune.people=3",
    "recognizer.finetune.images=2",
    "train.epochs=1",
    "train.decay_epochs=1",
    "train.checkpoint_steps=2",
    "train.log_steps=3",
    "rounds.snapshots=2",
    "loss.perception_auto_steps=4",
]


def arguments(folder: Path, *more: str) -> list[str]:
    """Settings of the run ``tiny`` in ``folder``."""
    return [*RUN, "name=tiny", f"runs_dir={folder / 'runs'}", f"savedmodels_dir={folder / 'savedmodels'}", *more]


def command(folder: Path, *more: str) -> list[str]:
    """The real training command on ``RUN``, as the run ``tiny`` in ``folder``."""
    return [sys.executable, "-m", "iacyclegan_tf.train", *arguments(folder, *more)]


def train(folder: Path, *more: str, timeout: float = 400) -> subprocess.CompletedProcess:
    return subprocess.run(command(folder, *more), capture_output=True, text=True, timeout=timeout)


def without_tensorflows(errors: str) -> list[str]:
    """The lines on standard error without TensorFlow's own, which since 2.16 no variable silences."""
    return [line for line in errors.splitlines() if not re.match(r"WARNING:(tensorflow| All log)|[IW]\d{4} ", line)]


def gan(
    settings: LossConfig | None = None,
    perception: bool = True,
    pool: int = 2,
    dtype: str = "float32",
    replicas: int = 1,
    rate: float = 2e-4,
    optimizer=None,
    eager: bool = False,
) -> IACycleGAN:
    """A compiled IACycleGAN whose variables are all made.

    ``eager``: its steps run as they are, without a graph, which takes longer to build than a few such steps take.
    """
    networks = [
        Generator(4, 1, "resize", seed=1, dtype=dtype),
        Generator(4, 1, "resize", seed=20, dtype=dtype),
        Discriminator(4, 1, seed=40, dtype=dtype),
        Discriminator(4, 1, seed=60, dtype=dtype),
    ]
    recognizers = [Recognizer(0.0625, 32, seed=s, dtype=dtype) if perception else None for s in (1, 2)]
    pools = [ImagePool(pool, SHAPE, replicas, seed=s) for s in (5, 6)]
    for network in networks:
        network(tf.zeros([1, *SHAPE]))
    for recognizer in recognizers:
        if recognizer is not None:
            recognizer.build()
    model = IACycleGAN(*networks, *recognizers, settings or LossConfig(), *pools)
    make = optimizer or (lambda: FusedAdam(rate, beta_1=0.5, jit_compile=False))
    model.compile(make(), make(), run_eagerly=eager)
    model.generator_optimizer.build(model.generator_variables)
    model.discriminator_optimizer.build(model.discriminator_variables)
    return model


def recognizer(**settings) -> Recognizer:
    """One that compares pool2 of 32×32 images, with its variables made."""
    made = Recognizer(0.0625, 32, "pool2", seed=3, **settings)
    made.build()
    return made


def noise_faces(count: int, seed: int, level: int = 0) -> np.ndarray:
    """uint8 ``[count, 32, 32, 3]`` from ``level`` to ``level`` + 119, for ``recognizer``."""
    return np.random.default_rng(seed).integers(level, level + 120, [count, 32, 32, 3]).astype(np.uint8)


def assert_trained_through(made: Recognizer, state: tf.Variable) -> None:
    """All that the embedding depends on gets a gradient, and ``state`` is not among what is trained."""
    images = tf.constant(noise_faces(4, 0), tf.float32) / 127.5 - 1
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made(images, training=True)[:, 0])
    gradients = tape.gradient(loss, made.embedding_variables)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)
    assert all(state is not variable for variable in made.trainable_variables)


def batch(count: int = 1, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    random = np.random.default_rng(seed)
    return tuple(tf.constant(random.uniform(-1, 1, (count, *SHAPE)).astype(np.float32)) for _ in range(2))


def pairs(count: int = 1, seed: int = 0) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(batch(count, seed)).repeat()
