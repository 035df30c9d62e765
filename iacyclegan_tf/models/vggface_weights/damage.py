"""The sentence about a file that a library could not read."""

from __future__ import annotations

from pathlib import Path

from iacyclegan_tf.errors import UserError

MAX_REASON = 160  # zipfile quotes whole stretches of a damaged file


def unreadable(path: Path, kind: str, error: Exception) -> UserError:
    """A UserError for ``path``, which should be a ``kind``, with the library's words on one short line."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if len(reason) > MAX_REASON:
        reason = reason[:MAX_REASON] + " ..."
    return UserError(f"{path} is not a readable {kind}: {reason.rstrip('.')}.")
