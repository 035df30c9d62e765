"""The PatchGAN: receptive field by measurement, sizes, parameters, first weights."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from golden import discriminator, images

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.models.discriminator import LEAK, Discriminator, smallest_side
from iacyclegan_tf.models.layers import InstanceNormalization


def receptive_field(layers: int, side: int) -> tuple[int, int]:
    """Height and width of the input pixels that move the middle logit.

    Norms are left out: through their statistics every logit sees the whole image, which is not what the
    receptive field of a PatchGAN means.
    """
    network = Discriminator(2, layers, seed=1)
    network(tf.zeros([1, side, side, 3]))
    image = tf.random.stateless_normal([1, side, side, 3], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(image)
        hidden = image
        for stage in network.stages:
            hidden = hidden if isinstance(stage, InstanceNormalization) else stage(hidden)
        logit = hidden[0, hidden.shape[1] // 2, hidden.shape[2] // 2, 0]
    touched = np.abs(tape.gradient(logit, image)[0]).max(-1) > 0
    rows, columns = np.flatnonzero(touched.any(1)), np.flatnonzero(touched.any(0))
    assert rows[0] > 0 and rows[-1] < side - 1  # the field must not be cut by the border
    return np.ptp(rows) + 1, np.ptp(columns) + 1


@pytest.mark.parametrize("layers, field", [(1, 16), (2, 34), (3, 70)])
def test_receptive_field(layers, field):
    assert receptive_field(layers, 96) == (field, field)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_smallest_side_leaves_one_patch_and_one_pixel_less_leaves_none(layers):
    side = smallest_side(layers)
    network = Discriminator(2, layers)
    assert network(tf.zeros([1, side, side, 3])).shape == (1, 1, 1, 1)
    try:
        patches = tf.size(Discriminator(2, layers)(tf.zeros([1, side - 1, side - 1, 3])))
    except (ValueError, tf.errors.InvalidArgumentError):  # Keras refuses an output of side 0
        patches = 0
    assert patches == 0


@pytest.mark.parametrize(
    "layers, size, patches", [(3, (256, 256), (30, 30)), (3, (64, 64), (6, 6)), (2, (80, 64), (18, 14))]
)
def test_number_of_patches(layers, size, patches):
    """(256, 256) gives the public CycleGAN's 30 × 30."""
    logits = Discriminator(2, layers)(tf.zeros([2, *size, 3]))
    assert logits.shape == (2, *patches, 1) and logits.dtype == tf.float32


def parameters(filters: int, layers: int) -> int:
    channels = [3, filters, *(filters * min(2**i, 8) for i in range(1, layers + 1)), 1]
    pairs = list(itertools.pairwise(channels))
    weights = sum(16 * ins * outs for ins, outs in pairs)
    return weights + filters + 1 + sum(2 * outs for _, outs in pairs[1:-1])  # two biases; γ, β of the norms


@pytest.mark.parametrize("filters, layers", [(4, 1), (4, 2), (6, 3), (2, 5)])
def test_number_of_parameters(filters, layers):
    network = Discriminator(filters, layers)
    side = smallest_side(layers)
    network(tf.zeros([1, side, side, 3]))
    assert network.count_params() == parameters(filters, layers)


def test_full_size_is_the_public_cyclegan_but_for_its_norms_and_biases():
    """The public basic discriminator has 2,764,737 parameters, with a bias and without γ, β at the three norms."""
    network = Discriminator(64, 3)
    network(tf.zeros([1, 32, 32, 3]))
    assert network.count_params() - (128 + 256 + 512) == 2_764_737


def test_equal_seeds_give_equal_weights_and_no_two_layers_start_alike():
    first, again, other = discriminator(3), discriminator(3), discriminator(4)
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.abs(a.numpy() - b.numpy()).max() > 0 for a, b in zip(first.variables, other.variables))
    deep = Discriminator(4, 5, seed=0)
    deep(tf.zeros([1, 96, 96, 3]))
    kernels = [v for v in deep.variables if "kernel" in v.name]
    assert all(
        np.abs(a.numpy() - b.numpy()).max() > 0.02 for a, b in itertools.combinations(kernels, 2) if a.shape == b.shape
    )


def test_weights_start_from_a_normal_distribution_of_deviation_002():
    network = Discriminator(16, 3, seed=0)
    network(tf.zeros([1, 32, 32, 3]))
    for variable in network.trainable_variables:
        if "kernel" in variable.name:
            assert variable.numpy().std() == pytest.approx(0.02, rel=0.12)
        elif "bias" in variable.name:
            assert not variable.numpy().any()


def test_only_the_first_and_last_convolution_have_a_bias_and_no_norm():
    convolutions = [s for s in discriminator(layers=3).stages if isinstance(s, keras.layers.Conv2D)]
    assert [c.use_bias for c in convolutions] == [True, False, False, False, True]
    norms = [s for s in discriminator(layers=3).stages if isinstance(s, InstanceNormalization)]
    assert len(norms) == 3 and LEAK == 0.2


def test_logits_are_not_squashed_and_leak_downwards():
    network = discriminator()
    network.stages[-1].bias.assign([-50.0])
    assert network(images(1)).numpy().max() < -40
    leaky = [s for s in network.stages if isinstance(s, keras.layers.LeakyReLU)]
    np.testing.assert_allclose(leaky[0](tf.constant([-10.0, 10.0])), [-2.0, 10.0])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_gives_float32_logits(policy):
    mixed, full = Discriminator(8, 2, seed=3, dtype=policy), Discriminator(8, 2, seed=3)
    ours, theirs = mixed(images(2)), full(images(2))
    assert ours.dtype == tf.float32 and all(v.dtype == tf.float32 for v in mixed.variables)
    assert 0 < np.abs(ours - theirs).max() < 0.05
