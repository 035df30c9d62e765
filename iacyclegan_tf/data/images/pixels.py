"""From the bytes of an image to its pixels, once its header is known and accepted.

JPEG and PNG are decoded by TensorFlow, as in the graphs that are exported, PGM and PPM by tensorflow-io where it is
installed (docs/stacks.md), else by NumPy, the rest by Pillow.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

import numpy as np

from iacyclegan_tf.data.images.headers import PILLOW_ERRORS, Header, HeaderError, png_chunks


def decode(data: bytes, header: Header) -> np.ndarray:
    """The pixels as they are stored (not turned): uint8 ``[height, width, 3]`` RGB, transparency on white.

    Raises:
        HeaderError: damaged or truncated, or of another size than the header says.
    """
    import tensorflow as tf

    decoders = {"jpeg": _jpeg, "png": _png, "pnm": _pnm}
    try:
        with tf.device("CPU:0"):
            image = decoders.get(header.kind, _by_pillow)(data, header)
    except HeaderError:
        raise
    except (tf.errors.OpError, *PILLOW_ERRORS) as error:
        # TensorFlow wraps the reason in the name of the op; only the reason helps the reader.
        reason = re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", str(error).split("\n")[0]).strip(" .,:")
        raise HeaderError(f"it is damaged or truncated ({header.kind.upper()}: {reason})") from error
    if image.shape != (header.height, header.width, 3):
        raise HeaderError(
            f"its header says {header.width}x{header.height}, its pixels {image.shape[1]}x{image.shape[0]}"
        )
    return image


def to_uint8(samples: np.ndarray, largest: int) -> np.ndarray:
    """Scale 0..largest to 0..255 with rounding; 8-bit samples come back unchanged."""
    if largest == 255:
        return samples.astype(np.uint8)
    return ((samples.astype(np.uint32) * 255 + largest // 2) // largest).astype(np.uint8)


def _jpeg(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf

    if tuple(tf.image.extract_jpeg_shape(data).numpy()[:2]) != (header.height, header.width):
        raise HeaderError("its JPEG segments can be read in two ways")
    # The accurate DCT gives the same pixels on every machine; the default is "system-specific".
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE", try_recover_truncated=False).numpy()


def _png(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf

    # Without the chunks that are no pixels: libpng unpacks compressed texts, 8 MB from 8 kB and a thousand of them.
    kept = [(kind, chunk) for kind, chunk in png_chunks(data) if kind[:1].isupper() or kind == b"tRNS"]
    dtype = tf.uint16 if header.largest == 65535 else tf.uint8
    data = b"".join([data[:8], *(chunk for _, chunk in kept)])
    rgba = to_uint8(tf.io.decode_png(data, channels=4, dtype=dtype).numpy(), dtype.max)
    # TensorFlow 2.15 fills in 2^depth − 1 where 1, 2 or 4 bits have no transparency: drawings would turn white.
    opaque = header.largest < 255 and b"tRNS" not in dict(kept)
    return rgba[..., :3] if opaque else _on_white(rgba)


def _on_white(rgba: np.ndarray) -> np.ndarray:
    color, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _pnm(data: bytes, header: Header) -> np.ndarray:
    if data[:2] in (b"P1", b"P4"):
        return _by_pillow(data, header)
    # Not by Pillow, which scales number by number in Python.
    start, dtype = header.opened.tile[0].offset, np.dtype(">u2" if header.largest > 255 else "u1")
    shape = header.height, header.width, 3 if data[1:2] in b"36" else 1
    if data[1:2] in b"56" and len(data) - start < np.prod(shape) * dtype.itemsize:
        raise HeaderError("it is truncated")  # tensorflow-io fills the last samples of 16 bits up
    if data[1:2] in b"23":
        start = re.compile(rb"(?:\s*#[^\n]*\n)*").match(data, start).end()
    read = _samples_by_tensorflow_io if find_spec("tensorflow_io") else _samples
    pixels = read(data[:2], data[start:], shape, dtype)
    if pixels.max() > header.largest:
        raise HeaderError(f"it holds the value {pixels.max()} above its own maximum {header.largest}")
    return np.broadcast_to(to_uint8(pixels, header.largest), (*pixels.shape[:2], 3))


def _samples_by_tensorflow_io(kind: bytes, body: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    import tensorflow as tf
    import tensorflow_io as tfio

    # It reads neither comments nor other maxima than 255 and 65535, so that it is handed a plain header.
    head = b"%s\n%d %d\n%d\n" % (kind, shape[1], shape[0], 256**dtype.itemsize - 1)
    return tfio.experimental.image.decode_pnm(head + body, dtype=tf.as_dtype(dtype.newbyteorder("="))).numpy()


def _samples(kind: bytes, body: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    count = int(np.prod(shape))
    if kind in (b"P5", b"P6"):
        return np.frombuffer(body, dtype, count).reshape(shape)
    # All of them: told how many, NumPy fills up what is missing with what lies in memory.
    samples = np.fromstring(body, np.int64, sep=" ")[:count]
    if samples.size < count or samples.min() < 0:
        raise HeaderError("it is truncated" if samples.size < count else "it holds a negative value")
    return samples.reshape(shape)


def _by_pillow(data: bytes, header: Header) -> np.ndarray:
    image = header.opened
    left, top, right, bottom = image.tile[0].extents if image.tile else (0, 0, *image.size)
    image.load()
    if image.mode.startswith("I;16"):
        gray = to_uint8(np.asarray(image), 65535)
        # white is zero: Pillow minds that in 8 bits only
        return np.repeat((255 - gray if image.tag_v2.get(262) == 0 else gray)[..., None], 3, 2)
    if not image.has_transparency_data:
        pixels = np.array(image.convert("RGB"))
    else:
        rgba = np.asarray(image.convert("RGBA"))
        padding = header.kind == "bmp" and not rgba[..., 3].any()
        pixels = rgba[..., :3].copy() if padding else _on_white(rgba)
    if header.kind == "gif":  # what the first frame leaves open is transparent
        pixels[:top] = pixels[bottom:] = pixels[:, :left] = pixels[:, right:] = 255
    return pixels
