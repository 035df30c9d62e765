"""The learning rate: constant, then linearly down, and lower after a fault."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras


class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """``rate`` for ``constant_steps``, then linearly down, reaching 0 one step after the last of ``decay_steps``.

    rate(s) = rate · clip(1 − (s + 1 − constant) / (decay + 1), 0, 1) for step s = 0, 1, …: the first step of the
    decay is already lower and the last still above zero, as the public CycleGAN's rule does by epoch.
    """

    def __init__(self, rate: float, constant_steps: int, decay_steps: int):
        self.rate, self.constant_steps, self.decay_steps = float(rate), int(constant_steps), int(decay_steps)

    def __call__(self, step):
        done = tf.cast(step, tf.float32) + 1.0 - float(self.constant_steps)
        return self.rate * tf.clip_by_value(1.0 - done / float(self.decay_steps + 1), 0.0, 1.0)

    def get_config(self):
        return {"rate": self.rate, "constant_steps": self.constant_steps, "decay_steps": self.decay_steps}


class Lowered(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, or a number, times ``factor``, a variable that is 1 until a fault lowers it.

    Make it where the optimizer is made, inside the strategy's scope.
    """

    def __init__(self, rate):
        self.rate = rate
        self.factor = tf.Variable(1.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)

    def __call__(self, step):
        return (self.rate(step) if callable(self.rate) else self.rate) * self.factor

    def get_config(self):
        return {"rate": self.rate}


def lower_rates(model: keras.Model, factor: float) -> None:
    """Multiplies the rates of all optimizers of a model that ``adam`` made by ``factor``, not by those of before."""
    for name in ("optimizer", "generator_optimizer", "discriminator_optimizer"):
        optimizer = getattr(model, name, None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if schedule := getattr(optimizer, "lowered", None):
            schedule.factor.assign(factor)
