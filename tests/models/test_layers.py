"""Instance normalization, reflection padding and up-sampling against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from golden import images

from iacyclegan_tf.models.layers import MAX_UNROLLED_BATCH, InstanceNormalization, ReflectionPadding2D, upsampling

EPSILON = 1e-5  # of the public CycleGAN


def reference(x, gamma, beta):
    x = np.asarray(x, np.float64)
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


def reference_gradients(x, gamma, dy):
    """By hand: dx = γ/σ · (dy − mean dy − x̂ · mean(dy x̂)), dγ = Σ dy x̂, dβ = Σ dy (Ioffe & Szegedy 2015)."""
    x, dy = np.asarray(x, np.float64), np.asarray(dy, np.float64)
    deviation = np.sqrt(x.var((1, 2), keepdims=True) + EPSILON)
    hat = (x - x.mean((1, 2), keepdims=True)) / deviation
    inner = dy - dy.mean((1, 2), keepdims=True) - hat * (dy * hat).mean((1, 2), keepdims=True)
    return gamma / deviation * inner, (dy * hat).sum((0, 1, 2)), dy.sum((0, 1, 2))


def norm_layer(channels: int, seed: int = 0, **options) -> InstanceNormalization:
    rng = np.random.default_rng(seed)
    layer = InstanceNormalization(**options)
    layer.build([None, None, None, channels])
    layer.gamma.assign(rng.normal(1, 0.5, channels))
    layer.beta.assign(rng.normal(0, 1, channels))
    return layer


def sample(batch: int, seed: int = 1, scale: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(0, scale, [batch, 7, 6, 5]) + rng.normal(0, 5, [batch, 1, 1, 5])).astype(np.float32)


def with_unknown_batch(function):
    return tf.function(function, input_signature=[tf.TensorSpec([None, 7, 6, 5], tf.float32)])


@pytest.mark.parametrize("batch", [1, 2, 3, MAX_UNROLLED_BATCH, MAX_UNROLLED_BATCH + 1])
@pytest.mark.parametrize("path", ["known batch", "unknown batch"])
def test_instance_normalization_equals_numpy_in_values_and_gradients(batch, path):
    layer, x = norm_layer(5), sample(batch)
    dy = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)
    call = layer if path == "known batch" else with_unknown_batch(layer.call)
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = call(inputs)
    gradients = tape.gradient(outputs, [inputs, layer.gamma, layer.beta], dy)
    np.testing.assert_allclose(outputs, reference(x, layer.gamma.numpy(), layer.beta.numpy()), rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(gradients, reference_gradients(x, layer.gamma.numpy(), dy)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-4)


def test_epsilon_is_added_to_the_variance():
    """At a deviation of 0.003 the variance is ε: another ε, or one outside the root, would be seen."""
    layer, x = norm_layer(5), sample(2, scale=0.003)
    x -= x.mean((1, 2), keepdims=True)
    expected = reference(x, layer.gamma.numpy(), layer.beta.numpy())
    for call in (layer, with_unknown_batch(layer.call)):
        np.testing.assert_allclose(call(tf.constant(x)), expected, rtol=1e-4, atol=1e-5)


def test_images_of_a_batch_do_not_influence_each_other():
    layer, x = norm_layer(5), sample(3)
    alone = np.concatenate([layer(tf.constant(x[i : i + 1])) for i in range(3)])
    np.testing.assert_allclose(layer(tf.constant(x)), alone, atol=1e-6)


@pytest.mark.parametrize("call_of", [lambda layer: layer, lambda layer: with_unknown_batch(layer.call)])
def test_constant_image_gives_beta_and_finite_gradients(call_of):
    layer = norm_layer(5)
    inputs = tf.fill([2, 7, 6, 5], 117.0)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = call_of(layer)(inputs)
        loss = tf.reduce_sum(outputs**2)
    assert np.abs(outputs - layer.beta.numpy()).max() < 1e-3
    assert np.isfinite(tape.gradient(loss, inputs)).all()


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("batch", [2, MAX_UNROLLED_BATCH + 1])
def test_statistics_are_float32_under_low_precision(kind, batch):
    """At 100 ± 3 a mean in bfloat16 (steps of 0.5) or a sum of squares in float16 (beyond 65504) would be far off."""
    layer = norm_layer(5, dtype=f"mixed_{kind}")
    x = tf.cast(sample(batch) + 100, kind)
    y = layer(x)
    expected = reference(tf.cast(x, tf.float32).numpy(), layer.gamma.numpy(), layer.beta.numpy())
    assert y.dtype == kind and layer.gamma.dtype == layer.beta.dtype == tf.float32
    step = 2.0**-8 if kind == "bfloat16" else 2.0**-11  # half a unit in the last place, relative
    # one rounding of the output, one of γ and β each
    np.testing.assert_allclose(tf.cast(y, tf.float32), expected, rtol=3 * step, atol=6 * step)


@pytest.mark.parametrize("padding", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("size", [(7, 6), (8, 8), (13, 9)])  # also too small to be taken apart
def test_reflection_padding_equals_numpy(padding, dtype, size):
    x = np.random.default_rng(0).normal(size=[2, *size, 3]).astype(dtype)
    layer = ReflectionPadding2D(padding, dtype=dtype)
    edges = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    expected = np.pad(x, edges, mode="reflect")
    np.testing.assert_array_equal(layer(tf.constant(x)), expected)
    unknown = tf.function(layer.call, input_signature=[tf.TensorSpec([None, None, None, 3], dtype)])
    np.testing.assert_array_equal(unknown(tf.constant(x)), expected)


@pytest.mark.parametrize("padding, size", [(1, (7, 6)), (3, (7, 6)), (3, (8, 11))])
def test_the_gradient_of_reflection_padding_goes_back_to_where_each_pixel_came_from(padding, size):
    x, p = tf.zeros([1, *size, 2]), padding
    dy = np.random.default_rng(0).normal(size=[1, size[0] + 2 * p, size[1] + 2 * p, 2]).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ReflectionPadding2D(padding)(x)
    source = np.pad(np.arange(size[0] * size[1]).reshape(size), p, mode="reflect")
    expected = np.zeros([size[0] * size[1], 2])
    np.add.at(expected, source.ravel(), dy[0].reshape(-1, 2))
    np.testing.assert_allclose(tape.gradient(y, x, dy)[0], expected.reshape(*size, 2), atol=1e-5)


@pytest.mark.parametrize("kind", ["transpose", "resize", "bilinear"])
@pytest.mark.parametrize("size", [(8, 6), (5, 3), (1, 1)])
def test_upsampling_doubles_height_and_width(kind, size):
    x = images(2, height=size[0], width=size[1])
    for layer in upsampling(kind, 7, "glorot_uniform", "float32"):
        x = layer(x)
        assert not hasattr(layer, "bias") or layer.bias is None
    assert x.shape == (2, 2 * size[0], 2 * size[1], 7)


@pytest.mark.parametrize("shape", [(2, 7, 6), (1, 1, 1)])
def test_resize_repeats_each_pixel_and_convolves(shape):
    from scipy.signal import correlate

    x = np.random.default_rng(0).normal(size=[*shape, 5]).astype(np.float32)
    _, conv = upsampling("resize", 2, "glorot_uniform", "float32")
    result = conv(x)
    for image, ours in zip(x, result):
        doubled = np.pad(image.repeat(2, 0).repeat(2, 1), [(1, 1), (1, 1), (0, 0)])
        expected = np.stack(
            [correlate(doubled, k, "valid")[..., 0] for k in np.moveaxis(conv.kernel.numpy(), -1, 0)], -1
        )
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 4, 6), (1, 1, 5)])
def test_bilinear_is_half_pixel_interpolation_with_zeros_around_and_convolves(shape):
    """By TensorFlow's own resizing of the image with a frame of zeros, of which the enlarged frame is cut off."""
    x = np.random.default_rng(0).normal(size=[*shape, 5]).astype(np.float32)
    _, conv = upsampling("bilinear", 3, "glorot_uniform", "float32")
    result = conv(x)
    framed = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)])
    enlarged = tf.image.resize(framed, [2 * side for side in framed.shape[1:3]], "bilinear")
    expected = tf.nn.conv2d(enlarged, conv.kernel, 1, "SAME")[:, 4:-4, 4:-4]
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert conv.bilinear


