"""A step of gradient descent that is taken wholly or not at all: only when every loss and every gradient is finite."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras


class Descent(NamedTuple):
    """What one optimizer is about to do: gradients are those of the global batch, the same on every replica."""

    optimizer: keras.optimizers.Optimizer
    loss: tf.Tensor  # of this replica
    pairs: list[tuple[tf.Tensor, tf.Variable]]
    norm: tf.Tensor  # of all gradients together


def descent(
    tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable], optimizer: keras.optimizers.Optimizer
) -> Descent:
    """The gradients of ``loss``, a replica's mean, summed over replicas, so that each counts by its share of the batch.

    With a ``LossScaleOptimizer`` gradients that overflow float16 are no fault while the scale can fall; ``norm`` is
    0 then.
    """
    scaling = isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)
    with tape:
        share = loss / tf.distribute.get_strategy().num_replicas_in_sync
        share = optimizer.get_scaled_loss(share) if scaling else share
    gradients = tape.gradient(share, variables)
    gradients = optimizer.get_unscaled_gradients(gradients) if scaling else gradients
    inner = optimizer.inner_optimizer if scaling else optimizer
    pairs = [(g, v) for g, v in inner.aggregate_gradients(list(zip(gradients, variables))) if g is not None]
    norm = tf.linalg.global_norm([tf.cast(g, tf.float32) for g, _ in pairs])
    if scaling and optimizer.dynamic:
        norm = tf.where(~tf.math.is_finite(norm) & (optimizer.loss_scale > 1.0), 0.0, norm)
    return Descent(optimizer, loss, pairs, norm)


def take(*descents: Descent) -> None:
    """All of the steps, or none of them on any replica where a loss or a norm is not finite.

    A step that is not taken leaves weights, moments, moving averages and step counts as they were, so that what is
    logged of it (the loss, the norm) is all that is left of it; ``StopOnNonFinite`` reads it there.
    """
    losses = tf.distribute.get_replica_context().all_reduce("sum", tf.add_n([d.loss for d in descents]))
    finite = tf.math.is_finite(losses) & tf.reduce_all(tf.math.is_finite([d.norm for d in descents]))
    gradients = [[g for g, _ in d.pairs] for d in descents]

    def apply(gradients):
        for d, some in zip(descents, gradients):
            d.optimizer.apply_gradients(zip(some, [v for _, v in d.pairs]), skip_gradients_aggregation=True)

    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        tf.cond(finite, lambda: _nothing(apply(gradients)), _nothing)
        return

    def across(strategy, finite, gradients):
        # As Keras' LossScaleOptimizer does: optimizers call merge_call, which no branch inside a replica may do.
        tf.cond(
            strategy.experimental_local_results(finite)[0],
            lambda: _nothing(strategy.extended.call_for_each_replica(apply, args=(gradients,))),
            _nothing,
        )

    tf.distribute.get_replica_context().merge_call(across, args=(finite, gradients))


def _nothing(*_) -> tf.Tensor:
    return tf.constant(0)


def gathered(values: tf.Tensor) -> tf.Tensor:
    """All replicas' values, in replica order; the gradient of each replica's part comes back to it from all."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas == 1:
        return values
    # a sum, since all_gather fails in workers of one device each: it wants a device's name where the graph has none
    context = tf.distribute.get_replica_context()
    own = tf.one_hot(context.replica_id_in_sync_group, replicas, dtype=values.dtype)
    spread = tf.reshape(own, [replicas] + [1] * values.shape.rank) * values[None]
    return tf.reshape(context.all_reduce(tf.distribute.ReduceOp.SUM, spread), [-1, *values.shape[1:]])


def replica_share(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Each value divided by the replicas: ``Model.fit`` adds logs up over replicas, and so shows their mean."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return {name: value / replicas for name, value in values.items()}
