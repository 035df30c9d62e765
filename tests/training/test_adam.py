"""The fused Adam against Keras' own, step by step, and its moving average against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.training.engine.adam import FusedAdam
from iacyclegan_tf.training.engine.learning_rate import ConstantThenLinear

SHAPES = ([3, 2, 5], [7], [])


def variables(seed: int = 0) -> list[tf.Variable]:
    random = np.random.default_rng(seed)
    return [tf.Variable(random.normal(size=shape).astype(np.float32)) for shape in SHAPES]


def steps_with(optimizer, weights, steps: int, wrap=tf.function) -> None:
    random = np.random.default_rng(1)

    @wrap
    def step(gradients):
        optimizer.apply_gradients(zip(gradients, weights))

    for _ in range(steps):
        step([tf.constant(random.normal(0, 3, shape), tf.float32) for shape in SHAPES])


@pytest.mark.parametrize("options", [{}, {"beta_1": 0.5}, {"beta_2": 0.9, "epsilon": 0.1}])
@pytest.mark.parametrize("wrap", [tf.function, lambda f: f])
def test_weights_and_slots_equal_those_of_keras(options, wrap):
    rate = ConstantThenLinear(0.1, 3, 6)
    ours, theirs = variables(), variables()
    fused = FusedAdam(rate, jit_compile=False, **options)
    plain = keras.optimizers.Adam(rate, jit_compile=False, **options)
    steps_with(fused, ours, 8, wrap)
    steps_with(plain, theirs, 8, wrap)
    for a, b in zip(ours + fused.variables, theirs + plain.variables, strict=True):
        # Keras takes 1 − 0.999 in Python's numbers, the kernel in float32's: 5e-5 apart
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=5e-6, err_msg=b.name)
    assert int(fused.iterations) == 8


def test_the_average_follows_the_weights():
    optimizer, weights = FusedAdam(0.1, jit_compile=False, use_ema=True, ema_momentum=0.75), variables()
    optimizer.build(weights)
    expected = [w.numpy().astype(np.float64) for w in weights]
    random = np.random.default_rng(2)
    for _ in range(5):
        optimizer.apply_gradients(
            [(tf.constant(random.normal(size=s), tf.float32), w) for s, w in zip(SHAPES, weights)]
        )
        expected = [0.75 * average + 0.25 * w.numpy() for average, w in zip(expected, weights)]
    assert max(np.abs(a - w.numpy()).max() for a, w in zip(expected, weights)) > 0.05
    optimizer.finalize_variable_values(weights)
    for average, weight in zip(expected, weights):
        np.testing.assert_allclose(weight, average, rtol=1e-5, atol=1e-6)


def test_a_state_written_by_keras_adam_is_read(tmp_path):
    """Same slots under the same names: a run begun with Keras' Adam goes on."""
    theirs, ours = variables(), variables(5)
    plain, fused = (make(0.1, jit_compile=False, use_ema=True) for make in (keras.optimizers.Adam, FusedAdam))
    steps_with(plain, theirs, 3)
    fused.build(ours)
    path = tf.train.Checkpoint(optimizer=plain, weights=theirs).write(str(tmp_path / "state"))
    tf.train.Checkpoint(optimizer=fused, weights=ours).read(path).assert_consumed()
    steps_with(plain, theirs, 2)
    steps_with(fused, ours, 2)
    for a, b in zip(ours + fused.variables, theirs + plain.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=5e-6)


def test_with_loss_scaling_a_step_that_overflows_changes_nothing_and_the_next_does():
    results = []
    for make in (FusedAdam, keras.optimizers.Adam):
        optimizer, weights = keras.mixed_precision.LossScaleOptimizer(make(0.1, jit_compile=False)), variables()
        before = [w.numpy() for w in weights]
        for value in (np.inf, 2.0**15):
            scaled = [(tf.fill(shape, np.float32(value)), w) for shape, w in zip(SHAPES, weights)]
            gradients = optimizer.get_unscaled_gradients([gradient for gradient, _ in scaled])
            optimizer.apply_gradients(zip(gradients, weights))
            changes = [b - w.numpy() for b, w in zip(before, weights)]
            assert all((change == 0).all() if np.isinf(value) else (change > 0.05).all() for change in changes)
        results.append(changes)
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_the_average_begins_at_the_weights_of_that_moment():
    """Networks are copied or drawn anew after ``build``: what was there then has no part in the average."""
    optimizer, weights = FusedAdam(0.1, jit_compile=False, use_ema=True, ema_momentum=0.75), variables()
    optimizer.build(weights)
    for weight in weights:
        weight.assign(weight + 100.0)
    optimizer.begin_average(weights)
    optimizer.finalize_variable_values(weights)
    for weight, first in zip(weights, variables(), strict=True):
        np.testing.assert_allclose(weight.numpy(), first.numpy() + 100.0, rtol=1e-6)
