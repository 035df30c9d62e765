"""Files and folders that are either whole or not there, whenever the process is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Writes a sibling, fsyncs it and renames it over ``path``; makes the parent folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    with open(aside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    fsync(path.parent)


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


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
