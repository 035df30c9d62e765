"""Which of several worker processes this one is: ``TF_CONFIG``, read and checked before TensorFlow reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from iacyclegan_tf.common.errors import UserError

_EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Cluster:
    """The processes that train one run together. ``addresses`` (host:port) has the chief first; ``number`` is this one's."""

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
        jobs, task = content["cluster"], content["task"]
        kind, index = task["type"], int(task["index"])
        found = {job: list(map(str, addresses)) for job, addresses in jobs.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"TF_CONFIG is {text[:200]!r}; it must look like {_EXAMPLE}.") from None
    if not set(found) <= {"chief", "worker"} or len(found.get("chief", [])) > 1:
        raise UserError(
            f"TF_CONFIG names the jobs {', '.join(sorted(found))}; training knows worker, and one chief at most: no "
            "parameter servers and no evaluator."
        )
    addresses = tuple(found.get("chief", []) + found.get("worker", []))
    if not 0 <= index < len(found.get(kind, [])):
        raise UserError(
            f"TF_CONFIG says that this is {kind} {index}, but its cluster holds "
            f"{' and '.join(f'{len(some)} {job}' for job, some in sorted(found.items())) or 'nobody'}."
        )
    if len(set(addresses)) < len(addresses) or not all(_is_address(some) for some in addresses):
        raise UserError(f"TF_CONFIG names the addresses {', '.join(addresses)}; each must be HOST:PORT and occur once.")
    number = index + (kind == "worker") * len(found.get("chief", []))
    return Cluster(addresses, number) if len(addresses) > 1 else None


def _is_address(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(host and colon) and port.isascii() and port.isdigit() and 0 < int(port) < 65536
