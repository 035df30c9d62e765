"""The generator: sizes, parameters, first weights, precision and what its residual blocks compute."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from golden import generator, images
from scipy.signal import correlate

from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.models.build import build_synthesis
from iacyclegan_tf.models.generator import Generator, ResidualBlock
from iacyclegan_tf.models.layers import INITIAL_STDDEV, ResizeConvolution, seed_sequence

UPSAMPLINGS = ("transpose", "resize", "bilinear", ("bilinear", "resize"))


def kernels(network) -> list[tf.Variable]:
    return [v for v in network.trainable_variables if "kernel" in v.name]


@pytest.mark.parametrize("kind", UPSAMPLINGS)
@pytest.mark.parametrize("size", [(16, 16), (32, 24), (20, 36), (80, 64)])
def test_output_has_the_input_size_and_stays_in_range(kind, size):
    network = generator(upsampling_kind=kind)
    output = network(images(2, height=size[0], width=size[1])).numpy()
    assert output.shape == (2, *size, 3) and output.dtype == np.float32
    assert -1 <= output.min() < output.max() <= 1
    network.stages[-1].kernel.assign(1000 * network.stages[-1].kernel)
    assert np.abs(network(images(1, height=size[0], width=size[1]))).max() == 1  # tanh, also when driven far


def parameters(filters: int, blocks: int) -> int:
    """Added up from the paper trail: c7s1-f, d2f, d4f, n R4f, u2f, uf, c7s1-3; γ and β for each norm."""
    f = filters
    convolutions = [
        (7, 3, f),
        (3, f, 2 * f),
        (3, 2 * f, 4 * f),
        *[(3, 4 * f, 4 * f)] * (2 * blocks),
        (3, 4 * f, 2 * f),
        (3, 2 * f, f),
    ]
    count = sum(size * size * ins * outs + 2 * outs for size, ins, outs in convolutions)
    return count + 7 * 7 * f * 3 + 3  # the last has a bias and no norm


@pytest.mark.parametrize("kind", UPSAMPLINGS)
@pytest.mark.parametrize("filters, blocks", [(4, 1), (8, 0), (6, 3)])
def test_number_of_parameters(kind, filters, blocks):
    network = Generator(filters, blocks, kind)
    network(images(1))
    assert network.count_params() == parameters(filters, blocks)


def test_full_size_is_the_public_cyclegan_but_for_its_norms_and_biases():
    """The public resnet_9blocks has 11,378,179 parameters: no γ and β, but a bias at every convolution but ours."""
    network = Generator(64, 9, "transpose")
    network(tf.zeros([1, 16, 16, 3]))
    channels = 64 + 128 + 256 + 18 * 256 + 128 + 64
    assert network.count_params() - channels == 11_378_179  # 2 numbers a channel (γ, β) here, 1 (bias) there


def test_no_bias_before_a_norm():
    network = generator()
    biases = [v for v in network.trainable_variables if "bias" in v.name]
    assert [b.shape for b in biases] == [[3]]  # the last convolution's alone, which has no norm after it


@pytest.mark.parametrize("kind", UPSAMPLINGS)
def test_equal_seeds_give_equal_weights_and_other_seeds_others(kind):
    first, again, other = (Generator(4, 2, kind, seed=s) for s in (3, 3, 4))
    for network in (first, again, other):
        network(images(1))
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(np.abs(a.numpy() - b.numpy()).max() > 0 for a, b in zip(kernels(first), kernels(other), strict=True))


@pytest.mark.parametrize("seed", [0, 7, None])
def test_no_two_layers_start_alike(seed):
    network = Generator(4, 3, "resize", seed=seed)
    network(images(1))
    for a, b in itertools.combinations(kernels(network), 2):
        if a.shape == b.shape:
            assert np.abs(a.numpy() - b.numpy()).max() > INITIAL_STDDEV
            assert abs(np.corrcoef(a.numpy().ravel(), b.numpy().ravel())[0, 1]) < 0.15


def test_weights_start_from_a_normal_distribution_of_deviation_002():
    from scipy.stats import kstest

    network = Generator(16, 2, "transpose", seed=1)
    network(images(1))
    weights = np.concatenate([kernel.numpy().ravel() for kernel in kernels(network)])
    assert kstest(np.random.default_rng(0).choice(weights, 20_000) / 0.02, "norm").pvalue > 1e-3
    assert weights.std() == pytest.approx(0.02, rel=0.01) and np.abs(weights).max() > 0.06  # not truncated
    for kernel in kernels(network):
        assert kernel.numpy().std() == pytest.approx(0.02, rel=0.1)


def test_seeds_count_up_and_none_stays_none():
    assert list(itertools.islice(seed_sequence(5), 3)) == [5, 6, 7]
    assert list(itertools.islice(seed_sequence(None), 2)) == [None, None]


@pytest.mark.parametrize("seed", [2**31 - 1, 2**31, 2**33])
def test_large_seeds_work(seed):
    """Networks of a run have seeds (seed · 10 + which) · 10,000: beyond 2³¹ from a run's seed of 21,475 on."""
    np.testing.assert_array_equal(Generator(4, 1, seed=seed)(images(1)), Generator(4, 1, seed=seed)(images(1)))


