"""The one door for image files: bytes in, RGB uint8 out, or a sentence that says why not.

Every image that the project reads comes through ``read_image`` or ``decode_image``. What they settle, once for all
callers, with ``headers.py`` and ``pixels.py``:

* **Format by content**, never by suffix: JPEG, PNG, BMP, GIF, PBM/PGM/PPM (plain and raw, any maximum up to 65535),
  TIFF and WebP; each may also be packed as ``.gz`` or ``.bz2`` (one layer).
* **Three channels**: gray is replicated; what is transparent, by a channel, a palette or a color of a GIF, becomes
  white, the color of paper (drawings are often saved as black strokes on nothing; without this they would turn black).
  The fourth byte of a 32-bit BMP is padding where it is 0 everywhere or no mask names it.
* **8 bits**: 16-bit samples are scaled by 255/65535 and rounded; in color TIFFs they lose their low byte (at most one
  level of difference).
* **Upright**: the EXIF orientation of JPEG, PNG, WebP and TIFF is applied.
* **First frame** of animations, first page of TIFF files; camera raw, whose first page is a preview, is refused.
* **Bounded**: the header is parsed before anything is decoded; more than ``MAX_PIXELS`` pixels, ``MAX_BYTES`` bytes
  (also after unpacking) or ``MAX_SCANS`` scans of a JPEG are refused, and so is what decodes to another size than its
  header says. Truncated files are refused in every format (an animation: if cut within its first frame).
"""

import bz2
import os
import re
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

import numpy as np

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.headers import MAX_PIXELS, HeaderError, kind_of, read_header
from iacyclegan_tf.data.images.pixels import decode

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


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """Content of a file of at most ``most`` bytes (``MAX_BYTES``); raises UserError naming the file otherwise."""
    most = MAX_BYTES if most is None else most
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UserError(f"'{path}' is not a file.")
        if size > most:
            raise UserError(f"'{path}' has {size} bytes; at most {most} are read.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror}.") from error


def read_text(path: Path, most: int) -> str:
    """Content of a file in UTF-8, with or without its mark; raises UserError as ``read_bytes``, or for other text."""
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not a text file in UTF-8: {error}.") from error


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode an image held in memory; as ``read_image``, with ``name`` used in messages."""
    if not data:
        raise UserError(f"'{name}' is empty (zero bytes).")
    try:
        data = unpack(data)
        header = read_header(data)
        if header.width * header.height > MAX_PIXELS:
            size = f"{header.width}x{header.height}"
            raise HeaderError(f"its header announces {size} pixels; at most {MAX_PIXELS} are decoded")
        image = decode(data, header)
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
    use and nothing in the file tells them apart, so the order is taken in which neighboring rows
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


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the EXIF orientation: 2, 4, 5, 7 mirror; 3 turns by 180; 5..8 swap height and width."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return image[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


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


def begins_as_image(start: bytes) -> bool:
    """Whether a file begins like one of the formats that are read, packed or not, by its first bytes: some hundred, of
    a bzip2 file its first block."""
    unpacker = {b"\x1f\x8b": zlib.decompressobj(wbits=31), b"BZ": bz2.BZ2Decompressor()}.get(start[:2])
    try:
        return kind_of(unpacker.decompress(start, 64) if unpacker else start) is not None
    except (OSError, zlib.error):
        return False


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
    name = _unpacked_name(path)
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*IMAGE_SUFFIXES, ".raw") else name


def has_image_name(path: PurePath) -> bool:
    """Whether the name ends like an image's, packed or not, and is not hidden."""
    return _unpacked_name(path).lower().endswith(IMAGE_SUFFIXES) and not path.name.startswith(".")


def is_raw(path: PurePath) -> bool:
    """Whether a name is that of AR's headerless RGB, packed or not."""
    return _unpacked_name(path).lower().endswith(".raw")


def _unpacked_name(path: str | PurePath) -> str:
    name, suffix = os.path.splitext(PurePath(path).name)
    return name if suffix.lower() in PACKED_SUFFIXES else name + suffix


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
