"""Photo-sketch pairs that stay on the disk, in TFRecord shards: read, decoded and fitted one by one when needed.

The counterpart of ``FacePairs`` for sets that are too large for memory. Any pair can be read at any time (the
index says in which file and at which byte it starts), so streams are the same functions of (seed, step) as in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.people.identities import People
from iacyclegan_tf.data.shards.entry import sha256_of
from iacyclegan_tf.data.shards.index import ShardIndex, check_file
from iacyclegan_tf.data.shards.records import frames, record_at
from iacyclegan_tf.data.streams.image_sources import FROM_DISK, each

SIDES = ("photo", "sketch")
FEATURES = {
    "identity": tf.string,
    "photo": tf.string,
    "photo_height": tf.int64,
    "photo_width": tf.int64,
    "sketch": tf.string,
    "sketch_height": tf.int64,
    "sketch_width": tf.int64,
}
_UNFIT = "A record is not what the index says"


def example(
    identity: str, photo: bytes, photo_size: tuple[int, int], sketch: bytes, sketch_size: tuple[int, int]
) -> bytes:
    """One pair as a serialised ``tf.train.Example``; images are encoded, sizes (height, width)."""
    values = (identity.encode("utf-8"), photo, *photo_size, sketch, *sketch_size)
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if kind == tf.string
        else tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        for (name, kind), value in zip(FEATURES.items(), values, strict=True)
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def decode(encoded: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """JPEG or PNG (string) -> uint8 ``[h, w, 3]``. Only what its header announces as ``size`` (int32 [h, w]) is decoded."""
    announced = tf.cond(
        tf.io.is_jpeg(encoded), lambda: tf.io.extract_jpeg_shape(encoded)[:2], lambda: _png_size(encoded)
    )
    with tf.control_dependencies(
        [tf.debugging.assert_equal(announced, size, message=f"{_UNFIT}: the size of an image")]
    ):
        encoded = tf.identity(encoded)
    # decodes PNG as well; the accurate DCT gives the same pixels on every machine, as in images.py
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _png_size(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width of a PNG, int32; zeros where it is none."""
    header = tf.strings.substr(tf.strings.join([encoded, b"\0" * 24]), 0, 24)
    size = tf.reverse(tf.io.decode_raw(tf.strings.substr(header, 16, 8), tf.int32, little_endian=False), [0])
    return tf.where(tf.equal(tf.strings.substr(header, 0, 8), b"\x89PNG\r\n\x1a\n"), size, tf.zeros_like(size))


class RecordPairs(People):
    """N pairs of a set in shards, as ``FacePairs`` says, but read when needed.

    Args:
        index: of the set. numbers: int ``[N]``, which of its records. identities: N names. fit: to the network.
    """

    def __init__(self, index: ShardIndex, numbers: np.ndarray, identities: tuple[str, ...], fit: Fit):
        self.index, self.numbers, self.identities, self.fit = index, np.asarray(numbers), identities, fit
        self.photos, self.sketches = (RecordImages(self, side) for side in (0, 1))
        self._sizes = index.sizes[self.numbers]
        self.size = fit.network_size(tuple(map(int, self._sizes[0, :2])))

    def subset(self, wanted: np.ndarray) -> RecordPairs:
        """Those where the mask ``wanted``, bool ``[N]``, is true."""
        return RecordPairs(self.index, self.numbers[wanted], tuple(np.array(self.identities, object)[wanted]), self.fit)

    @cached_property
    def _on_host(self) -> dict[str, tf.Tensor]:
        # constants of the program, not of the stream that asks first; on the host, whatever devices train
        with tf.init_scope(), tf.device("CPU:0"):
            return {
                "file": tf.constant(self.index.files),
                "shard": tf.constant(self.index.shard_numbers[self.numbers]),
                "offset": tf.constant(self.index.offsets[self.numbers]),
                "size": tf.constant(self._sizes),
                "identity": tf.constant([name.encode("utf-8") for name in self.identities]),
            }

    def images(self, index: tf.Tensor, sides: tuple[int, ...] = (0, 1), fitted: bool = True) -> tuple[tf.Tensor, ...]:
        """For a ``tf.data`` function: photo (0) and sketch (1) of pair ``index``, uint8 ``[H, W, 3]``, from one read.

        Unless ``fitted`` they come in their own size.
        """
        host = self._on_host
        record = record_at(host["file"][host["shard"][index]], host["offset"][index])
        kinds = {name: tf.io.FixedLenFeature([], tf.string) for name in ("identity", *(SIDES[side] for side in sides))}
        parsed = tf.io.parse_single_example(record, kinds)
        same = tf.debugging.assert_equal(parsed["identity"], host["identity"][index], message=f"{_UNFIT}: an identity")
        with tf.control_dependencies([same]):
            decoded = [decode(parsed[SIDES[side]], host["size"][index][2 * side : 2 * side + 2]) for side in sides]
        return tuple(self._fitted(image) for image in decoded) if fitted else tuple(decoded)

    def _fitted(self, image: tf.Tensor) -> tf.Tensor:
        if not np.array_equal(self._sizes, np.tile(self.size, (len(self), 2))):  # else nothing would change
            image = tf.cast(self.fit.apply_graph(tf.cast(image, tf.float32)), tf.uint8)
        return tf.ensure_shape(image, [*self.size, 3])

    def in_order(self, fitted: bool = True) -> tf.data.Dataset:
        """All pairs once: (photo, sketch), each uint8 ``[H, W, 3]``, or in their own size."""
        return each(len(self), lambda index: self.images(index, fitted=fitted))

    @cached_property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Of all photos and of all sketches, int64 ``[H, W, 3]``; reads everything once."""
        totals = [np.zeros([*self.size, 3], np.int64) for _ in SIDES]
        with self.reading():
            for images in self.in_order().as_numpy_iterator():
                for total, image in zip(totals, images):
                    total += image
        return tuple(totals)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around whatever reads: TensorFlow's error about a shard becomes a ``UserError`` that names the file."""
        try:
            yield
        except tf.errors.OpError as error:
            check_contents(self.index)
            if _UNFIT in str(error):
                what = re.search(rf"{_UNFIT}: [\w ]+", str(error)).group()
                raise UserError(
                    f"'{self.index.path}' does not fit its shards. {what}. Write the shards anew."
                ) from None
            raise


class RecordImages:
    """The photos (side 0) or sketches (1) of ``RecordPairs`` as ``ImageSource``."""

    parallel = FROM_DISK

    def __init__(self, pairs: RecordPairs, side: int):
        self.pairs, self.side = pairs, side

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.pairs), *self.pairs.size, 3

    @property
    def numbers(self) -> np.ndarray:
        return np.arange(len(self))

    def __len__(self) -> int:
        return len(self.pairs)

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        return self.pairs.images(index, (self.side,))[0]


def check_contents(index: ShardIndex) -> None:
    """Reads all shards; raises ``UserError`` naming the first one that is not as the index describes it."""
    for shard in index.shards:
        check_file(index, shard)
        path = index.folder / shard.file
        if sha256_of(path) != shard.sha256:
            raise UserError(f"The shard '{path}' is damaged: its SHA-256 is not the one in '{index.path}'.")
        if [start for start, _ in frames(path)] != shard.offsets:
            raise UserError(
                f"'{index.path}' does not fit the shard '{path}': its records start elsewhere. Write the shards anew."
            )
