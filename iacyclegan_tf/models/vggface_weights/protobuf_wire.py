"""Walking protobuf's wire format over a mapped file, without copying the float arrays.

Caffe's own message classes are not in TensorFlow, and the protobuf runtime would copy fc6 (103 million
floats) into its own messages. Source: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 20_000  # of one message; a genuine one has fewer than 100


class WireError(ValueError):
    """The bytes are not the wire format; the message is half a sentence."""


def varint(buffer: np.ndarray, position: int, end: int) -> tuple[int, int]:
    """Reads a base-128 integer of at most 64 bits; returns it and the position after it."""
    value = 0
    for index in range(10):
        if position + index >= end:
            raise WireError(f"it is cut short at byte {end}")
        byte = int(buffer[position + index])
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position + index + 1
    raise WireError(f"the bytes at {position} are not a protobuf number")


def fields(buffer: np.ndarray, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields (field number, wire type, a, b) of one message.

    For VARINT ``a`` is the value and ``b`` is 0; otherwise the contents are ``buffer[a:b]``.

    Raises:
        WireError: a field that reaches beyond ``end``, an unknown wire type, or too many fields.
    """
    position = start
    for _ in range(MAX_FIELDS):
        if position == end:
            return
        tag, position = varint(buffer, position, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or wire_type not in (VARINT, FIXED64, LENGTH, FIXED32):
            raise WireError(f"the bytes before {position} are not a protobuf field")
        if wire_type == VARINT:
            value, position = varint(buffer, position, end)
            yield number, wire_type, value, 0
            continue
        size, position = _size(buffer, position, end, wire_type)
        if size > end - position:
            raise WireError(f"it is cut short: byte {position + size} is promised, and it ends at {end}")
        yield number, wire_type, position, position + size
        position += size
    raise WireError(f"one message has more than {MAX_FIELDS} fields")


def _size(buffer: np.ndarray, position: int, end: int, wire_type: int) -> tuple[int, int]:
    if wire_type == LENGTH:
        return varint(buffer, position, end)
    return (8 if wire_type == FIXED64 else 4), position
