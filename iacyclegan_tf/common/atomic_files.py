"""Files and folders that are either whole or not there, whenever the process is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NAME_START = 50  # characters of a name that its sibling keeps: in any script less than a file system's 255 bytes


def write_text(path: Path, text: str) -> None:
    """As UTF-8, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    with new_file(path) as file:
        file.write(data)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """``new_path``, opened for writing."""
    with new_path(path) as aside, open(aside, "wb") as file:
        yield file


@contextmanager
def new_path(path: Path) -> Iterator[Path]:
    """A sibling to write to; on leaving it is fsynced and renamed over ``path``, on an exception removed.

    The parent folder is made. The sibling's name is its own, so that two writers do not share one; while it is written
    it is locked, and the lock of a killed process is gone (``remove_abandoned``).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:NAME_START]}.", suffix=".partial", dir=path.parent)
    try:
        with suppress(OSError):  # a file system without locks, where nothing is ever taken for abandoned either
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield Path(name)
        fsync(Path(name))
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes private files
        os.replace(name, path)
        fsync(path.parent)
    except BaseException:
        if os.path.exists(name):
            os.unlink(name)
        raise
    finally:
        os.close(handle)


def remove_abandoned(folder: Path) -> None:
    """Removes what killed processes left of ``new_path`` below a folder; what another one is writing stays."""
    for path in folder.rglob(".*.partial"):
        if path.is_file():
            remove_if_abandoned(path)


def remove_if_abandoned(path: Path) -> None:
    """Removes one file of ``new_path``, unless somebody is writing it or it is gone already."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except OSError:
        pass  # it is being written, or removed by another, or nobody can tell: none of our business then


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty sibling to fill; on leaving it is fsynced and renamed to ``folder``, on an exception removed.

    The sibling's name starts with a dot and is no number, so that no server takes it for a version. ``folder``
    must not exist; ``FileExistsError`` otherwise.
    """
    if folder.exists():
        raise FileExistsError(folder)
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        for path in [*aside.rglob("*"), aside]:
            fsync(path)
        os.rename(aside, folder)
        fsync(folder.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def fsync(path: Path) -> None:
    """Of a file or a folder: a rename is only safe once both are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
