"""Images that a run makes and keeps on the disk while it needs them: PNG records, read one by one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.atomic_files import new_folder
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.shards.entry import sha256_of
from iacyclegan_tf.data.shards.record_pairs import decode
from iacyclegan_tf.data.shards.records import record_at, write_records
from iacyclegan_tf.data.streams.image_sources import FROM_DISK

_IMAGES, _INDEX = "images.tfrecord", "index.json"


class StoredImages:
    """Some of N images of one size as ``ImageSource``; the others must not be asked for.

    Args:
        folder: written by ``store``. numbers: int64 ``[M]``, which of the N are there. shape: ``(N, H, W, 3)``.

    Raises:
        UserError: the folder does not hold exactly these, or is damaged.
    """

    parallel = FROM_DISK

    def __init__(self, folder: Path, numbers: np.ndarray, shape: tuple[int, int, int, int]):
        self.folder, self.shape, self.numbers = folder, shape, numbers
        self._check(numbers)
        offsets = np.full(shape[0], -1, np.int64)  # no record starts there
        offsets[numbers] = self._index["offsets"]
        with tf.device("CPU:0"):
            self._file, self._offsets = tf.constant(str(folder / _IMAGES)), tf.constant(offsets)

    def _check(self, numbers: np.ndarray) -> None:
        try:
            self._index = json.loads((self.folder / _INDEX).read_text(encoding="utf-8"))
            same = self._index["numbers"] == numbers.tolist() and len(self._index["offsets"]) == len(numbers)
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same or not self._is_whole():
            raise UserError(f"{self.folder} is damaged or holds other images; the same command writes it anew.")

    def _is_whole(self) -> bool:
        path = self.folder / _IMAGES
        return path.is_file() and sha256_of(path) == self._index["sha256"]

    def __len__(self) -> int:
        return self.shape[0]

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        size = list(self.shape[1:3])
        return tf.ensure_shape(decode(record_at(self._file, self._offsets[index]), tf.constant(size)), [*size, 3])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around whatever reads: TensorFlow's error about the file becomes a ``UserError`` that names it."""
        try:
            yield
        except tf.errors.OpError:
            if not self._is_whole():
                raise UserError(f"{self.folder / _IMAGES} is damaged; the same command writes it anew.") from None
            raise


def store(folder: Path, numbers: np.ndarray, images: Iterable[np.ndarray]) -> None:
    """Writes images uint8 ``[H, W, 3]``, those of ``numbers`` in turn, as a new folder; an earlier one is replaced.

    Raises ``UserError`` when the disk refuses.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with new_folder(folder) as aside:
            offsets = write_records(aside / _IMAGES, (tf.io.encode_png(image).numpy() for image in images))
            index = {"numbers": numbers.tolist(), "offsets": offsets, "sha256": sha256_of(aside / _IMAGES)}
            (aside / _INDEX).write_text(json.dumps(index), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} could not be written: {error}. Everything saved before is still there.") from None
