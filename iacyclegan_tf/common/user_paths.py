"""Paths as people type them: ``~`` is their home, and what is not there is said before anything heavy is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from iacyclegan_tf.common.errors import UserError


def expanded(text: str | os.PathLike) -> str:
    """With ``~`` expanded, else as it was: also of patterns and addresses."""
    return os.path.expanduser(text)


def user_path(text: str | os.PathLike) -> Path:
    """With ``~`` expanded: the ``type`` of path arguments, since shells leave ``--out=~/x`` as it is."""
    return Path(expanded(text))


def there(path: Path, what: str) -> Path:
    """``path``; ``UserError`` where nothing is there. ``what`` begins the sentence: ``The folder of photos``."""
    if not path.exists():
        raise UserError(f"{what} {path} is not there.")
    return path
