"""Paths for libraries that take ``[ ] * ?`` and backslashes for a pattern, as TensorFlow does when it reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iacyclegan_tf.common.errors import UserError


def user_path(text: str) -> Path:
    """A path as somebody typed it: ``~`` is the home folder, also where no shell has expanded it."""
    return Path(text).expanduser()


_PATTERN = set("[]*?\\")


@contextmanager
def plain_path(folder: Path) -> Iterator[Path]:
    """The same folder, which must be there, under a path that is no pattern, for as long as the block lasts.

    Children of this process may use it too.

    ``UserError`` on systems without ``/proc`` where ``folder`` holds such characters.

    >>> with plain_path(Path("/")) as place:
    ...     str(place)
    '/'
    """
    if not _PATTERN & set(str(folder)):
        yield folder
        return
    if not os.path.isdir("/proc/self/fd"):
        raise UserError(f"{folder} holds one of [ ] * ? \\, which TensorFlow takes for a pattern; rename it.")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    finally:
        os.close(descriptor)
