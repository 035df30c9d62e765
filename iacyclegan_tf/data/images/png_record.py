"""A few facts inside a PNG file that say how it was made: a ``tEXt`` chunk right after the header (PNG 1.2, 11.3.4.3).

They are written with the picture, whole or not at all, and follow it wherever it is copied.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

KEYWORD = b"iacyclegan_tf"
_HEADER = 8 + 25  # signature and IHDR
_MOST = 4096  # bytes of a record


def with_record(png: bytes, record: dict) -> bytes:
    """The file with ``record`` in it, as ASCII JSON."""
    data = b"tEXt" + KEYWORD + b"\0" + json.dumps(record, sort_keys=True).encode("ascii")
    if len(data) > _MOST:
        raise ValueError(f"a record of {len(data)} bytes; at most {_MOST} are read back")
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return png[:_HEADER] + chunk + png[_HEADER:]


def read_record(path: Path) -> dict | None:
    """What ``with_record`` put into a file; None where there is no record, or none of ours. ``OSError`` as ``open``."""
    with open(path, "rb") as file:
        start = file.read(_HEADER + _MOST + 12)
    if not start.startswith(b"\x89PNG\r\n\x1a\n") or len(start) < _HEADER + 12:
        return None
    (length,) = struct.unpack(">I", start[_HEADER : _HEADER + 4])
    data, checksum = start[_HEADER + 4 : _HEADER + 8 + length], start[_HEADER + 8 + length : _HEADER + 12 + length]
    prefix = b"tEXt" + KEYWORD + b"\0"
    if not data.startswith(prefix) or checksum != struct.pack(">I", zlib.crc32(data)):
        return None
    try:
        record = json.loads(data[len(prefix) :])
    except (ValueError, RecursionError):  # somebody else's
        return None
    return record if isinstance(record, dict) else None
