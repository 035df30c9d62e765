"""The learning rate against the public CycleGAN's rule, written out with NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.training.engine.learning_rate import ConstantThenLinear


def cyclegan(step, rate, constant, decay):
    """networks.get_scheduler, lambda_rule: 1 − max(0, n − constant) / (decay + 1), n counted from 1 as epochs are.

    The first decaying step has decay / (decay + 1) of the rate, the last one 1 / (decay + 1), the one after it 0.
    """
    return rate * max(0.0, 1.0 - max(0, step + 1 - constant) / (decay + 1))


@pytest.mark.parametrize("constant, decay", [(100, 100), (4, 4), (0, 5), (7, 1), (10, 0)])
def test_rate_follows_the_rule_at_every_step(constant, decay):
    schedule = ConstantThenLinear(2e-4, constant, decay)
    steps = np.arange(constant + decay + 3)
    expected = [cyclegan(step, 2e-4, constant, decay) for step in steps]
    np.testing.assert_allclose(
        [float(schedule(tf.constant(s, tf.int64))) for s in steps], expected, rtol=1e-5, atol=1e-12
    )


def test_adam_takes_the_schedule_step_by_step():
    """Adam's step under a constant gradient is the rate itself: m̂ = g, v̂ = g²."""
    schedule = ConstantThenLinear(0.1, 2, 3)
    weight = tf.Variable(0.0)
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.5, epsilon=1e-12)
    moves = []
    for _ in range(5):
        before = weight.numpy()
        optimizer.apply_gradients([(tf.constant(3.0), weight)])
        moves.append(before - weight.numpy())
    np.testing.assert_allclose(moves, [float(schedule(s)) for s in range(5)], rtol=1e-4)
