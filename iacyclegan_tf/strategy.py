"""One device or several GPUs: the ``tf.distribute`` strategy that everything is built and stepped in."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.errors import UserError


def make_strategy(devices: tuple[str, ...] = ()) -> tf.distribute.Strategy:
    """``MirroredStrategy`` over the named devices, or over all GPUs when there are several; else the default strategy.

    Raises ``UserError`` for a device that this machine does not have.
    """
    known = [f"{d.device_type}:{d.name.rpartition(':')[2]}" for d in tf.config.list_logical_devices()]
    for device in devices:
        if device.upper() not in known:
            raise UserError(f"distribute.devices names {device!r}; this machine has {', '.join(known)}.")
    gpus = [device for device in known if device.startswith("GPU")]
    chosen = [device.upper() for device in devices] or (gpus if len(gpus) > 1 else [])
    if len(chosen) > 1:
        return tf.distribute.MirroredStrategy(chosen)
    return tf.distribute.OneDeviceStrategy(chosen[0]) if chosen else tf.distribute.get_strategy()


def per_replica_batch(batch: int, strategy: tf.distribute.Strategy) -> int:
    """The global batch divided by the replicas; ``UserError`` with both numbers when it does not divide."""
    replicas = strategy.num_replicas_in_sync
    if batch % replicas:
        raise UserError(f"train.batch is {batch}, the batch over all replicas; it must be divisible by the "
                        f"{replicas} devices that train.")
    return batch // replicas


def replica_share(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Each value divided by the replicas: ``Model.fit`` adds logs up over replicas, and so shows their mean."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return {name: value / replicas for name, value in values.items()}
