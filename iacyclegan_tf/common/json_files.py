"""JSON files that this program wrote, read as input all the same: they may be damaged, cut or edited by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

from iacyclegan_tf.common.errors import UserError

MAX_BYTES = 64 * 2**20  # far above any of ours; a larger one is not ours


def read_object(path: str | os.PathLike) -> dict:
    """The JSON object in a file.

    Raises ``UserError``, naming the file and the reason, where it is not there, larger than ``MAX_BYTES``, not UTF-8,
    not JSON or no object.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"{path} cannot be read: {reason}.") from None
    return content
