"""What an image file says about itself before anything is decoded: format, size, depth, orientation.

Formats are told by content, never by suffix. BMP, GIF, PNM, TIFF and WebP are opened by Pillow, and the same opened
image is decoded afterwards, so that size and pixels come from one reader. Of JPEG and PNG, whose pixels TensorFlow
decodes, the segments and chunks are walked here: Pillow's own walk takes a microsecond for each and has no end for
millions of empty ones. For the same reason, what could cost Pillow or a decoder more than the picture is worth (scans
repeated, tags that share one long value, GIF comments, a tile larger than its picture) is bounded here, and what two
readers could read in two ways (a tag given twice) is refused.

Sources: ITU-T T.81 (JPEG), PNG specification 5.3 and 11.3, GIF89a, TIFF 6.0 section 2, DNG 1.4, EXIF 2.3 tag 0x0112.
"""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import BmpImagePlugin, GifImagePlugin, Image, PpmImagePlugin, TiffImagePlugin, WebPImagePlugin

MAX_PIXELS = 64_000_000
MAX_SCANS = 100  # of a JPEG; programs write about ten, and each costs as much as decoding a picture once
_MAX_PARTS = 100_000  # segments or chunks
_MAX_HEAD = 65536  # bytes of a PNM header or a GIF's blocks before its first frame
_ONE = threading.Lock()
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # of odd tags: what matters becomes a sentence here


class HeaderError(ValueError):
    """The bytes cannot be an image that this project reads; the message is the reason, a clause."""


@dataclass(frozen=True)
class Header:
    """Facts of one image.

    Attributes:
        kind: ``jpeg``, ``png``, ``gif``, ``bmp``, ``pnm``, ``tiff`` or ``webp``.
        width, height: in pixels, before ``orientation`` is applied.
        largest: sample value of PNM, 2^depth - 1 of PNG, 65535 of a TIFF of 16 bits; else 255.
        orientation: EXIF orientation 1..8 (1 = upright) that is still to be applied; Pillow turns TIFF itself.
        opened: what Pillow will decode; None for JPEG and PNG.
    """

    kind: str
    width: int
    height: int
    largest: int = 255
    orientation: int = 1
    opened: Image.Image | None = None


def read_header(data: bytes) -> Header:
    """Return the ``Header`` of an encoded image; raise ``HeaderError`` with the reason otherwise."""
    kind = kind_of(data)
    if kind is None and data[4:8] == b"ftyp":
        raise HeaderError("it is HEIC, AVIF or a video, which are not read; save it as JPEG or PNG")
    if kind is None:
        raise HeaderError("it is not an image of a known format (JPEG, PNG, BMP, GIF, PBM, PGM, PPM, TIFF, WebP)")
    try:
        header = _KINDS[kind][1](data)
    except HeaderError:
        raise
    except (struct.error, IndexError) as error:
        raise HeaderError("its header is cut short") from error
    except Image.DecompressionBombError as error:
        raise HeaderError(f"its header announces far too many pixels; at most {MAX_PIXELS} are decoded") from error
    except PILLOW_ERRORS as error:
        raise HeaderError(f"its header is damaged or cut short ({kind.upper()}: {error})") from error
    if header.width < 1 or header.height < 1:
        raise HeaderError(f"its header gives the size {header.width}x{header.height}")
    return header


def kind_of(start: bytes) -> str | None:
    """Which of the formats begins with these bytes (some hundred)."""
    return next((kind for kind, (beginning, _) in _KINDS.items() if re.match(beginning, start, re.DOTALL)), None)


# ---------------------------------------------------------------- JPEG and PNG

_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])")  # all but stuffed zeros and the markers without a length


