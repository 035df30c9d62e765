"""TFRecord files read at random: every record by its file and the byte where it starts.

A record lies in its file as length (8 bytes), CRC of the length (4), content, CRC of the content (4). TensorFlow
checks both CRCs at every read, here as in ``tf.data.TFRecordDataset``, so a changed byte never becomes an image.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import new_path

_BEFORE, _AFTER = 12, 4  # bytes around a record's content


def write_records(path: Path, records: Iterable[bytes]) -> list[int]:
    """Writes a TFRecord file, whole or not at all, and returns the byte where each record starts.

    Raises ``OSError`` where the disk refuses; errors of ``records`` itself pass through.
    """
    offsets, end = [], 0
    with new_path(path) as aside:
        writer = tf.io.TFRecordWriter(str(aside))
        for record in records:
            _to_disk(writer.write, record)
            offsets.append(end)
            end += _BEFORE + len(record) + _AFTER
        _to_disk(writer.close)
    return offsets


def _to_disk(call, *arguments) -> None:
    try:
        call(*arguments)
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def record_at(file: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """The content (string) of the record of ``file`` (string) that starts at byte ``offset`` (int64).

    Inside a ``tf.data`` function this reads those bytes and no others. Raises ``tf.errors.OpError`` where the
    file is missing or cut, or the bytes are damaged.
    """
    # the only TensorFlow operation that starts inside a TFRecord file; tf.data.TFRecordDataset does not pass it on
    variant = tf.raw_ops.TFRecordDatasetV2(
        filenames=file[None], compression_type="", byte_offsets=offset[None], buffer_size=tf.constant(0, tf.int64)
    )
    records = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
    return records.take(1).get_single_element()


def frames(path: Path) -> Iterator[tuple[int, int]]:
    """Start and length in bytes of each record, from the lengths alone; a cut record is the last one and too long."""
    end = path.stat().st_size
    with open(path, "rb") as file:
        start = 0
        while start + _BEFORE <= end:
            file.seek(start)
            length = struct.unpack("<Q", file.read(8))[0]
            yield start, _BEFORE + length + _AFTER
            start += _BEFORE + length + _AFTER
