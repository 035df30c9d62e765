"""Adam (Kingma & Ba 2014) that reads and writes each weight once a step, with a moving average of the weights."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.training.engine.learning_rate import Lowered


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with the same slots and the same mathematics, through TensorFlow's one kernel for the whole update.

    Keras writes the update as fifteen operations a variable, each a pass over memory: one to three percent of a
    training step (docs/performance.md). Dense gradients only.

    >>> weight = tf.Variable([1.0, 1.0])
    >>> optimizer = FusedAdam(0.1, jit_compile=False)
    >>> count = optimizer.apply_gradients([(tf.constant([2.0, -2.0]), weight)])
    >>> [round(float(value), 4) for value in weight.numpy()]
    [0.9, 1.1]
    """

    def _distributed_apply_gradients_fn(self, distribution, grads_and_vars, **kwargs):
        # Once a step, not once a variable.
        step = tf.cast(self.iterations + 1, tf.float32)
        self._powers = [tf.pow(tf.constant(beta, tf.float32), step) for beta in (self.beta_1, self.beta_2)]
        self._rate = tf.cast(self.learning_rate, tf.float32)
        try:
            return super()._distributed_apply_gradients_fn(distribution, grads_and_vars, **kwargs)
        finally:
            del self._powers, self._rate  # tensors of this graph

    def update_step(self, gradient, variable):
        m, v = (slots[self._index_dict[self._var_key(variable)]] for slots in (self._momentums, self._velocities))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=self._powers[0],
            beta2_power=self._powers[1],
            lr=self._rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def begin_average(self, variables: list[tf.Variable]) -> None:
        """The moving average begins at the present values; ``build`` began it at those of that moment."""
        for variable in variables:
            self._model_variables_moving_average[self._index_dict[self._var_key(variable)]].assign(variable)

    def _update_model_variables_moving_average(self, var_list):
        def update(average, variable):
            # average − (1 − m) · (average − variable): a descent towards the weights
            tf.raw_ops.ResourceApplyGradientDescent(
                var=average.handle, alpha=1.0 - self.ema_momentum, delta=average - variable
            )

        if self.use_ema:
            for variable in var_list:
                average = self._model_variables_moving_average[self._index_dict[self._var_key(variable)]]
                self._distribution_strategy.extended.update(average, update, args=(variable,), group=False)


def adam(
    rate, beta_1: float = 0.9, ema: float = 0.0, loss_scaling: bool = False, epsilon: float = 1e-8
) -> keras.optimizers.Optimizer:
    """Adam whose rate a fault can lower (``lower_rates``).

    With ``ema`` it also keeps a moving average of the weights, with ``loss_scaling`` it is wrapped for float16.

    ``epsilon``: TensorFlow's kernel, as Keras, takes the form of Kingma & Ba's last paragraph of section 2,
    w − α √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε̂), where the paper's algorithm 1, and the public CycleGAN's PyTorch, have
    w − α m̂ / (√v̂ + ε). They are equal for ε̂ = ε √(1 − β₂ᵗ), so that one number weighs more here in the first steps
    (at t = 1 as ε = 32 ε̂) and the same later on.
    """
    schedule = Lowered(rate)
    optimizer = FusedAdam(
        schedule,
        beta_1=beta_1,
        epsilon=epsilon,
        jit_compile=False,
        use_ema=ema > 0,
        ema_momentum=ema if ema > 0 else 0.99,
    )
    optimizer.lowered = schedule
    return keras.mixed_precision.LossScaleOptimizer(optimizer) if loss_scaling else optimizer
