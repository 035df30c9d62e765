"""A run of several worker processes: how one of them joins, trains and ends.

All run the same program on the same data. Only the chief keeps anything: each other worker's run folder lies in a
temporary place, to which it writes what TensorFlow wants written by all (``Engine.train``); it speaks of itself only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.terminal import say
from iacyclegan_tf.config.settings import Config, as_dict, flat
from iacyclegan_tf.training.distributed.cluster import Cluster
from iacyclegan_tf.training.start import settle, start

# Settings that each worker may have for itself. All others decide what all do together, also after a fault.
_OWN = ("runs_dir", "savedmodels_dir", "export.", "data.root")


def train_as_worker(config: Config, cluster: Cluster, console) -> None:
    """Raises ``WorkerLost`` when another worker ends before the run does; ``UserError`` as ``start``."""
    say(console, f"This is {cluster.name}; waiting until all of {', '.join(cluster.addresses)} are there")
    settle(config)
    from iacyclegan_tf.training.distributed.strategy import make_strategy
    from iacyclegan_tf.training.distributed.workers import Workers

    workers = Workers(make_strategy(config.distribute.devices, cluster), cluster)
    with workers.together():
        _refuse_other_settings(config, workers)
        with _own_folders(config, cluster, console) as (own, speaking):
            start(own, speaking, workers)
    say(console, f"{cluster.name} is done")


def _refuse_other_settings(config: Config, workers) -> None:
    own = flat(as_dict(config))
    chiefs = workers.agree(own)
    other = [
        f"{key}: {chiefs.get(key)!r} there, {own[key]!r} here"
        for key in own
        if not key.startswith(_OWN) and chiefs.get(key) != own[key]
    ]
    if other:
        raise UserError(
            f"{workers.cluster.name} was started with other settings than the chief ({'; '.join(other[:4])}); start "
            "all workers with the same command."
        )


@contextmanager
def _own_folders(config: Config, cluster: Cluster, console) -> Iterator[tuple]:
    """The chief's settings and console as they are; another's with folders that are gone afterwards, and silent."""
    from rich.console import Console

    if cluster.chief:
        yield config, console
        return
    with tempfile.TemporaryDirectory(prefix="iacyclegan_worker_") as folder:
        yield replace(config, runs_dir=f"{folder}/runs", savedmodels_dir=f"{folder}/savedmodels"), Console(quiet=True)
