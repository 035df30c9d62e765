"""Version folders as TensorFlow Serving sees them: every child whose name is an integer is a version."""

from __future__ import annotations

import re
from pathlib import Path

_INTEGER = re.compile(r"[1-9]\d{0,17}")  # what we write: positive, in decimal, within int64


def list_versions(folder: Path) -> list[int]:
    """The versions in ``folder``, oldest first; none where it does not exist."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if _INTEGER.fullmatch(path.name))
