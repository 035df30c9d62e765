"""Encoded images into pixels inside a served graph: stock operations only, and bounded before anything is decoded.

The size stands in the first bytes of JPEG, PNG and BMP files, so a small file that announces a huge image is refused
for the price of its header; so are a JPEG of hundreds of scans and a PNG of many compressed texts, which cost seconds
each. Pixels are those of ``data/images`` (transparency on white, BMP color tables, the accurate JPEG transform, upright
by EXIF) with one difference that stock operations do not allow: 16-bit samples lose their low byte. GIF is refused: its
decoder would unpack every frame of an animation. Stock operations cannot catch an error: one undecodable image fails
its whole request.
"""

from __future__ import annotations

import tensorflow as tf

MAX_PIXELS = 2**24  # 4096 x 4096; 200 MB as float32
MAX_SCANS = 500  # of a JPEG, counted in the whole file: films behind a picture hold some by chance
MAX_TEXTS = 8  # compressed, of a PNG: each may unpack to 8 MB
_EXIF_BYTES = 2**16
_LONGEST_HEADER = 54  # of a BMP; no real image of the three formats is shorter


def decode_bounded(encoded: tf.Tensor) -> tf.Tensor:
    """One JPEG, PNG or BMP image (string) -> float32 ``[h, w, 3]``, whole numbers in 0..255.

    Raises in the running graph: ``tf.errors.InvalidArgumentError`` with the reason.
    """
    whole = tf.strings.length(encoded) > _LONGEST_HEADER
    encoded = _checked(encoded, whole, "an image is empty or cut within its header")
    pixels = tf.case(
        [
            (_starts(encoded, b"\xff\xd8\xff"), lambda: _jpeg(encoded)),
            (_starts(encoded, b"\x89PNG\r\n\x1a\n"), lambda: _png(encoded)),
            (_starts(encoded, b"BM"), lambda: _bmp(encoded)),
        ],
        default=_refuse,
    )
    return tf.cast(tf.ensure_shape(pixels, [None, None, 3]), tf.float32)


def _checked(value: tf.Tensor, holds: tf.Tensor | bool, *words: str | tf.Tensor) -> tf.Tensor:
    """``value`` where ``holds``; elsewhere the request fails with ``words``."""
    with tf.control_dependencies([tf.debugging.Assert(holds, list(words))]):
        return tf.identity(value)


