"""Adam (Kingma & Ba 2014) that reads and writes each weight once a step, with a moving average of the weights."""

from __future__ import annotations

import tensorflow as tf


class FusedAdam(tf.keras.optimizers.Adam):
    """Keras' Adam with the same slots and the same mathematics, through TensorFlow's one kernel for the whole update.

    Keras writes the update as fifteen operations a variable, each a pass over memory: one to three percent of a training
    step (docs/performance.md). Dense gradients only.

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
            var=variable.handle, m=m.handle, v=v.handle, beta1_power=self._powers[0], beta2_power=self._powers[1],
            lr=self._rate, beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon, grad=gradient)

    def _update_model_variables_moving_average(self, var_list):
        def update(average, variable):
            # average − (1 − m) · (average − variable): a descent towards the weights
            tf.raw_ops.ResourceApplyGradientDescent(var=average.handle, alpha=1.0 - self.ema_momentum, delta=average - variable)

        if self.use_ema:
            for variable in var_list:
                average = self._model_variables_moving_average[self._index_dict[self._var_key(variable)]]
                self._distribution_strategy.extended.update(average, update, args=(variable,), group=False)
