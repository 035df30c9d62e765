"""The one door for what a server answers: number, shape, type and values are what was asked for, or nothing is used."""

from __future__ import annotations

import numpy as np

_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"IEND\xaeB`\x82"
_LENGTH_TOLERANCE = 1e-3  # float32 rounds


class BrokenAnswer(ValueError):
    """The message says, as a clause, what the server sent instead of an answer."""


def checked(output: str, value: object, count: int) -> list[bytes] | np.ndarray:
    """An answer that may be used: PNG files ``[N]``, or embeddings float32 ``[N, D]`` of length 1.

    Args:
        output: its name in the signature (``serving/signatures.py``).
        value: as it came: a list of bytes, or numbers as an array or as JSON's nested lists.
        count: of images in the request.

    Raises:
        BrokenAnswer: anything else, e.g. NaN, or fewer results than images.
    """
    if output == "image_bytes":
        return _pictures(value, count)
    numbers = _numbers(value)
    if numbers.ndim != 2 or len(numbers) != count or numbers.shape[1] == 0:
        raise BrokenAnswer(f"results of the shape {numbers.shape} for {count} images")
    lengths = np.linalg.norm(numbers.astype(np.float64), axis=1)
    if not (np.abs(lengths - 1) <= _LENGTH_TOLERANCE).all():
        raise BrokenAnswer("embeddings that are not of length 1")
    return numbers


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height that a PNG file announces."""
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def _pictures(value: object, count: int) -> list[bytes]:
    if not isinstance(value, list) or not all(isinstance(one, bytes) for one in value):
        raise BrokenAnswer("no list of images")
    if len(value) != count:
        raise BrokenAnswer(f"{len(value)} results for {count} images")
    if not all(one.startswith(_PNG_START) and one.endswith(_PNG_END) for one in value):
        raise BrokenAnswer("an image that is no whole PNG file")
    return value


def _numbers(value: object) -> np.ndarray:
    """float32 of any shape, all finite."""
    try:
        numbers = np.array(value)
    except ValueError:
        raise BrokenAnswer("rows of different lengths") from None
    if numbers.dtype.kind not in "fiu":  # null, text, true, objects and rows too deep for an array
        raise BrokenAnswer("something else than numbers")
    with np.errstate(over="ignore"):
        numbers = numbers.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise BrokenAnswer("numbers that are not finite")
    return numbers
