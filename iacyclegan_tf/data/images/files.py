"""The one door for image files: bytes in, RGB uint8 out, or a sentence that says why not.

Every image that the project reads comes through ``read_image`` or ``decode_image``. What they settle,
once for all callers:

* **Format by content**, never by suffix. JPEG, PNG, BMP and GIF are decoded by TensorFlow, PGM/PPM
  (plain and raw, 8 and 16 bits, any maximum) and TIFF by tensorflow-io; each may also be packed as
  ``.gz`` or ``.bz2`` (one layer).
* **Three channels**: grey is replicated; transparency is composited on white, the colour of paper
  (drawings are often saved as black strokes on nothing; dropping alpha would turn them black). The
  fourth byte of a 32-bit BMP is padding in most files (often 0) and is dropped.
* **8 bits**: 16-bit PNG and PGM/PPM samples are scaled by 255/65535 and rounded; 16-bit TIFF samples
  lose their low byte inside libtiff (at most one level of difference).
* **Upright**: the EXIF orientation of a JPEG and the orientation tag of a TIFF are applied.
* **First frame** of animations, first page of TIFF files. GIF colours that no frame covers are black.
* **Bounded**: the header is parsed before anything is decoded; more than ``MAX_PIXELS`` pixels or
  ``MAX_BYTES`` bytes (also after unpacking) are refused. Truncated files are refused in every format
  (an animation: if cut within its first frame).
"""

import bz2
import os
import re
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.headers import Header, HeaderError, read_header

MAX_PIXELS = 64_000_000
MAX_BYTES = 256 * 1024 * 1024
PACKED_SUFFIXES = (".gz", ".bz2")
# Of HEIC and AVIF only what holds another kind is read; the reader says so of the rest.
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".pbm", ".pgm", ".ppm", ".pnm", ".tif", ".tiff"),
    *(".webp", ".heic", ".heif", ".avif"),
)


def read_image(path: str | Path) -> np.ndarray:
    """Decode one image file.

    Returns:
        uint8 array of shape [height, width, 3], RGB, 0..255, upright.

    Raises:
        UserError: missing, empty, truncated, too large, or not an image; names file and reason.
    """
    path = Path(path)
    return decode_image(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Content of a file of at most ``MAX_BYTES``; raises UserError naming the file otherwise."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UserError(f"'{path}' is not a file.")
        if size > MAX_BYTES:
            raise UserError(f"'{path}' has {size} bytes; at most {MAX_BYTES} are read.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror}.") from error


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode an image held in memory; as ``read_image``, with ``name`` used in messages."""
    if not data:
        raise UserError(f"'{name}' is empty (zero bytes).")
    try:
        data = unpack(data)
        header = read_header(data)
        _check_size(header)
        image = _decode(data, header)
    except HeaderError as error:
        raise UserError(f"'{name}' cannot be decoded: {error}.") from error
    return np.ascontiguousarray(_upright(image, header.orientation))


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of the upright image in a file, from its header alone; errors as ``read_image``."""
    data = read_bytes(Path(path))
    try:
        header = read_header(unpack(data))
    except HeaderError as error:
        raise UserError(f"'{path}' cannot be decoded: {error}.") from error
    turned = header.orientation >= 5
    return (header.width, header.height) if turned else (header.height, header.width)


def read_raw_rgb(path: Path, width: int, height: int) -> np.ndarray:
    """Headerless RGB bytes, rows from the top (the AR database's ``.raw`` photos of 768x576).

    Copies with the three planes one after the other and copies with R, G, B pixel by pixel are both in
    use and nothing in the file tells them apart, so the order is taken in which neighbouring rows
    resemble each other most (under the wrong one, rows three lines or a third of a line apart meet).
    """
    data = unpack(read_bytes(path))
    if len(data) != width * height * 3:
        raise UserError(f"'{path}' has {len(data)} bytes; raw RGB of {width}x{height} has {width * height * 3}.")
    samples = np.frombuffer(data, np.uint8)
    by_pixel = samples.reshape(height, width, 3)
    by_plane = samples.reshape(3, height, width).transpose(1, 2, 0)
    return min(by_pixel, by_plane, key=_row_difference).copy()


def _row_difference(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image.astype(np.int16), axis=0)).mean())


