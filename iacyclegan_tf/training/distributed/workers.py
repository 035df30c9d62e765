"""What the worker processes of a run tell each other, beside the gradients of a step.

Every worker runs the same program, so that each collective operation finds its partners; the chief (worker 0) decides
what is done already, reads and keeps. A run of one process is a worker alone: nothing is sent and nothing costs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.run_command import WorkerLost
from iacyclegan_tf.data.streams.batches import Worker
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.training.distributed.cluster import Cluster

# What TensorFlow raises in the others when a worker is gone, hangs (its health check) or was restarted.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
    tf.errors.DeadlineExceededError,
)


class Workers:
    """The workers of ``strategy``, a ``MultiWorkerMirroredStrategy`` over ``cluster``; without it one process alone.

    Every method must be called by all workers, in the same order.
    """

    def __init__(self, strategy: tf.distribute.Strategy, cluster: Cluster | None = None):
        self.strategy, self.cluster = strategy, cluster
        self.number, self.count = (cluster.number, cluster.count) if cluster else (0, 1)
        self._summed = tf.function(self._sum_over_workers, input_signature=[tf.TensorSpec([None], tf.float64)])

    @property
    def chief(self) -> bool:
        return self.number == 0

    @property
    def alone(self) -> bool:
        return self.count == 1

    @property
    def stream_worker(self) -> Worker:
        """This worker's part of every batch, cut for its devices."""
        if self.alone:
            return Worker()
        return Worker(self.number, self.count, self.strategy.num_replicas_in_sync // self.count)

    def fed(self, dataset: tf.data.Dataset):
        """A dataset of ``stream_worker``'s parts, as ``Model.fit`` wants it."""
        # tf.data neither divides it nor batches it anew: the streams have done that, exactly
        return dataset if self.alone else self.strategy.distribute_datasets_from_function(lambda context: dataset)

    def agree(self, value):
        """The chief's ``value`` (JSON) on all workers."""
        if self.alone:
            return value
        text = np.frombuffer(json.dumps(value).encode() if self.chief else b"", np.uint8)
        sent = np.zeros(int(self._sum(np.array([text.size]))[0]))
        sent[: text.size] = text
        return json.loads(self._sum(sent).astype(np.uint8).tobytes())

    def refuse_other(self, value, what: str) -> None:
        """``UserError`` on the workers whose ``value`` (JSON) is not the chief's; ``what`` they then have read."""
        if self.agree(value) != value:
            raise UserError(
                f"{self.cluster.name} has read other {what} than the chief. Every worker needs the same files."
            )

    def largest(self, number: int) -> int:
        """The largest of the small whole numbers that the workers give; cheap, since it is called after every step."""
        if self.alone:
            return number
        return int(self._sum(np.eye(self.count)[self.number] * number).max())

    def share(self, objects: tf.train.Checkpoint) -> None:
        """Gives every variable under ``objects`` the chief's value on all workers, exactly (integers up to 2⁵³)."""
        for variable in [] if self.alone else _variables(objects):
            value = _own_value(variable)
            sent = self._sum(value if self.chief else np.zeros_like(value))
            variable.assign(sent.astype(value.dtype))

    def settle(self, objects: tf.train.Checkpoint, pools: Sequence[ImagePool] = ()) -> None:
        """Before saving: what each replica or worker keeps for itself becomes the same on all.

        Statistics of batch normalization become their mean, also for several devices of one process, and every worker
        gets all images of ``pools``. So a run that goes on from a checkpoint is the run that was never stopped.
        """
        for variable in _variables(objects) if self.strategy.num_replicas_in_sync > 1 else []:
            if variable.synchronization == tf.VariableSynchronization.ON_READ:
                variable.assign(variable.numpy())
        for variable in [] if self.alone else [v for pool in pools for v in (pool.images, pool.stored)]:
            rows, value = self.stream_worker.replicas, variable.numpy()
            own = np.zeros_like(value)
            mine = slice(self.number * rows, (self.number + 1) * rows)
            own[mine] = value[mine]
            variable.assign(self._sum(own).astype(value.dtype))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Around everything that all workers do: waits for all at its end; ``WorkerLost`` where one is gone before."""
        try:
            yield
            self.agree(None)
        except _LOST as error:
            if self.alone:
                raise
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")[:200]
            lost = _lost_worker(str(error), self.cluster)
            raise WorkerLost(
                f"{self.cluster.name} has lost {lost} and stops ({said}). The reason may be in that worker's output. "
                "Start the same command again on all workers: they go on from the last checkpoint."
            ) from error
        with suppress(*_LOST):  # stays until all have heard the first; who hears this one first may be gone already
            self.agree(None)

    def _sum(self, value: np.ndarray) -> np.ndarray:
        """Over all workers, as double precision; each worker counts once, however many devices it has."""
        sent = np.asarray(value, np.float64)
        return self._summed(tf.constant(sent.reshape(-1))).numpy().reshape(sent.shape)

    def _sum_over_workers(self, value: tf.Tensor) -> tf.Tensor:
        def one():
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % self.stream_worker.replicas == 0
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, value, tf.zeros_like(value)))

        return self.strategy.experimental_local_results(self.strategy.run(one))[0]


def _variables(objects: tf.train.Checkpoint) -> list[tf.Variable]:
    """In the order in which they are reached, which is the same on all workers."""
    return [one for one in tf.train.TrackableView(objects).descendants() if isinstance(one, tf.Variable)]


def _own_value(variable: tf.Variable) -> np.ndarray:
    """The value on this worker's first device. Plain reading takes the mean over all workers where each has its own."""
    local = getattr(variable, "values", None)  # of a distributed variable, one for each device of this worker
    return (local[0] if local else variable).numpy()


def _lost_worker(message: str, cluster: Cluster) -> str:
    """The worker that TensorFlow's error names, where it does."""
    numbers = {int(number) for number in re.findall(r"/job:worker/replica:0/task:(\d+)", message)} - {cluster.number}
    known = [number for number in sorted(numbers) if number < cluster.count]
    return f"worker {known[0]} ({cluster.addresses[known[0]]})" if len(known) == 1 else "another worker"
