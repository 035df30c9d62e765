"""A file of float32 vectors of one length, row after row, little endian: written in place, memory-mapped for reading."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import fsync

NUMBER = np.dtype("<f4")


class VectorFile:
    """``path`` is made by the first ``write``; it knows no number of rows, its owner does."""

    def __init__(self, path: Path, length: int):
        self.path, self.length = path, length
        self._bytes = length * NUMBER.itemsize  # of one row

    def mapped(self, rows: int) -> np.ndarray:
        """The first ``rows`` as float32 ``[rows, length]``, read from the disk as they are used.

        Raises ``FileNotFoundError``, or ``EOFError`` where the file is shorter: reading on would end the process.
        """
        if rows == 0:
            return np.empty((0, self.length), NUMBER)
        if self.path.stat().st_size < rows * self._bytes:
            raise EOFError(f"{self.path} is shorter than its {rows} rows")
        return np.memmap(self.path, NUMBER, "r", shape=(rows, self.length)).view(np.ndarray)

    def write(self, row: int, block: np.ndarray) -> None:
        """``block`` ``[n, length]`` from ``row`` on; on the disk only after ``sync``."""
        data = memoryview(np.ascontiguousarray(block, NUMBER)).cast("B")
        offset = row * self._bytes
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            while data:
                written = os.pwrite(descriptor, data, offset)
                data, offset = data[written:], offset + written
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """The rows, and that the file is there."""
        if self.path.exists():
            fsync(self.path)
            fsync(self.path.parent)
