"""Encoded images into pixels inside a served graph: stock operations only, and bounded before anything is decoded.

The size stands in the first bytes of JPEG, PNG and BMP files, so a small file that announces a huge image is refused
for the price of its header. Pixels are those of ``data/images.py`` (transparency on white, BMP colour tables, the
accurate JPEG transform) with two differences that stock operations do not allow: the EXIF orientation is not applied,
and 16-bit samples lose their low byte. GIF is refused: its decoder would unpack every frame of an animation.
Stock operations cannot catch an error: one undecodable image fails its whole request.
"""

from __future__ import annotations

import tensorflow as tf

MAX_PIXELS = 2**24  # 4096 x 4096; 200 MB as float32
_LONGEST_HEADER = 54  # of a BMP; no real image of the three formats is shorter


def decode_bounded(encoded: tf.Tensor) -> tf.Tensor:
    """One JPEG, PNG or BMP image (string) -> float32 ``[h, w, 3]``, whole numbers in 0..255.

    Raises in the running graph: ``tf.errors.InvalidArgumentError`` with the reason.
    """
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                tf.strings.length(encoded) > _LONGEST_HEADER, ["an image is empty or cut within its header"]
            )
        ]
    ):
        encoded = tf.identity(encoded)
    pixels = tf.case(
        [
            (_starts(encoded, b"\xff\xd8\xff"), lambda: _jpeg(encoded)),
            (_starts(encoded, b"\x89PNG\r\n\x1a\n"), lambda: _png(encoded)),
            (_starts(encoded, b"BM"), lambda: _bmp(encoded)),
        ],
        default=_refuse,
    )
    return tf.cast(tf.ensure_shape(pixels, [None, None, 3]), tf.float32)


def _starts(encoded: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(encoded, 0, len(magic)) == tf.constant(magic)


def _refuse() -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.Assert(False, ["an image is neither JPEG, PNG nor BMP"])]):
        return tf.zeros([0, 0, 3], tf.uint8)


def _bounded(encoded: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """``encoded``, once its size is known to be acceptable."""
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    fits = (height > 0) & (width > 0) & (height * width <= MAX_PIXELS)
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                fits, [f"an image announces height and width outside 1 .. {MAX_PIXELS} pixels in all:", height, width]
            )
        ]
    ):
        return tf.identity(encoded)


def _jpeg(encoded: tf.Tensor) -> tf.Tensor:
    shape = tf.image.extract_jpeg_shape(encoded)
    return tf.io.decode_jpeg(_bounded(encoded, shape[0], shape[1]), channels=3, dct_method="INTEGER_ACCURATE")


def _png(encoded: tf.Tensor) -> tf.Tensor:
    size = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.int32, little_endian=False)
    rgba = tf.cast(tf.io.decode_png(_bounded(encoded, size[1], size[0]), channels=4), tf.int32)
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    # TensorFlow 2.15 fills in 2^depth − 1 where 1, 2 or 4 bits have no transparency: drawings would turn white.
    depth = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 24, 1), tf.uint8)[0], tf.int32)
    filled = (depth < 8) & tf.reduce_all(alpha == tf.gather([2**bits - 1 for bits in range(9)], tf.minimum(depth, 8)))
    alpha = tf.where(filled, 255, alpha)
    return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _bmp(encoded: tf.Tensor) -> tf.Tensor:
    start, header, width, height = tf.unstack(_integers(encoded, 10, 4), 4)
    depth = tf.io.decode_raw(tf.strings.substr(encoded, 28, 2), tf.int16)[0]
    compression = _integers(encoded, 30, 1)[0]
    plain = (header >= 40) & ((compression == 0) | (compression == 3))
    with tf.control_dependencies([tf.debugging.Assert(plain, ["a bitmap is compressed or of OS/2"])]):
        encoded = _bounded(encoded, tf.abs(height), width)
    pixels = tf.io.decode_bmp(encoded)

    def from_table():
        table = tf.io.decode_raw(tf.strings.substr(encoded, 14 + header, start - 14 - header), tf.uint8)
        table = tf.reshape(table, [-1, 4])[:, 2::-1]  # from blue, green, red, 0
        return tf.gather(table, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(depth == 8, from_table, lambda: pixels[..., :3])


def _integers(encoded: tf.Tensor, start: int, count: int) -> tf.Tensor:
    return tf.io.decode_raw(tf.strings.substr(encoded, start, 4 * count), tf.int32)
