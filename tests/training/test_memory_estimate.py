"""The estimate of memory: its parts that can be counted, how it grows, and the refusal."""

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.training.memory_estimate import check_memory, estimate_gb, generator_parameters

SHAPE = (80, 64, 3)


@pytest.mark.parametrize("kind", ["transpose", "resize"])
@pytest.mark.parametrize("filters, blocks", [(4, 0), (8, 2)])
def test_generator_parameters_are_those_of_the_network(kind, filters, blocks):
    import tensorflow as tf

    network = Generator(filters, blocks, kind)
    network(tf.zeros([1, 16, 16, 3]))
    config = load_config(None, [f"generator.filters={filters}", f"generator.blocks={blocks}"])
    assert generator_parameters(config) == network.count_params()


def estimate(*overrides, shape=SHAPE) -> float:
    return estimate_gb(load_config(None, overrides), shape)


@pytest.mark.parametrize(
    "override",
    [
        "generator.filters=64",
        "generator.blocks=19",
        "train.batch=40",
        "recognizer.width=1.0",
        "recognizer.input_size=320",
        "discriminator.filters=128",
        "discriminator.pool_size=500",
    ],
)
def test_more_of_anything_needs_more(override):
    assert estimate(override) > estimate()


@pytest.mark.parametrize("override", ["train.precision=mixed_bfloat16", "rounds.perception=false"])
def test_what_saves_memory(override):
    assert estimate(override) < estimate()


def test_activations_grow_with_pixels_and_batch():
    """Beyond what does not depend on the images, twice the pixels or the batch is twice the memory."""
    fixed = ("train.batch=1", "discriminator.pool_size=0", "rounds.perception=false", "generator.filters=32")
    nothing = estimate(*fixed, shape=(0, 0, 3))
    one, two = (estimate(*fixed, shape=(side, 64, 3)) - nothing for side in (80, 160))
    batch = estimate(*fixed, "train.batch=2") - nothing
    assert two == pytest.approx(2 * one) and batch == pytest.approx(2 * one)


def test_parameters_of_vgg_face_are_counted_at_least_once_each():
    """Three recognizers of 134,260,544 float32 parameters take 1.5 GiB before any optimizer."""
    full = estimate("recognizer.width=1.0", "recognizer.input_size=224", shape=(4, 4, 3))
    small = estimate(shape=(4, 4, 3))
    assert full - small > 3 * 134_260_544 * 4 / 1024**3


def test_a_run_above_the_limit_is_refused_with_what_to_change():
    config = load_config(None, ["train.memory_limit_gb=0.5"])
    with pytest.raises(
        UserError,
        match=r"need about \d+\.\d GB of memory and 0\.5 GB are there \(generator.filters=\d+, .*"
        r"64×80 pixels, train.batch=\d+.*train.memory_limit_gb",
    ):
        check_memory(config, SHAPE)


def test_a_run_below_the_limit_returns_its_estimate():
    config = load_config(None, ["train.memory_limit_gb=1000"])
    assert check_memory(config, SHAPE) == estimate_gb(config, SHAPE)


def test_without_a_limit_the_machines_memory_counts(monkeypatch):
    import os

    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1024**3 // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    config = load_config(None, ["generator.filters=256", "train.batch=8"])
    with pytest.raises(UserError, match=r"1\.0 GB are there"):
        check_memory(config, (256, 256, 3))