def test_resize_has_the_gradients_of_repeating_and_convolving():
    random = np.random.default_rng(0)
    x, dy = (tf.constant(random.normal(size=shape), tf.float32) for shape in ([2, 5, 4, 3], [2, 10, 8, 6]))
    _, conv = upsampling("resize", 6, "glorot_uniform", "float32")
    conv.build(x.shape)
    gradients = []
    for function in (conv, lambda x: tf.nn.conv2d(tf.repeat(tf.repeat(x, 2, 1), 2, 2), conv.kernel, 1, "SAME")):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        gradients.append(tape.gradient(y, [x, conv.kernel], dy))
    for ours, theirs in zip(*gradients):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_resize_of_unknown_size_and_in_bfloat16():
    _, conv = upsampling("resize", 4, "glorot_uniform", "mixed_bfloat16")
    x = tf.cast(images(2, height=6, width=4), tf.bfloat16)
    y = conv(x)
    assert y.dtype == tf.bfloat16 and conv.kernel.dtype == tf.float32
    unknown = tf.function(conv.call, input_signature=[tf.TensorSpec([None, None, None, 3], tf.bfloat16)])
    np.testing.assert_array_equal(tf.cast(unknown(x), tf.float32), tf.cast(y, tf.float32))


def test_transpose_is_the_adjoint_of_a_stride_2_convolution():
    """⟨conv(a), b⟩ = ⟨a, transposed(b)⟩, with TensorFlow's forward convolution as the other side."""
    (layer,) = upsampling("transpose", 4, "glorot_uniform", "float32")
    b = images(1, height=8, width=6)
    up = layer(b)
    a = tf.constant(np.random.default_rng(0).normal(size=[1, 16, 12, 4]), tf.float32)
    down = tf.nn.conv2d(a, layer.kernel, 2, "SAME")
    np.testing.assert_allclose(tf.reduce_sum(down * b), tf.reduce_sum(a * up), rtol=1e-4, atol=1e-4)
