"""One device, several GPUs or several machines: the ``tf.distribute`` strategy that everything is built in."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.training.distributed.cluster import Cluster


def make_strategy(devices: tuple[str, ...] = (), cluster: Cluster | None = None) -> tf.distribute.Strategy:
    """``MirroredStrategy`` over the named devices, or over all GPUs when there are several; else the default strategy.

    With a ``cluster``, ``MultiWorkerMirroredStrategy`` over all devices of all its workers; returns once all are there,
    and must come before TensorFlow's first operation.

    Raises ``UserError`` for a device that this machine does not have, and where a worker cannot listen at its address.
    """
    if cluster is not None:
        return _over_workers(devices, cluster)
    known = [f"{d.device_type}:{d.name.rpartition(':')[2]}" for d in tf.config.list_logical_devices()]
    for device in devices:
        if device.upper() not in known:
            raise UserError(f"distribute.devices names {device!r}; this machine has {', '.join(known)}.")
    gpus = [device for device in known if device.startswith("GPU")]
    chosen = [device.upper() for device in devices] or (gpus if len(gpus) > 1 else [])
    if len(chosen) > 1:
        return tf.distribute.MirroredStrategy(chosen)
    return tf.distribute.OneDeviceStrategy(chosen[0]) if chosen else tf.distribute.get_strategy()


def _over_workers(devices: tuple[str, ...], cluster: Cluster) -> tf.distribute.Strategy:
    if devices:
        raise UserError(
            f"distribute.devices is {list(devices)}, but with TF_CONFIG each worker trains on all its GPUs, or its "
            "CPU; leave it empty and choose GPUs with CUDA_VISIBLE_DEVICES."
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError) as error:
        raise UserError(
            f"{cluster.name} cannot join the others: {str(error).splitlines()[0][:300]}. Each worker listens at its "
            "own address in TF_CONFIG, which must be free and lie on this machine."
        ) from None
