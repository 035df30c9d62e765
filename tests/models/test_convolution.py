"""Convolutions put another way are the same convolutions: values, gradients and variables of Keras' own."""

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.models.convolution import Convolution

# size, kernel, channels in, channels out: onto few, from few, both, neither; 4×4 as in the discriminator; odd results
CASES = [
    ((14, 12), 7, 5, 3),
    ((14, 12), 7, 3, 5),
    ((10, 8), 3, 3, 3),
    ((8, 7), 3, 5, 6),
    ((11, 9), 4, 6, 1),
    ((13, 9), 7, 5, 3),
    ((13, 9), 7, 3, 5),
]


def both(case, dtype="float32", **options):
    """Results and gradients of ``Convolution`` and of Keras' layer with its variables."""
    (height, width), size, ins, outs = case
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=[2, height, width, ins]), tf.float32)
    ours, theirs = (
        kind(outs, size, dtype=dtype, bias_initializer="normal", **options)
        for kind in (Convolution, keras.layers.Conv2D)
    )
    for layer in (ours, theirs):
        layer.build(x.shape)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        b.assign(a)
        assert a.name == b.name.replace("conv2d", "convolution") and a.dtype == tf.float32
    found = []
    for layer, training in ((ours, {"training": True}), (ours, {}), (theirs, {})):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, **training)
        dy = tf.constant(np.random.default_rng(1).normal(size=y.shape), y.dtype)
        found.append([y, *tape.gradient(y, [x, *layer.trainable_weights], dy)])
    return found


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("use_bias", [True, False])
def test_float32_equals_keras(case, use_bias):
    training, inference, plain = both(case, use_bias=use_bias)
    for ours in (training, inference):
        for a, b in zip(ours, plain, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "options", [{"strides": 2}, {"padding": "same"}, {"padding": "same", "strides": 2}, {"activation": "relu"}]
)
def test_options_of_keras_are_heeded(options):
    training, _, plain = both(((10, 8), 3, 3, 3), **options)
    for a, b in zip(training, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", [((6, 5), 3, 128, 136), ((6, 5), 4, 136, 128), *CASES[:2]])
def test_bfloat16_is_as_near_to_float32_as_keras_is(case):
    training, _, plain = both(case, "mixed_bfloat16")
    exact = both(case)[-1]
    for ours, theirs, truth in zip(training, plain, exact, strict=True):
        assert ours.dtype == theirs.dtype
        error, allowed = (np.abs(np.asarray(tf.cast(v, tf.float32)) - truth) for v in (ours, theirs))
        assert 0 < error.mean() < 1.5 * allowed.mean()  # one rounding more where the bias is added apart


def test_unknown_sizes_work():
    layer = Convolution(3, 7)
    x = tf.constant(np.random.default_rng(0).normal(size=[1, 14, 12, 5]), tf.float32)
    known = layer(x)
    unknown = tf.function(layer.call, input_signature=[tf.TensorSpec([None, None, None, 5])])
    np.testing.assert_allclose(unknown(x), known, atol=1e-5)


def test_exports_have_no_gradients_of_our_own():
    """A SavedModel with custom gradients warns whoever loads it."""

    def operations(training):
        layer = Convolution(8, 7)
        function = tf.function(lambda x: layer(x, training=training)).get_concrete_function(
            tf.TensorSpec([1, 16, 16, 3])
        )
        return {operation.type for operation in function.graph.get_operations()}

    assert "IdentityN" in operations(True) and "IdentityN" not in operations(False)