def _starts(encoded: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(encoded, 0, len(magic)) == tf.constant(magic)


def _refuse() -> tf.Tensor:
    return _checked(tf.zeros([0, 0, 3], tf.uint8), False, "an image is neither JPEG, PNG nor BMP")


def _bounded(encoded: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """``encoded``, once its size is known to be acceptable."""
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    fits = (height > 0) & (width > 0) & (height * width <= MAX_PIXELS)
    words = f"an image announces height and width outside 1 .. {MAX_PIXELS} pixels in all:"
    return _checked(encoded, fits, words, height, width)


def _jpeg(encoded: tf.Tensor) -> tf.Tensor:
    shape = tf.image.extract_jpeg_shape(encoded)
    encoded = _bounded(encoded, shape[0], shape[1])
    scans = _count(encoded, b"\xff\xda")
    encoded = _checked(encoded, scans <= MAX_SCANS, "an image has too many JPEG scans:", scans)
    pixels = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    return _upright(pixels, _behind(_behind(encoded, b"\xff\xda", 0), b"Exif\0\0"))


def _png(encoded: tf.Tensor) -> tf.Tensor:
    size = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.int32, little_endian=False)
    encoded = _bounded(encoded, size[1], size[0])
    texts = _count(encoded, b"zTXt") + _count(encoded, b"iTXt")
    encoded = _checked(encoded, texts <= MAX_TEXTS, "an image has too many PNG texts:", texts)
    rgba = tf.io.decode_png(encoded, channels=4)
    # TensorFlow 2.15 fills in 2^depth − 1 where 1, 2 or 4 bits have no transparency: drawings would turn white.
    depth = tf.io.decode_raw(tf.strings.substr(encoded, 24, 1), tf.uint8)[0]
    opaque = (depth < 8) & (_count(encoded, b"tRNS") == 0)
    pixels = tf.cond(opaque, lambda: rgba[..., :3], lambda: _on_white(rgba))
    return _upright(pixels, _behind(encoded, b"eXIf"))


def _on_white(rgba: tf.Tensor) -> tf.Tensor:
    color, alpha = tf.cast(rgba[..., :3], tf.int32), tf.cast(rgba[..., 3:], tf.int32)
    return tf.cast((color * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _count(encoded: tf.Tensor, word: bytes) -> tf.Tensor:
    return tf.size(tf.strings.split(encoded, word)) - 1


def _behind(encoded: tf.Tensor, word: bytes, part: int = 1) -> tf.Tensor:
    """The start of what follows the first ``word``, empty where there is none, or of what comes before it (part 0)."""
    parts = tf.concat([tf.strings.split(encoded, word, maxsplit=1), [""]], 0)
    return tf.strings.substr(parts[part], 0, 2 * _EXIF_BYTES if part == 0 else _EXIF_BYTES)


def _upright(pixels: tf.Tensor, exif: tf.Tensor) -> tf.Tensor:
    """Applies the orientation 1..8 of an EXIF block: 2, 4, 5, 7 mirror; 3 turns by 180; 5..8 swap height and width."""
    orientation = _orientation(exif)
    turn = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    rows = tf.reduce_any(orientation == [3, 4, 7, 8])
    columns = tf.reduce_any(orientation == [2, 3, 6, 7])
    flipped = tf.cond(rows, lambda: turn[::-1], lambda: turn)
    return tf.cond(columns, lambda: flipped[:, ::-1], lambda: flipped)


def _orientation(exif: tf.Tensor) -> tf.Tensor:
    """Tag 274 in the first directory of an EXIF block (TIFF 6.0, section 2); 1, upright, where there is none."""
    data = tf.cast(tf.io.decode_raw(tf.strings.join([exif, b"\0" * 16]), tf.uint8), tf.int32)
    little = data[0] == ord("I")

    def number(at: tf.Tensor, count: int) -> tf.Tensor:
        places = tf.clip_by_value(at[..., None] + tf.range(count), 0, tf.size(data) - 1)
        places = tf.cond(little, lambda: places[..., ::-1], lambda: places)
        return tf.reduce_sum(tf.gather(data, places) * [256**power for power in range(count)][::-1], -1)

    start = tf.clip_by_value(number(tf.constant(4), 4), 0, _EXIF_BYTES)
    entries = start + 2 + 12 * tf.range(tf.minimum(number(start, 2), _EXIF_BYTES // 12))
    found = tf.concat([number(tf.boolean_mask(entries, number(entries, 2) == 274) + 8, 2), [1]], 0)[0]
    return tf.where((found >= 1) & (found <= 8), found, 1)


def _bmp(encoded: tf.Tensor) -> tf.Tensor:
    start, header, width, height = tf.unstack(_integers(encoded, 10, 4), 4)
    depth = tf.io.decode_raw(tf.strings.substr(encoded, 28, 2), tf.int16)[0]
    compression = _integers(encoded, 30, 1)[0]
    masks = tf.reduce_all(_integers(tf.strings.join([encoded, bytes(16)]), 54, 3) == [0xFF0000, 0xFF00, 0xFF])
    plain = (header >= 40) & ((compression == 0) | (compression == 3) & masks)
    height = _checked(height, plain, "a bitmap is compressed, of OS/2 or of odd masks")  # so that this is said first
    encoded = _bounded(encoded, tf.abs(height), width)
    pixels = tf.io.decode_bmp(encoded)

    def from_table():
        table = tf.io.decode_raw(tf.strings.substr(encoded, 14 + header, start - 14 - header), tf.uint8)
        table = tf.reshape(table, [-1, 4])[:, 2::-1]  # from blue, green, red, 0
        return tf.gather(table, tf.cast(pixels[..., 0], tf.int32))

    def from_colors():
        alpha = pixels[..., 3:]  # padding unless a mask names it and it is not 0 everywhere
        named = (
            (compression == 3)
            & (header >= 56)
            & (_integers(tf.strings.join([encoded, bytes(16)]), 66, 1)[0] == -(2**24))
        )
        transparent = named & tf.reduce_any(alpha > 0)
        return tf.cond(transparent, lambda: _on_white(pixels), lambda: pixels[..., :3])

    return tf.cond(depth == 8, from_table, from_colors)


def _integers(encoded: tf.Tensor, start: int, count: int) -> tf.Tensor:
    return tf.io.decode_raw(tf.strings.substr(encoded, start, 4 * count), tf.int32)