def unpack(data: bytes) -> bytes:
    """Undo one layer of gzip or bzip2, told by content; other bytes come back as they are.

    Raises:
        HeaderError: damaged or cut stream, or more than ``MAX_BYTES`` bytes inside.
    """
    if data.startswith(b"\x1f\x8b\x08"):
        unpacker = zlib.decompressobj(wbits=31)
    elif re.match(rb"BZh[1-9]1AY&SY", data):
        unpacker = bz2.BZ2Decompressor()
    else:
        return data
    try:
        unpacked = unpacker.decompress(data, MAX_BYTES + 1)
    except (OSError, zlib.error) as error:
        raise HeaderError("its compressed stream is damaged") from error
    if len(unpacked) > MAX_BYTES:
        raise HeaderError(f"it unpacks to more than {MAX_BYTES} bytes")
    if not unpacker.eof:
        raise HeaderError("its compressed stream is truncated")
    return unpacked


_BEGINNINGS = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM.{12}[\x0c-\x7c]\0\0\0|P[1-6](?:\s+[#\d]|#)|II[*+]\0|MM\0[*+]|RIFF.{4}WEBP",
    re.DOTALL,
)


def begins_as_image(start: bytes) -> bool:
    """Whether a file begins like one of the formats that are read, packed or not, by its first bytes: some hundred, of
    a bzip2 file its first block."""
    unpacker = {b"\x1f\x8b": zlib.decompressobj(wbits=31), b"BZ": bz2.BZ2Decompressor()}.get(start[:2])
    try:
        return bool(_BEGINNINGS.match(unpacker.decompress(start, 64) if unpacker else start))
    except (OSError, zlib.error):
        return False


def _check_size(header: Header) -> None:
    if header.width < 1 or header.height < 1:
        raise HeaderError(f"its header gives the size {header.width}x{header.height}")
    if header.width * header.height > MAX_PIXELS:
        raise HeaderError(
            f"its header announces {header.width}x{header.height} pixels; at most {MAX_PIXELS} are decoded"
        )


def _decode(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf

    decoders = {
        "jpeg": _decode_jpeg,
        "png": _decode_png,
        "gif": _decode_gif,
        "bmp": _decode_bmp,
        "pnm": _decode_pnm,
        "tiff": _decode_tiff,
    }
    try:
        with tf.device("CPU:0"):
            return decoders[header.kind](data, header)
    except (tf.errors.OpError, ValueError) as error:
        if isinstance(error, HeaderError):
            raise
        # TensorFlow wraps the reason in the name of the op; only the reason helps the reader.
        reason = re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", str(error).splitlines()[0]).strip(" .,:")
        raise HeaderError(f"it is damaged or truncated ({header.kind.upper()}: {reason})") from error


def _decode_jpeg(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf

    # The accurate DCT gives the same pixels on every machine; the default is "system-specific".
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE", try_recover_truncated=False).numpy()


def _decode_png(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf

    dtype = tf.uint16 if header.depth == 16 else tf.uint8
    rgba = to_uint8(tf.io.decode_png(data, channels=4, dtype=dtype).numpy(), dtype.max)
    colour, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    # TensorFlow 2.15 fills in 2^depth − 1 where 1, 2 or 4 bits have no transparency: drawings would turn white.
    if header.depth < 8 and (alpha == 2**header.depth - 1).all():
        alpha[...] = 255
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _decode_gif(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf

    # Cut after the first frame: the decoder would slurp all of them, however many there are.
    return tf.io.decode_image(data[: header.end] + b";", expand_animations=False).numpy()


def _decode_bmp(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf

    pixels = tf.io.decode_bmp(data).numpy()
    if header.depth != 8:
        return pixels[..., :3]
    # TensorFlow returns the indices; the colour table (B, G, R, 0) ends where the pixels start.
    table_start = 14 + int.from_bytes(data[14:18], "little")
    table = np.frombuffer(data[table_start : header.end], np.uint8)
    table = table[: len(table) // 4 * 4].reshape(-1, 4)[:, 2::-1]
    if pixels.max() >= len(table):
        raise HeaderError("its colour table is too short")
    return table[pixels[..., 0]]


def _decode_pnm(data: bytes, header: Header) -> np.ndarray:
    import tensorflow as tf
    import tensorflow_io as tfio

    # tensorflow-io reads neither comments nor other maxima than 255 and 65535: hand it a plain header.
    largest = 255 if header.depth < 256 else 65535
    plain = b"%s\n%d %d\n%d\n" % (data[:2], header.width, header.height, largest)
    pixels = tfio.experimental.image.decode_pnm(
        plain + data[header.end :], dtype=tf.uint8 if largest == 255 else tf.uint16
    ).numpy()
    if pixels.max() > header.depth:
        raise HeaderError(f"it holds the value {pixels.max()} above its own maximum {header.depth}")
    return np.broadcast_to(to_uint8(pixels, header.depth), pixels.shape[:2] + (3,))


def _decode_tiff(data: bytes, header: Header) -> np.ndarray:
    import tensorflow_io as tfio

    rgba = tfio.experimental.image.decode_tiff(data).numpy().astype(np.uint16)
    # libtiff hands out colours already multiplied by alpha, so white is only added.
    return np.minimum(rgba[..., :3] + 255 - rgba[..., 3:], 255).astype(np.uint8)


def to_uint8(samples: np.ndarray, largest: int) -> np.ndarray:
    """Scale 0..largest to 0..255 with rounding; 8-bit samples come back unchanged."""
    if largest == 255:
        return samples.astype(np.uint8)
    return ((samples.astype(np.uint32) * 255 + largest // 2) // largest).astype(np.uint8)


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the EXIF orientation: 2, 4, 5, 7 mirror; 3 turns by 180; 5..8 swap height and width."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return image[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write a uint8 image [H, W, 1 or 3] as PNG; the file appears whole or not at all.

    Raises:
        ValueError: another type or shape (a caller's mistake, so no UserError).
    """
    write_bytes(Path(path), encode_png(image))


def encode_png(image: np.ndarray, compression: int = -1) -> bytes:
    """A uint8 image [H, W, 1 or 3] as a PNG file, zlib's ``compression`` 0..9 (-1: its usual 6).

    Raises:
        ValueError: another type or shape.
    """
    import tensorflow as tf

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"a PNG is made of uint8 [H, W, 1 or 3], not {image.dtype} {image.shape}")
    with tf.device("CPU:0"):
        return tf.io.encode_png(image, compression=compression).numpy()


def image_stem(path: str | Path) -> str:
    """File name without its image suffix and packing: ``a/00001fb.ppm.bz2`` -> ``00001fb``."""
    name = Path(path).name
    for suffixes in (PACKED_SUFFIXES, IMAGE_SUFFIXES + (".raw",)):
        suffix = Path(name).suffix
        name = name[: -len(suffix)] if suffix.lower() in suffixes else name
    return name


def has_image_name(path: Path) -> bool:
    """Whether the name ends like an image's, packed or not, and is not hidden."""
    name = path.name.lower()
    for packed in PACKED_SUFFIXES:
        name = name.removesuffix(packed)
    return name.endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def list_images(folder: str | Path) -> list[Path]:
    """Image files directly inside a folder, by suffix, sorted by name; hidden ones are skipped."""
    return [path for path in _list_files(folder) if has_image_name(path)]


def list_passed_over(folder: str | Path) -> list[Path]:
    """The visible files that ``list_images`` leaves out (``Thumbs.db``, notes), to be counted."""
    return [path for path in _list_files(folder) if not has_image_name(path) and not path.name.startswith(".")]


def _list_files(folder: str | Path) -> list[Path]:
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"'{folder}' is not a folder; a folder of images was expected.")
    return sorted(named_in_utf8(path) for path in folder.iterdir() if path.is_file())


def named_in_utf8(path: Path) -> Path:
    """``path``; ``UserError`` where its name could stand in no manifest, index or log."""
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise UserError(
            f"The name of '{shown}' is not UTF-8; rename it (all at once: convmv -f latin1 -t utf8 -r FOLDER --notest)."
        ) from None
    return path


def read_images(
    paths: Sequence[Path], progress: Callable, then: Callable[[np.ndarray], np.ndarray] = lambda image: image
) -> tuple[dict[Path, np.ndarray], list[str]]:
    """uint8 RGB images by path, and why the others are missing.

    Args:
        progress: wraps an iterable, given the words for it and its length, e.g. to show a bar.
        then: what is kept of an image, e.g. ``Fit.apply``, so that big files do not fill the memory.
    """

    def read(path: Path):
        try:
            return path, then(read_image(path)), None
        except UserError as error:
            return path, None, str(error)

    with ThreadPoolExecutor() as pool:
        results = list(progress(pool.map(read, paths), "reading images", len(paths)))
    return (
        {path: image for path, image, _ in results if image is not None},
        [error for _, _, error in results if error is not None],
    )
