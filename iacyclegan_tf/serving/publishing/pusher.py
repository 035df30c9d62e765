"""The pusher: copies blessed exports into the folder that servers poll, whole or not at all.

    <base>/<servable>/<version>/                     what a server takes: every child whose name is an integer
    <base>/models.config, batching.config, monitoring.config

A version is written aside under a name that is no integer, fsynced and renamed; an existing one is never changed. A
kill at any moment leaves complete versions only, and the next push does what is missing: it knows what it pushed before
by content. A file lock keeps two pushers apart. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from iacyclegan_tf.common.atomic_files import fsync, new_folder
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.config.settings import ExportConfig
from iacyclegan_tf.serving.publishing.server_files import (
    BATCHING,
    MODELS,
    MONITORING,
    PUSHED,
    pushed_versions,
    write_server_files,
)
from iacyclegan_tf.serving.signatures import EXTRA, SERVABLES
from iacyclegan_tf.serving.version_folders import check_files, list_versions, sums

LOCK = ".lock"


def push(exports: dict[str, Path], base: Path, settings: ExportConfig, origin: str, overwrite: bool = False) -> int:
    """Pushes a round's blessed exports under one version number and returns it; what is there already stays.

    Args:
        exports: folder of each servable's export.
        origin: where they come from, e.g. ``quickstart round 2``, kept beside the version.
        overwrite: also where another run's version is ``stable``.

    Raises:
        UserError: an export is not as it was written, the base serves another run or is no base, or the base
            cannot be written. What was complete before is still there.
    """
    try:
        own = any((base / name).exists() for name in (LOCK, *SERVABLES))
        if not own and any((base / name).exists() for name in (MODELS, BATCHING, MONITORING)):
            raise UserError(f"{base} holds a {MODELS} of others and no serving base; name a new folder.")
        base.mkdir(parents=True, exist_ok=True)
        with _lock(base):
            _clear_leftovers(base)
            if not overwrite:
                _refuse_other_run(base, origin)
            version = _push(exports, base, settings, origin)
            write_server_files(base, settings)
            for servable in SERVABLES:
                _retire(base / servable, settings.keep)
            return version
    except OSError as error:
        raise UserError(f"The export could not be pushed to {base}: {error}. What was there is unchanged.") from None


def _refuse_other_run(base: Path, origin: str) -> None:
    """``UserError`` where the newest version of a servable is of another run: it would lose its label to this one."""
    for servable in SERVABLES:
        for version in pushed_versions(base / servable)[-1:]:
            serves = str(read_object(base / servable / str(version) / PUSHED).get("from"))
            if serves.rpartition(" round ")[0] != origin.rpartition(" round ")[0]:
                raise UserError(f"{base} serves {serves}, and {origin} does not take its place unasked (--overwrite).")


def _push(exports: dict[str, Path], base: Path, settings: ExportConfig, origin: str) -> int:
    for folder in exports.values():
        check_files(folder)
    digests = {servable: fingerprint(folder) for servable, folder in exports.items()}
    found = {servable: _pushed_as(base / servable, digests[servable]) for servable in exports}
    missing = [servable for servable, version in found.items() if version is None]
    # a push that was cut short goes on under its own number
    version = max((version for version in found.values() if version), default=0)
    if missing and version <= _highest(base, missing):
        version = max(_highest(base, SERVABLES) + 1, int(time.time()) if settings.version == "time" else 0)
    for servable in missing:
        (base / servable).mkdir(exist_ok=True)
        with new_folder(base / servable / str(version)) as aside:
            shutil.copytree(exports[servable], aside, dirs_exist_ok=True)
            check_files(aside)  # what servers get is what was blessed, whatever came between
            (aside / EXTRA).mkdir(exist_ok=True)
            (aside / PUSHED).write_text(json.dumps({"from": origin, "sha256": digests[servable]}) + "\n")
    fsync(base)
    return version


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of an export's files."""
    return hashlib.sha256(sums(folder).encode()).hexdigest()


def _pushed_as(folder: Path, digest: str) -> int | None:
    """The version that was made of these very files, if any."""
    for version in reversed(pushed_versions(folder)):
        if read_object(folder / str(version) / PUSHED).get("sha256") == digest:
            return version
    return None


def _highest(base: Path, servables: Iterable[str]) -> int:
    """The highest version of any of ``servables``, 0 where there is none."""
    return max((version for servable in servables for version in list_versions(base / servable)), default=0)


def _retire(folder: Path, keep: int) -> None:
    """Removes all but the newest ``keep`` of the versions that were pushed here (0: none).

    Renamed first, so that no server sees a half-removed version.
    """
    for version in pushed_versions(folder)[:-keep] if keep else []:
        gone = folder / f".{version}.removed"
        os.rename(folder / str(version), gone)
        shutil.rmtree(gone)


def _clear_leftovers(base: Path) -> None:
    """What a killed push left aside; the lock is ours, so nobody is writing there."""
    for servable in SERVABLES:
        for pattern in (".*.partial", ".*.removed"):
            for path in (base / servable).glob(pattern):
                shutil.rmtree(path)
    for name in (MODELS, BATCHING, MONITORING):
        for path in base.glob(f".{name}.*.partial"):
            path.unlink()


@contextmanager
def _lock(base: Path) -> Iterator[None]:
    """Waits for another pusher; the kernel frees the lock of a killed one."""
    with open(base / LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