def _jpeg(data: bytes) -> Header:
    """Walks to the end of the image: between scans as between segments, whatever is no marker is passed over."""
    size, orientation, scans, at = None, 1, 0, 2
    for _ in range(_MAX_PARTS):
        found = _MARKER.search(data, at)
        if not found or found[1] == b"\xd9":
            if size is None:
                raise HeaderError("its JPEG header holds no frame size")
            return Header("jpeg", *size, 255, orientation)
        marker, at = found[1][0], found.end()
        (length,), body = struct.unpack_from(">H", data, at), at + 2
        if size is None and marker == 0xE1 and data.startswith(b"Exif\0\0", body):
            orientation = _orientation(data[body + 6 : at + length])
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if size is not None:
                raise HeaderError("its JPEG header gives two frame sizes")
            size = struct.unpack_from(">HH", data, body + 1)[::-1]
        elif marker == 0xDA:
            scans += 1
            if scans > MAX_SCANS:
                raise HeaderError(f"it has more than {MAX_SCANS} JPEG scans, which take very long to decode")
        at += length
    raise HeaderError(f"it has more than {_MAX_PARTS} JPEG segments")


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and the whole of each chunk, the last one as far as it is there."""
    at = 8
    for _ in range(_MAX_PARTS):
        if at >= len(data):
            return
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at:end]
        at = end
    raise HeaderError(f"it has more than {_MAX_PARTS} PNG chunks")


def _png(data: bytes) -> Header:
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    exif = next((chunk[8:-4] for kind, chunk in png_chunks(data) if kind == b"eXIf"), b"")
    return Header("png", width, height, 2**depth - 1, _orientation(exif))


# ---------------------------------------------------------------- formats that Pillow decodes

PILLOW_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, struct.error),
    Image.DecompressionBombError,
)


def _bmp(data: bytes) -> Header:
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    if image.info.get("compression", 0) not in (0, 3):  # Pillow unpacks runs in Python, and beyond the picture
        raise HeaderError("it is a bitmap with compressed runs, which is not supported")
    return Header("bmp", *image.size, opened=image)


def _gif(data: bytes) -> Header:
    with _ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # what is too large is refused in a sentence
        GifImagePlugin.GifImageFile(io.BytesIO(data[:_MAX_HEAD]))  # Pillow joins comments in quadratic time
        image = GifImagePlugin.GifImageFile(io.BytesIO(data))
    return Header("gif", *image.size, opened=image)


def _pnm(data: bytes) -> Header:
    PpmImagePlugin.PpmImageFile(io.BytesIO(data[:_MAX_HEAD]))  # Pillow reads comments byte by byte
    image = PpmImagePlugin.PpmImageFile(io.BytesIO(data))
    options = image.tile[0].args  # name of Pillow's raw reader, or with the largest value
    largest = options[-1] if isinstance(options, tuple) else {"I;16B": 65535}.get(options, 255)
    return Header("pnm", *image.size, largest, opened=image)


def _webp(data: bytes) -> Header:
    image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    exif = image.info.get("exif", b"")
    return Header("webp", *image.size, 255, _orientation(exif.removeprefix(b"Exif\0\0")), image)


# ---------------------------------------------------------------- TIFF and EXIF

_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)  # bytes of a value by its type, 8 for types above


def _directory(data: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The tags of the first directory of a classic TIFF, which is also the inside of an EXIF block.

    Refused before Pillow reads it are tags given twice (Pillow takes the last, libtiff the first), values that are cut
    (Pillow would go on without them) and values that are longer than the file together, as where many tags share one.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise HeaderError("it is not a classic TIFF (BigTIFF is not supported)")
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    entries = [struct.unpack_from(order + "HHII", data, start + 2 + 12 * number) for number in range(count)]
    if len({entry[0] for entry in entries}) < count:
        raise HeaderError("its TIFF directory gives a tag twice")
    lengths = [number * (*_SIZES[kind : kind + 1], 8)[0] for _, kind, number, _ in entries]
    ends = [at + length for (_, _, _, at), length in zip(entries, lengths) if length > 4]
    if max(start + 2 + 12 * count + 4, sum(lengths), *ends) > len(data):
        raise HeaderError("it is truncated: its TIFF directory points past the end")
    file, directory = io.BytesIO(data), TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    file.seek(start)
    directory.load(file)
    return directory


def _orientation(exif: bytes) -> int:
    """Orientation 1..8; a damaged EXIF block counts as upright, as in other viewers."""
    try:
        value = _directory(exif).get(274, 1)
    except (HeaderError, *PILLOW_ERRORS):
        return 1
    return value if value in range(1, 9) else 1


def _tiff(data: bytes) -> Header:
    """The first page. Pillow turns it upright itself, its size included."""
    tags = _directory(data)
    # DNG and CR2 by their marks, others by a first page that calls itself reduced or holds a sensor's pixels
    reduced, sensor = tags.get(254, 0) & 1 or tags.get(255) == 2, tags.get(262) in (32803, 34892)
    if 50706 in tags or data[8:10] == b"CR" or reduced or sensor:
        raise HeaderError("it is camera raw, of which only a preview could be shown; develop it to JPEG, PNG or TIFF")
    bits, formats = tags.get(258, (1,)), tags.get(339, (1,))
    if not set(bits) <= {1, 2, 4, 8, 16} or set(formats) != {1}:
        kind = {2: "integers with a sign", 3: "floating point"}.get(formats[0], "integers")
        raise HeaderError(
            f"its TIFF has an unsupported depth: {bits[0]} bits, {kind}; up to 16 bits, integers, are read"
        )
    for offsets, counts in ((273, 279), (324, 325)):  # libtiff pads cut strips with zeros and reports no error
        if any(offset + count > len(data) for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()))):
            raise HeaderError("it is truncated: its TIFF directory points past the end")
    if tags.get(322, 1) * tags.get(323, 1) > MAX_PIXELS:
        raise HeaderError(f"its TIFF has tiles of more than {MAX_PIXELS} pixels")
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    image.is_animated = True  # else Pillow reads the EXIF directories, which nobody bounded
    return Header("tiff", *image.size, 65535 if 16 in bits else 255, opened=image)


_KINDS = {
    "jpeg": (rb"\xff\xd8\xff", _jpeg),
    "png": (rb"\x89PNG\r\n\x1a\n", _png),
    "gif": (rb"GIF8[79]a", _gif),
    "bmp": (rb"BM.{12}[\x0c-\x7c]\0\0\0", _bmp),
    "pnm": (rb"P[1-6](?:\s+[#\d]|#)", _pnm),
    "tiff": (rb"II[*+]\0|MM\0[*+]", _tiff),
    "webp": (rb"RIFF.{4}WEBP", _webp),
}
