"""What an image file says about itself in its first bytes: format, size, depth, orientation.

Read in pure Python, before any decoder allocates memory, so that a small file which announces a huge
image (a "bomb") or a cut one is refused for the price of a few bytes. Formats are told by their
content, never by the suffix: public face sets hold PNG files named ``.jpg``.

Sources: ITU-T T.81 (JPEG markers), PNG specification 11.2.2, GIF89a, Netpbm ``ppm(5)``/``pgm(5)``,
TIFF 6.0 section 2, EXIF 2.3 tag 0x0112, Windows ``BITMAPINFOHEADER``.
"""

import re
import struct
from dataclasses import dataclass


class HeaderError(ValueError):
    """The bytes cannot be an image that this project reads; the message is the reason, a clause."""


@dataclass(frozen=True)
class Header:
    """Facts of one image, from its header alone.

    Attributes:
        kind: ``jpeg``, ``png``, ``gif``, ``bmp``, ``pnm`` or ``tiff``.
        width, height: in pixels, before the EXIF orientation is applied.
        depth: bits per sample (bits per pixel for BMP, the largest sample value for PNM).
        orientation: EXIF orientation 1..8 (1 = upright). Read for JPEG only.
        end: where the first frame (GIF) ends or where the pixels (PNM, BMP) start, in bytes.
    """

    kind: str
    width: int
    height: int
    depth: int = 8
    orientation: int = 1
    end: int = 0


def read_header(data: bytes) -> Header:
    """Return the ``Header`` of an encoded image; raise ``HeaderError`` with the reason otherwise."""
    for magic, reader in _READERS:
        if re.match(magic, data, re.DOTALL):
            try:
                return reader(data)
            except (struct.error, IndexError) as error:
                raise HeaderError("its header is cut short") from error
    raise HeaderError("it is not an image of a known format (JPEG, PNG, BMP, GIF, PGM, PPM, TIFF)")


def _jpeg(data: bytes) -> Header:
    """Walk the marker segments up to the start of frame, noting the EXIF segment on the way."""
    orientation, at = 1, 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:  # fill bytes are allowed before a marker
            at += 1
        if data[at] != 0xFF:
            raise HeaderError("its JPEG marker segments are damaged")
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width = struct.unpack_from(">BHH", body)
            return Header("jpeg", width, height, depth, orientation)
        if marker in (0xD9, 0xDA) or length < 2:
            raise HeaderError("its JPEG header holds no frame size")
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(body[6:])
        at += 2 + length


def _exif_orientation(exif: bytes) -> int:
    """Orientation 1..8; a damaged EXIF block counts as upright, as in other viewers."""
    try:
        value = _tiff_tags(exif).get(0x0112, (1,))[0]
    except (HeaderError, struct.error, IndexError):
        return 1
    return value if 1 <= value <= 8 else 1


def _png(data: bytes) -> Header:
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    return Header("png", width, height, depth)


def _bmp(data: bytes) -> Header:
    start, info_size, width, height = struct.unpack_from("<IIii", data, 10)
    if info_size < 40:
        raise HeaderError("it is an OS/2 bitmap, which is not supported")
    depth, compression = struct.unpack_from("<HI", data, 28)
    masks = struct.unpack_from("<III", data, 54) if compression == 3 else _BMP_MASKS
    if compression not in (0, 3) or masks != _BMP_MASKS or depth not in (8, 24, 32):
        raise HeaderError(
            f"it is a bitmap of {depth} bits with compression {compression}; only plain 8, 24 and 32 bits are supported"
        )
    return Header("bmp", width, abs(height), depth, end=start)


_BMP_MASKS = (0xFF0000, 0x00FF00, 0x0000FF)


def _gif(data: bytes) -> Header:
    """Size of the canvas or of the first frame, whichever is larger, and where that frame ends."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    while data[at] == 0x21:  # extension blocks
        at = _skip_gif_blocks(data, at + 2)
    if data[at] != 0x2C:
        raise HeaderError("it is a GIF without a frame")
    frame_width, frame_height, flags = struct.unpack_from("<HHB", data, at + 5)
    at += 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    end = _skip_gif_blocks(data, at + 1)
    return Header("gif", max(width, frame_width), max(height, frame_height), end=end)


def _skip_gif_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


_PNM = re.compile(
    rb"P([2356])((?:\s|#[^\n]*\n)+)(\d+)((?:\s|#[^\n]*\n)+)(\d+)"
    rb"((?:\s|#[^\n]*\n)+)(\d+)(?:#[^\n]*\n|\s)"
)
_PNM_COMMENTS = re.compile(rb"(?:\s*#[^\n]*\n)*")


def _pnm(data: bytes) -> Header:
    # Comments may run long; 64 KiB keep the search bounded.
    match = _PNM.match(data[:65536])
    if not match:
        raise HeaderError("its PGM/PPM header is damaged or cut short")
    width, height, largest = (int(match.group(group)[:9]) for group in (3, 5, 7))
    if not 1 <= largest <= 65535:
        raise HeaderError(f"its PGM/PPM header gives {largest} as largest value; allowed is 1..65535")
    # Raw pixels begin after one white space, also where the first of them is a '#'; numbers as text may follow comments.
    plain = match.group(1) in b"23"
    return Header(
        "pnm", width, height, depth=largest, end=_PNM_COMMENTS.match(data, match.end()).end() if plain else match.end()
    )


def _tiff(data: bytes) -> Header:
    """Size from the first directory; every strip or tile must lie inside the file.

    The second check stands here because libtiff pads the missing rows of a cut uncompressed file
    with zeros and reports no error.
    """
    tags = _tiff_tags(data)
    if 256 not in tags or 257 not in tags:
        raise HeaderError("its TIFF directory holds no image size")
    for offsets, counts in ((273, 279), (324, 325)):
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ())):
            if offset + count > len(data):
                raise HeaderError("it is truncated: its TIFF directory points past the end")
    return Header("tiff", tags[256][0], tags[257][0], tags.get(258, (1,))[0])


_TIFF_TYPES = {1: "B", 3: "H", 4: "I"}


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """Integer tags of the first directory of a classic TIFF (also the inside of an EXIF block)."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or struct.unpack_from(order + "H", data, 2)[0] != 42:
        raise HeaderError("it is not a classic TIFF (BigTIFF is not supported)")
    start = struct.unpack_from(order + "I", data, 4)[0]
    tags = {}
    for entry in range(struct.unpack_from(order + "H", data, start)[0]):
        at = start + 2 + 12 * entry
        tag, kind, count = struct.unpack_from(order + "HHI", data, at)
        if kind in _TIFF_TYPES and count and count <= len(data):
            values = order + str(count) + _TIFF_TYPES[kind]
            inline = struct.calcsize(values) <= 4
            where = at + 8 if inline else struct.unpack_from(order + "I", data, at + 8)[0]
            tags[tag] = struct.unpack_from(values, data, where)
    return tags


_READERS = (
    (rb"\xff\xd8\xff", _jpeg),
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"GIF8[79]a", _gif),
    (rb"BM.{12}[\x0c-\x7c]\0\0\0", _bmp),
    (rb"P[2356][\s#]", _pnm),
    (rb"II[*+]\0|MM\0[*+]", _tiff),
)
