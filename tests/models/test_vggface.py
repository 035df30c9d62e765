"""The recognizer: pixel door, trunk and embeddings against NumPy, and what it refuses."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from golden import images, recognizer
from numpy.lib.stride_tricks import sliding_window_view

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface import MEAN_RGB, Recognizer, trunk_shapes

CONVOLUTIONS = (2, 2, 3, 3, 3)  # of VGG-16, a pool after each group
LAYERS = ("pool1", "pool2", "pool3", "pool4", "pool5", "fc6", "fc7")


def convolve(x, kernel, bias):
    """``[H, W, C]`` with ``[3, 3, C, O]``, one pixel of zeros around."""
    windows = sliding_window_view(np.pad(x, [(1, 1), (1, 1), (0, 0)]), (3, 3), axis=(0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True) + bias


def batch_normalized(x, norm, training: bool):
    """Ioffe & Szegedy 2015 with ε = 1e-3: statistics of the batch in training, else those learned."""
    mean, variance = (
        (x.mean((0, 1, 2)), x.var((0, 1, 2))) if training else (norm.moving_mean.numpy(), norm.moving_variance.numpy())
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * norm.gamma.numpy() + norm.beta.numpy()


def forward(network: Recognizer, images: np.ndarray, training: bool = False) -> dict[str, np.ndarray]:
    """All named activations of images that have the network's size already, in float64."""
    x = (images.astype(np.float64) + 1) / 2 * 255 - np.array(network.mean_rgb.numpy(), np.float64)
    found = {}
    for stage, count in enumerate(CONVOLUTIONS):
        for i in range(count):
            layer = network.blocks[stage][i]
            x = np.stack([convolve(image, layer.kernel.numpy().astype(np.float64), layer.bias.numpy()) for image in x])
            if network.norms[stage]:
                x = batch_normalized(x, network.norms[stage][i], training)
            x = np.maximum(x, 0)
        number, height, width, channels = x.shape
        x = x.reshape(number, height // 2, 2, width // 2, 2, channels).max((2, 4))
        found[f"pool{stage + 1}"] = x
    x = x.reshape(len(x), -1)
    for name in ("fc6", "fc7"):
        layer = getattr(network, name)
        x = found[name] = np.maximum(x @ layer.kernel.numpy().astype(np.float64) + layer.bias.numpy(), 0)
    return found


def with_random_state(network: Recognizer) -> Recognizer:
    """Biases and the norms' parameters and statistics start at 0 and 1, where a mistake in them would not show."""
    rng = np.random.default_rng(3)
    for variable in network.variables:
        if "kernel" not in variable.name and "mean_rgb" not in variable.name:
            variable.assign_add(rng.uniform(0, 0.4, variable.shape))
    return network


@pytest.mark.parametrize(
    "normalization, training", [("none", False), ("none", True), ("batch", False), ("batch", True)]
)
def test_every_layer_equals_a_forward_pass_in_numpy(normalization, training):
    network = with_random_state(recognizer(1, normalization=normalization))
    batch = images(3, width=32)
    theirs = forward(network, batch.numpy(), training)
    for name, ours in zip(LAYERS, network.features(batch, LAYERS, training)):
        scale = np.abs(theirs[name]).max()
        assert scale > 0
        # statistics of three images with one position each, as in the last stage, enlarge rounding
        np.testing.assert_allclose(ours, theirs[name], atol=(1e-3 if training else 3e-5) * scale, err_msg=name)


def test_training_updates_the_statistics_of_batch_normalization_and_inference_does_not():
    network = recognizer(1, normalization="batch")
    norm, batch = network.norms[0][0], images(3, width=32)
    network(batch)
    assert not norm.moving_mean.numpy().any()
    network(batch, training=True)
    x = np.stack([convolve(i, network.blocks[0][0].kernel.numpy(), 0) for i in network.pixels(batch).numpy()])
    np.testing.assert_allclose(norm.moving_mean, 0.1 * x.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, 0.9 + 0.1 * x.var((0, 1, 2)), rtol=2e-3)


@pytest.mark.parametrize("embedding", ["pool4", "pool5", "fc6", "fc7"])
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_embedding_variables_are_those_that_the_embedding_depends_on(embedding, normalization):
    network, batch = recognizer(1, embedding, normalization), images(2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(batch, training=True) ** 3)
    gradients = tape.gradient(loss, network.trainable_variables)
    used = {v.ref() for v, gradient in zip(network.trainable_variables, gradients) if gradient is not None}
    assert used == {v.ref() for v in network.embedding_variables}


@pytest.mark.parametrize("embedding", ["pool4", "pool5", "fc6", "fc7"])
def test_embedding_is_the_layer_of_that_name_with_length_1(embedding):
    network = recognizer(1, embedding)
    batch = images(3)
    embeddings = network(batch).numpy()
    (feature,) = network.features(batch, (embedding,))
    flat = np.reshape(feature, [3, -1])
    np.testing.assert_allclose(embeddings, flat / np.linalg.norm(flat, axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert embeddings.shape == (3, network.embedding_length)


def test_features_do_not_depend_on_what_else_is_asked():
    network, batch = recognizer(1), images(2)
    together = dict(zip(LAYERS, network.features(batch, LAYERS)))
    for name in LAYERS:
        np.testing.assert_array_equal(network.features(batch, (name,))[0], together[name])
    turned = network.features(batch, ("fc6", "pool1"))
    assert [f.shape for f in turned] == [together["fc6"].shape, together["pool1"].shape]


def test_pixel_conversion_equals_numpy():
    """−1 -> 0, 1 -> 255, then the mean of the training faces is taken away, in R, G, B."""
    network = recognizer()
    batch = images(2, width=32)
    expected = np.round((batch.numpy() + 1) * 127.5, 12) - np.array([129.1863, 104.7624, 93.5940])
    np.testing.assert_allclose(network.pixels(batch), expected, atol=1e-4)
    black, white = (network.pixels(tf.fill([1, 32, 32, 3], v))[0, 0, 0].numpy() for v in (-1.0, 1.0))
    np.testing.assert_allclose(black, -np.array(MEAN_RGB), rtol=1e-6)
    np.testing.assert_allclose(white, 255 - np.array(MEAN_RGB), rtol=1e-6)


def test_resizing_of_images_of_other_sizes_is_bilinear():
    import cv2

    batch = images(1, height=50, width=40)
    resized = cv2.resize(batch[0].numpy(), (32, 32), interpolation=cv2.INTER_LINEAR)
    expected = (resized + 1) * 127.5 - np.float32(MEAN_RGB)
    np.testing.assert_allclose(recognizer().pixels(batch)[0], expected, atol=1e-2)


def test_images_of_unknown_size_in_a_graph_take_the_same_door():
    network = recognizer(1)
    graph = tf.function(network, input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    for batch in (images(2), images(1, height=32, width=32)):
        np.testing.assert_allclose(graph(batch), network(batch), atol=1e-6)


def test_gray_images_in_three_channels_give_finite_different_embeddings():
    gray = tf.repeat(images(2)[..., :1], 3, axis=-1)
    embeddings = recognizer(1)(gray).numpy()
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert embeddings[0] @ embeddings[1] < 1 - 1e-4


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_constant_images_give_finite_embeddings_and_gradients(value, normalization):
    network, batch = recognizer(1, normalization=normalization), tf.fill([1, 32, 32, 3], value)
    with tf.GradientTape() as tape:
        tape.watch(batch)
        embedding = network(batch)
    assert np.isfinite(embedding).all() and np.isfinite(tape.gradient(embedding, batch)).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_gradient_reaches_every_part_of_the_input(layer):
    network, batch = recognizer(1), images(1)
    with tf.GradientTape() as tape:
        tape.watch(batch)
        loss = tf.reduce_sum(tf.square(network.features(batch, (layer,))[0]))
    gradient = np.abs(tape.gradient(loss, batch)[0]).max(-1)
    assert np.isfinite(gradient).all() and (gradient > 0).mean() > 0.9


def test_gradient_equals_finite_differences():
    network, batch = recognizer(1), images(1, width=32)
    direction = tf.constant(np.random.default_rng(1).normal(size=batch.shape), tf.float32)
    target = np.random.default_rng(2).normal(size=256)

    def value(image):
        feature = forward(network, image[None])["fc7"][0]
        return feature @ target / np.linalg.norm(feature)

    with tf.GradientTape() as tape:
        tape.watch(batch)
        loss = tf.reduce_sum(network(batch) * tf.constant(target, tf.float32))
    ours = tf.reduce_sum(tape.gradient(loss, batch) * direction).numpy()
    step, image, along = 1e-6, batch[0].numpy().astype(np.float64), direction[0].numpy()
    theirs = (value(image + step * along) - value(image - step * along)) / (2 * step)
    assert ours == pytest.approx(theirs, rel=2e-3)


# ---------------------------------------------------------------- sizes and first weights


@pytest.mark.parametrize("width, size", [(0.0625, 32), (0.125, 64)])
def test_shapes_and_parameters_are_those_of_vgg16(width, size):
    network = Recognizer(width, size)
    network.build()
    shapes, count = trunk_shapes(width, size)
    assert network.count_params() - 3 == count  # but for the mean color
    assert len(shapes) == 13
    hidden, measured = tf.zeros([1, size, size, 3]), []
    for block in network.blocks:
        for layer in block:
            hidden = layer(hidden)
            measured.append((hidden.shape[1], hidden.shape[3]))
        hidden = tf.nn.max_pool2d(hidden, 2, 2, "SAME")
    assert shapes == measured


def test_full_size_has_the_parameters_of_vgg_face():
    """VGG-16 has 138,357,544 parameters with its 1000-way fc8 of 4,097,000; sources: Simonyan & Zisserman 2015,
    Keras."""
    shapes, count = trunk_shapes(1.0, 224)
    assert count == 138_357_544 - 4_097_000
    assert shapes[0] == (224, 64) and shapes[-1] == (14, 512)


def test_equal_seeds_give_equal_weights_and_no_two_layers_start_alike():
    first, again, other = recognizer(1), recognizer(1), recognizer(2)
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [v for v in first.trainable_variables if "kernel" in v.name]
    for a, b in itertools.combinations(kernels, 2):
        assert a.shape != b.shape or np.abs(a.numpy() - b.numpy()).max() > 0
    assert np.abs(first.fc7.kernel.numpy() - other.fc7.kernel.numpy()).max() > 0


@pytest.mark.parametrize("seed", [2**31 // 1000 + 1, 220_050_000, 10**12])
def test_large_seeds_work(seed):
    """A run's recognizer has the seed (seed · 10 + 5) · 10,000, each layer a thousand times that: beyond 2³¹ from 22
    on."""
    a, b = (Recognizer(0.0625, 32, seed=seed)(images(1)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_activations_start_neither_vanishing_nor_exploding():
    network = Recognizer(0.125, 64, seed=0)
    deviations = [float(tf.math.reduce_std(f)) for f in network.features(images(4, height=64, width=64), LAYERS)]
    assert all(0.05 < d < 10 for d in deviations), deviations


def test_mixed_precision_keeps_embeddings_float32_and_of_length_1():
    ours, theirs = recognizer(1, dtype="mixed_bfloat16")(images(2)), recognizer(1)(images(2))
    assert ours.dtype == tf.float32
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert (np.sum(ours * theirs, 1) > 0.99).all()


# ---------------------------------------------------------------- weights from a file


@dataclasses.dataclass
class Weights:
    """What ``load_vggface`` reads of a ``VGGFaceWeights``."""

    arrays: dict[str, np.ndarray]
    mean_rgb: tuple[float, float, float] = (100.0, 90.0, 80.0)
    has_top: bool = True


def weights_for(network: Recognizer, has_top: bool = True) -> Weights:
    rng = np.random.default_rng(9)
    layers = [layer for block in network.blocks for layer in block] + [network.fc6, network.fc7] * has_top
    return Weights(
        {
            f"{layer.name}/{part}": rng.normal(0, 0.05, getattr(layer, part).shape).astype(np.float32)
            for layer in layers
            for part in ("kernel", "bias")
        },
        has_top=has_top,
    )


def test_load_vggface_assigns_every_array_and_the_mean():
    network = recognizer(1)
    weights = weights_for(network)
    network.load_vggface(weights)
    for block in network.blocks:
        for layer in block:
            np.testing.assert_array_equal(layer.kernel, weights.arrays[f"{layer.name}/kernel"])
            np.testing.assert_array_equal(layer.bias, weights.arrays[f"{layer.name}/bias"])
    np.testing.assert_array_equal(network.fc7.kernel, weights.arrays["fc7/kernel"])
    np.testing.assert_allclose(network.pixels(-tf.ones([1, 32, 32, 3]))[0, 0, 0], [-100, -90, -80])


def test_load_vggface_names_the_layer_and_both_shapes_of_wrong_sizes():
    wider = Recognizer(0.125, 32)
    wider.build()
    network = recognizer(1)
    with pytest.raises(UserError, match=r"conv2_1.*\(3, 3, 8, 16\).*\(3, 3, 8, 8\).*recognizer.width=1.0"):
        network.load_vggface(weights_for(wider))


def test_load_vggface_refuses_another_input_size():
    larger = Recognizer(0.0625, 64)
    larger.build()
    with pytest.raises(UserError, match=r"fc6.*recognizer.input_size=224"):
        recognizer(1).load_vggface(weights_for(larger))


def test_load_vggface_refuses_a_build_with_norms():
    """VGG-Face has none: its weights under batch normalization would be another, untrained network."""
    network = recognizer(1, normalization="batch")
    with pytest.raises(UserError, match=r"recognizer\.normalization"):
        network.load_vggface(weights_for(network))


def test_weights_without_a_top_need_the_embedding_pool5():
    weights = weights_for(recognizer(), has_top=False)
    with pytest.raises(UserError, match=r"no fc6 and fc7.*recognizer.embedding is fc7"):
        recognizer().load_vggface(weights)
    network = recognizer(1, "pool5")
    network.load_vggface(weights)
    np.testing.assert_array_equal(network.blocks[0][0].kernel, weights.arrays["conv1_1/kernel"])
