"""A walk over the headers of a MATLAB 5 file that bounds what reading it can allocate.

``scipy.io.loadmat`` (1.17) believes the file: a cell array that claims two thousand million elements is
allocated before its first element is read, and a number type that does not exist ends the process with a
segmentation fault. The walk refuses claims that the file's own length cannot hold, deep nesting, and types
that a network does not need. Layout: MathWorks, "MAT-File Format", chapter 1 (Level 5).
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

MI_MATRIX, MI_COMPRESSED = 14, 15
MI_INT32, MI_UINT32, MI_NAME = 5, 6, (1, 16)
MI_NUMBERS = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13))  # integers of 8 to 64 bits, single, double
MI_TEXT = MI_NUMBERS | {16, 17, 18}  # and UTF-8, UTF-16, UTF-32
MX_CELL, MX_STRUCT, MX_CHAR = 1, 2, 4
MX_NUMERIC = frozenset(range(6, 16))
COMPLEX = 0x0800
HEADER_BYTES = 128
MAX_DEPTH = 12
MAX_BYTES = 4 << 30  # of all variables together, inflated; genuine values as float64 take 1.2 GB
PIECE = 1 << 20


class MatError(ValueError):
    """The file claims what it cannot hold; the message is half a sentence."""


def check_mat_bounds(path: Path, wanted: frozenset[str]) -> None:
    """Raises MatError where a variable named in ``wanted`` claims more than its bytes can hold."""
    with open(path, "rb") as file:
        head = file.read(HEADER_BYTES)
        order = "<" if head[126:128] == b"IM" else ">"
        size = path.stat().st_size
        spent = 0
        while file.tell() < size:
            stream = _Stream(file, order, MAX_BYTES - spent)
            kind, length, _ = stream.tag()
            start = file.tell()
            if start + length > size:
                raise MatError(f"it is cut short: byte {start + length} is promised, and it ends at {size}")
            if kind == MI_COMPRESSED:
                stream = _Inflated(file, length, order, MAX_BYTES - spent)
                kind, inside, _ = stream.tag()
            else:
                inside = length
            if kind != MI_MATRIX:
                raise MatError(f"the element at byte {start - 8} is not a variable")
            _matrix(stream, inside, 0, wanted)
            spent += stream.position
            file.seek(start + length)


class _Stream:
    """Bytes of the file from where it stands; ``position`` counts those that were passed."""

    def __init__(self, file: BinaryIO, order: str, limit: int):
        self._file, self._order, self._limit, self.position = file, order, limit, 0

    def read(self, count: int) -> bytes:
        self._pass(count)
        data = self._file.read(count)
        if len(data) < count:
            raise MatError("it is cut short")
        return data

    def skip(self, count: int) -> None:
        self._pass(count)
        self._file.seek(count, 1)

    def tag(self) -> tuple[int, int, bytes | None]:
        """(type, length, data) of the next element; data only where it is packed into the tag itself."""
        head = self.read(8)
        kind, length = struct.unpack(self._order + "II", head)
        if kind >> 16:
            return kind & 0xFFFF, min(kind >> 16, 4), head[4:]
        return kind, length, None

    def element(self, kinds: tuple[int, ...], most: int) -> bytes:
        """Contents of the next element, of one of these types and not longer than ``most`` bytes."""
        kind, length, packed = self.tag()
        if kind not in kinds:
            raise MatError(f"a header in it has type {kind}")
        if packed is not None:
            return packed[:length]
        if length > most:
            raise MatError(f"a header in it is {length} bytes long")
        data = self.read(length)
        self.skip(-length % 8)
        return data

    def integers(self, kind: int, least: int, most: int) -> tuple[int, ...]:
        data = self.element((kind,), 4 * most)
        if len(data) % 4 or len(data) < 4 * least:
            raise MatError(f"a header in it is {len(data)} bytes long")
        return struct.unpack(f"{self._order}{len(data) // 4}i", data)

    def _pass(self, count: int) -> None:
        self.position += count
        if self.position > self._limit:
            raise MatError(f"its variables hold more than {MAX_BYTES >> 30} GiB")


class _Inflated(_Stream):
    """The same over one compressed variable."""

    def __init__(self, file: BinaryIO, length: int, order: str, limit: int):
        super().__init__(file, order, limit)
        self._left, self._inflate, self._pending = length, zlib.decompressobj(), b""

    def read(self, count: int) -> bytes:
        self._pass(count)
        return b"".join(self._pieces(count))

    def skip(self, count: int) -> None:
        self._pass(count)
        for _ in self._pieces(count):
            pass

    def _pieces(self, count: int):
        while count:
            if not self._pending and self._left:
                self._pending = self._file.read(min(PIECE, self._left))
                self._left -= len(self._pending)
            data = self._inflate.decompress(self._pending, min(count, PIECE))
            self._pending = self._inflate.unconsumed_tail
            if not data and not (self._pending or self._left):
                raise MatError("a compressed variable in it is cut short")
            count -= len(data)
            yield data


def _matrix(stream: _Stream, length: int, depth: int, wanted: frozenset[str] | None) -> None:
    if depth > MAX_DEPTH:
        raise MatError(f"its structures are nested deeper than {MAX_DEPTH}")
    end = stream.position + length
    if length:
        _matrix_body(stream, end, depth, wanted)
    # Inside a variable loadmat goes on where the contents end, not where they were said to end. At the top it
    # goes by the file's own lengths, and an unwanted variable is not walked.
    if stream.position > end or depth and stream.position < end:
        raise MatError("an array in it is longer or shorter than it says")


def _matrix_body(stream: _Stream, end: int, depth: int, wanted: frozenset[str] | None) -> None:
    flags = stream.integers(MI_UINT32, 2, 2)[0]
    matrix_class = flags & 0xFF
    shape = stream.integers(MI_INT32, 2, 32)
    name = stream.element(MI_NAME, 4096).decode("latin-1")
    if wanted is not None and name not in wanted:
        return
    count, left = math.prod(shape), end - stream.position
    if min(shape) < 0 or count > max(left, 1):
        raise MatError(f"it holds an array of shape {shape} in {max(left, 0)} bytes")
    if matrix_class == MX_CELL:
        _children(stream, count, end, depth)
    elif matrix_class == MX_STRUCT:
        _children(stream, count * _field_count(stream), end, depth)
    elif matrix_class == MX_CHAR or matrix_class in MX_NUMERIC:
        kinds = MI_TEXT if matrix_class == MX_CHAR else MI_NUMBERS
        _check_data(stream, end, kinds, 2 if flags & COMPLEX else 1)
    else:
        raise MatError(f"it holds a variable of MATLAB's class {matrix_class}, which no network needs")


def _field_count(stream: _Stream) -> int:
    width = stream.integers(MI_INT32, 1, 1)[0]
    names = stream.element(MI_NAME, 64 << 10)
    if width <= 0 or len(names) % width:
        raise MatError("the field names of a structure in it are damaged")
    return len(names) // width


def _children(stream: _Stream, count: int, end: int, depth: int) -> None:
    if 8 * count > end - stream.position:
        raise MatError(f"it claims {count} elements in {max(end - stream.position, 0)} bytes")
    for _ in range(count):
        kind, length, packed = stream.tag()
        if kind != MI_MATRIX or packed is not None or length > end - stream.position:
            raise MatError("an element of a cell or structure in it is damaged")
        _matrix(stream, length, depth + 1, None)


def _check_data(stream: _Stream, end: int, kinds: frozenset[int], elements: int) -> None:
    for _ in range(elements):
        kind, length, packed = stream.tag()
        if kind not in kinds or length > end - stream.position and packed is None:
            raise MatError(f"an array in it has {length} bytes of type {kind}, which cannot be")
        if packed is None:
            stream.skip(length + -length % 8)
