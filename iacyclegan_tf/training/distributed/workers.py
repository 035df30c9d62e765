"""What the worker processes of a run tell each other, beside the gradients of a step.

Every worker runs the same program, so that each collective operation finds its partners; the chief (worker 0) decides
what is done already, reads and keeps. A run of one process is a worker alone: nothing is sent and nothing costs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.command_line import WorkerLost
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.streams.batches import Worker
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.training.distributed.cluster import Cluster

# What TensorFlow raises in the others when a worker is gone, hangs (its health check, docs/scaling.md) or was restarted.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
    tf.errors.DeadlineExceededError,
)


class Workers:
    """The workers of ``strategy``, a ``MultiWorkerMirroredStrategy`` over ``cluster``; without them one process alone.

    Every method must be called by all workers, in the same order.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, cluster: Cluster | None = None):
        self.strategy, self.cluster = strategy, cluster
        self.number, self.count = (cluster.number, cluster.count) if cluster else (0, 1)
        self.kept, self.kept_any = hashlib.sha256(), False  # over all networks that the run has left
        self._sums = {
            dtype: tf.function(self._sum_over_workers, input_signature=[tf.TensorSpec([None], dtype)])
            for dtype in (tf.float32, tf.float64)
        }

    @property
    def chief(self) -> bool:
        return self.number == 0

    @property
    def alone(self) -> bool:
        return self.count == 1

    @property
    def stream_worker(self) -> Worker:
        """This worker's part of every batch, cut for its devices."""
        return (
            Worker()
            if self.alone
            else Worker(self.number, self.count, self.strategy.num_replicas_in_sync // self.count)
        )

    def fed(self, dataset: tf.data.Dataset):
        """A dataset of ``stream_worker``'s parts, as ``Model.fit`` wants it."""
        # tf.data neither divides it nor batches it anew: the streams have done that, exactly
        return dataset if self.alone else self.strategy.distribute_datasets_from_function(lambda context: dataset)

    def agree(self, value):
        """The chief's ``value`` (JSON) on all workers."""
        if self.alone:
            return value
        text = np.frombuffer(json.dumps(value if self.chief else None).encode(), np.uint8)
        length = int(self._sum(np.float64(len(text) if self.chief else 0)))
        padded = np.zeros(length, np.float32)
        if self.chief:
            padded[:] = text
        return json.loads(self._sum(padded).astype(np.uint8).tobytes())

    def agree_on_data(self, split_hash: str) -> None:
        """``UserError`` on the workers that have read other people than the chief."""
        chiefs = self.agree(split_hash)
        if chiefs != split_hash:
            raise UserError(
                f"{self.cluster.name} has read other data than the chief: the split's SHA-256 is {split_hash[:12]} "
                f"here and {chiefs[:12]} there. Every worker needs the same files under data.root."
            )

    def agree_on_people(self, made_from: dict) -> None:
        """``UserError`` on the workers that have read other photos under ``recognizer.pretrain_root`` than the chief."""
        if self.agree(made_from) != made_from:
            raise UserError(
                f"{self.cluster.name} has read other photos of people than the chief. Every worker needs the same "
                "files under recognizer.pretrain_root."
            )

    def largest(self, number: int) -> int:
        """Of the small whole numbers that the workers give; cheap, since it is called after every step."""
        if self.alone:
            return number
        numbers = np.zeros(self.count, np.float32)
        numbers[self.number] = number
        return int(self._sum(numbers).max())

    def share(self, objects: tf.train.Checkpoint) -> None:
        """Gives every variable under ``objects`` the chief's value on all workers."""
        for variable in [] if self.alone else _variables(objects):
            value = _own_value(variable)
            # exactly: whole numbers as double precision, which holds them up to 2^53
            sent = value if value.dtype in (np.float32, np.float64) else value.astype(np.float64)
            variable.assign(self._sum(sent if self.chief else np.zeros_like(sent)).astype(value.dtype))

    def gather_pools(self, pools: Sequence[ImagePool]) -> None:
        """Each replica's images, which only its own worker knows, to all: so the chief's checkpoint holds all pools."""
        for variable in [] if self.alone else [v for pool in pools for v in (pool.images, pool.stored)]:
            rows, value = self.stream_worker.replicas, variable.numpy()
            known = np.zeros(value.shape, np.float32)
            own = slice(self.number * rows, (self.number + 1) * rows)
            known[own] = value[own]
            variable.assign(self._sum(known).astype(value.dtype))

    def settle(self, objects: tf.train.Checkpoint) -> None:
        """Statistics that each replica keeps for itself (batch normalisation) become their mean, which is what is saved.

        So a run that goes on from a checkpoint is the run that was never stopped. Also for several devices of one process.
        """
        replicas = self.strategy.num_replicas_in_sync if self.strategy else 1
        for variable in _variables(objects) if replicas > 1 else []:
            if variable.synchronization == tf.VariableSynchronization.ON_READ:
                variable.assign(variable.numpy())

    def same(self, objects: tf.train.Checkpoint) -> bool:
        """Whether every variable under ``objects`` holds the same bits on all workers."""
        if self.alone:
            return True
        rows, own = np.zeros([self.count, 32], np.float32), bytes.fromhex(fingerprint(objects))
        rows[self.number] = np.frombuffer(own, np.uint8)
        rows = self._sum(rows)
        return bool((rows == rows[0]).all())

    def part(self) -> None:
        """Waits until all workers are done."""
        self.agree(None)
        try:
            self.agree(None)  # stays until all have heard the first
        except _LOST:
            pass  # who hears the second first may be gone already; everything was done before it

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around everything that all workers do together: one that is lost ends it with a sentence on the others.

        Raises ``WorkerLost``.
        """
        try:
            yield
        except _LOST as error:
            if self.alone:
                raise
            raise WorkerLost(
                f"{self.cluster.name} has lost {_lost_worker(str(error), self.cluster)} and stops "
                f"({_reason(str(error))}). The reason may be in that worker's output. Start the same command again on all workers: "
                "they go on from the last checkpoint."
            ) from error

    def _sum(self, value: np.ndarray) -> np.ndarray:
        """Over all workers, of float arrays; each worker counts once, however many devices it has."""
        value = np.asarray(value)
        return self._sums[tf.as_dtype(value.dtype)](tf.constant(value.reshape(-1))).numpy().reshape(value.shape)

    def _sum_over_workers(self, value: tf.Tensor) -> tf.Tensor:
        def one():
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % self.stream_worker.replicas == 0
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, value, tf.zeros_like(value)))

        return self.strategy.experimental_local_results(self.strategy.run(one))[0]


def fingerprint(objects: tf.train.Checkpoint) -> str:
    """SHA-256 (hex) over the values of all variables under ``objects``."""
    digest = hashlib.sha256()
    for variable in _variables(objects):
        digest.update(np.ascontiguousarray(_own_value(variable)).tobytes())
    return digest.hexdigest()


def _variables(objects: tf.train.Checkpoint) -> list[tf.Variable]:
    """In the order in which they are reached, which is the same on all workers."""
    return [one for one in tf.train.TrackableView(objects).descendants() if isinstance(one, tf.Variable)]


def _own_value(variable: tf.Variable) -> np.ndarray:
    """On this worker's first device. Plain reading takes the mean over all workers where each keeps its own."""
    local = getattr(variable, "values", None)  # of a distributed variable, one for each device of this worker
    return (local[0] if local else variable).numpy()


def _reason(message: str) -> str:
    """What the network said, out of TensorFlow's account of it."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = [
        line for line in lines if re.search(r"(?i)socket|connect|is down|restarted|deadline|timed? ?out|cancel", line)
    ]
    return (telling or lines or ["no reason given"])[0][:200]


def _lost_worker(message: str, cluster: Cluster) -> str:
    """The worker that TensorFlow's error names, where it does."""
    numbers = {int(number) for number in re.findall(r"/job:worker/replica:0/task:(\d+)", message)} - {cluster.number}
    known = [number for number in sorted(numbers) if number < cluster.count]
    return f"worker {known[0]} ({cluster.addresses[known[0]]})" if len(known) == 1 else "another worker"
