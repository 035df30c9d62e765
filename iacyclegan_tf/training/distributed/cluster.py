"""Which of several worker processes this one is: ``TF_CONFIG``, read and checked before TensorFlow reads it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from iacyclegan_tf.common.errors import UserError

_EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
_ADDRESS = re.compile(r".+:(\d{1,5})", re.ASCII)


@dataclass(frozen=True)
class Cluster:
    """The processes that train one run together.

    ``addresses`` (host:port) has the chief first; ``number`` is this process's place among them.
    """

    addresses: tuple[str, ...]
    number: int

    @property
    def count(self) -> int:
        return len(self.addresses)

    @property
    def chief(self) -> bool:
        return self.number == 0

    @property
    def name(self) -> str:
        """E.g. ``worker 1 of 2 (host1:2222)``, counted from 0 as in ``TF_CONFIG``."""
        return f"worker {self.number} of {self.count} ({self.addresses[self.number]})"


def read_cluster(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """From ``TF_CONFIG``; ``None`` where it is not set or names one process.

    The chief is the task of the job ``chief``, or else worker 0. Raises ``UserError`` for anything but an object with
    the jobs ``chief`` and ``worker`` and a task among them.
    """
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        content = json.loads(text)
        kind, index = content["task"]["type"], int(content["task"]["index"])
        jobs = {job: list(map(str, addresses)) for job, addresses in content["cluster"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"TF_CONFIG is {text[:200]!r}; it must look like {_EXAMPLE}.") from None
    chiefs, workers = jobs.get("chief", []), jobs.get("worker", [])
    if not set(jobs) <= {"chief", "worker"} or len(chiefs) > 1:
        raise UserError(
            f"TF_CONFIG names the jobs {', '.join(sorted(jobs))}; training knows worker, and one chief at most: no "
            "parameter servers and no evaluator."
        )
    if not 0 <= index < len(jobs.get(kind, [])):
        held = " and ".join(f"{len(some)} {job}" for job, some in sorted(jobs.items())) or "nobody"
        raise UserError(f"TF_CONFIG says that this is {kind} {index}, but its cluster holds {held}.")
    addresses = tuple(chiefs + workers)
    ports = [int(found[1]) if (found := _ADDRESS.fullmatch(some)) else 0 for some in addresses]
    if len(set(addresses)) < len(addresses) or not all(0 < port < 65536 for port in ports):
        raise UserError(f"TF_CONFIG names the addresses {', '.join(addresses)}; each must be HOST:PORT and occur once.")
    return Cluster(addresses, index + (kind == "worker") * len(chiefs)) if len(addresses) > 1 else None