@pytest.mark.parametrize("policy, tolerance", [("mixed_bfloat16", 0.06), ("mixed_float16", 0.01)])
def test_mixed_precision_gives_float32_close_to_float32(policy, tolerance):
    mixed, full = Generator(8, 1, seed=3, dtype=policy), Generator(8, 1, seed=3)
    ours, theirs = mixed(images(2)), full(images(2))
    assert ours.dtype == tf.float32 and all(v.dtype == tf.float32 for v in mixed.variables)
    assert mixed.stages[1].compute_dtype == policy.removeprefix("mixed_")
    error = np.abs(ours - theirs)
    assert error.max() > 0 and error.mean() < tolerance


def test_residual_block_equals_a_forward_pass_in_numpy():
    block = ResidualBlock(3, seed_sequence(2))
    x = np.random.default_rng(0).normal(size=[1, 6, 5, 3]).astype(np.float32)
    ours = block(x)

    def conv_norm(image, kernel):
        padded = np.pad(image, [(1, 1), (1, 1), (0, 0)], mode="reflect")
        out = np.stack([correlate(padded, k, "valid")[..., 0] for k in np.moveaxis(kernel.numpy(), -1, 0)], -1)
        return (out - out.mean((0, 1))) / np.sqrt(out.var((0, 1)) + 1e-5)

    image = x[0].astype(np.float64)
    theirs = image + conv_norm(np.maximum(conv_norm(image, block.conv1.kernel), 0), block.conv2.kernel)
    np.testing.assert_allclose(ours[0], theirs, atol=1e-4)


def test_down_and_up_reach_a_quarter_of_the_size():
    network, hidden, sizes = generator(), images(1), []
    for stage in network.stages:
        hidden = stage(hidden)
        sizes.append(hidden.shape[1])
    assert min(sizes) == 8 and sizes[-1] == 32


def test_bilinear_twice_for_photos_and_for_sketches_the_first_time():
    config = load_config(None, ["generator.upsampling=bilinear", "data.height=32", "data.width=32"])
    networks = build_synthesis(config, (32, 32, 3), seed=0)
    found = [
        [stage.bilinear for stage in network.stages if isinstance(stage, ResizeConvolution)]
        for network in (networks.photo_to_sketch, networks.sketch_to_photo)
    ]
    assert found == [[True, False], [True, True]]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_recomputing_the_blocks_changes_no_gradient(policy):
    plain, recomputing = (Generator(8, 2, seed=3, dtype=policy, recompute=recompute) for recompute in (False, True))
    x, found = images(1), []
    for network in (plain, recomputing):
        network(x)

        @tf.function
        def gradients(network=network):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_mean(tf.square(network(x, training=True) - 0.5))
            return loss, tape.gradient(loss, [x, *network.trainable_variables])

        found.append(gradients())
        # an export, or whoever only looks at the images, has nothing to go back to
        operations = {o.type for o in tf.function(network.call).get_concrete_function(x).graph.get_operations()}
        assert "IdentityN" not in operations
    assert float(found[0][0]) == float(found[1][0])
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)
