"""Small image files of every kind and mode that is read, each with the pixels that it must give; and broken ones.

Expected pixels are made from the drawing itself, not by a decoder: transparency on white, gray replicated.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 20, 15
_ROWS, _COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
RGB = np.stack([_ROWS * 9 + 20, _COLUMNS * 12 + 30, (_ROWS * 5 + _COLUMNS * 7) % 200], 2).astype(np.uint8)
GRAY = RGB[..., 2]
ALPHA = ((_ROWS * 31 + _COLUMNS * 57) % 256).astype(np.uint8)
DEEP = GRAY.astype(np.uint16) * 257 + 100
_GRAY = Image.fromarray(GRAY)
_BITS = Image.fromarray((GRAY > 99).astype(np.uint8) * 255).convert("1", dither=Image.Dither.NONE)


def encoded(image: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def paletted(colors: int) -> Image.Image:
    return Image.fromarray(RGB).quantize(colors)


def _white(rgb, alpha) -> np.ndarray:
    alpha = np.asarray(alpha, np.int64)[..., None]
    return ((np.asarray(rgb, np.int64) * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _three(gray) -> np.ndarray:
    return np.repeat(np.asarray(gray).astype(np.uint8)[..., None], 3, 2)


def _shown(palette: Image.Image, transparent: bytes | int | None = None) -> np.ndarray:
    """The colors of a palette, of which one or some are transparent."""
    indices, alpha = np.asarray(palette), np.full(256, 255)
    if isinstance(transparent, int):
        alpha[transparent] = 0
    elif transparent:
        alpha[: len(transparent)] = list(transparent)
    return _white(np.asarray(palette.convert("RGB")), alpha[indices])


def _samples() -> dict[str, tuple[bytes, np.ndarray]]:
    rgba, la = np.dstack([RGB, ALPHA]), np.dstack([GRAY, ALPHA])
    scaled, key = _three((DEEP.astype(np.uint32) * 255 + 32767) // 65535), tuple(int(v) for v in RGB[3, 4])
    half = bytes(range(0, 100, 7))
    made = {
        "PNG": (encoded(RGB, "PNG"), RGB),
        "PNG with alpha": (encoded(rgba, "PNG"), _white(RGB, ALPHA)),
        "PNG with a transparent color": (encoded(RGB, "PNG", transparency=key), _white(RGB, 255 * (key != RGB).any(2))),
        "PNG gray": (encoded(GRAY, "PNG"), _three(GRAY)),
        "PNG gray with alpha": (encoded(la, "PNG"), _white(_three(GRAY), ALPHA)),
        "PNG gray with a transparent one": (
            encoded(GRAY, "PNG", transparency=int(GRAY[3, 4])),
            _white(_three(GRAY), 255 * (GRAY[3, 4] != GRAY)),
        ),
        "PNG of 16 bits": (encoded(DEEP, "PNG"), scaled),
        "PNG of 1 bit": (encoded(_BITS, "PNG"), _three(np.asarray(_BITS) * 255)),
        "PNG of 1 bit with a transparent one": (encoded(_BITS, "PNG", transparency=0), np.full_like(RGB, 255)),
        "GIF gray": (encoded(GRAY, "GIF"), _three(GRAY)),
        "BMP": (encoded(RGB, "BMP"), RGB),
        "BMP gray": (encoded(GRAY, "BMP"), _three(GRAY)),
        "BMP of 1 bit": (encoded(_BITS, "BMP"), _three(np.asarray(_BITS) * 255)),
        "BMP with colors": (encoded(paletted(200), "BMP"), _shown(paletted(200))),
        "BMP of 32 bits": (bmp32(RGB), RGB),
        "BMP with alpha": (bmp32(RGB, ALPHA), _white(RGB, ALPHA)),
        "PPM": (encoded(RGB, "PPM"), RGB),
        "PGM": (encoded(GRAY, "PPM"), _three(GRAY)),
        "PGM of 16 bits": (encoded(Image.fromarray(DEEP), "PPM"), scaled),
        "PBM": (encoded(_BITS, "PPM"), _three(np.asarray(_BITS) * 255)),
        "PBM as text": (b"P1\n# black is 1\n3 2\n1 0 1\n010\n", _three([[0, 255, 0], [255, 0, 255]])),
        "TIFF with alpha": (encoded(rgba, "TIFF"), _white(RGB, ALPHA)),
        "TIFF gray": (encoded(GRAY, "TIFF"), _three(GRAY)),
        "TIFF gray with alpha": (encoded(la, "TIFF"), _white(_three(GRAY), ALPHA)),
        "TIFF of 16 bits": (encoded(DEEP, "TIFF"), scaled),
        "TIFF of 1 bit": (encoded(_BITS, "TIFF", compression="group4"), _three(np.asarray(_BITS) * 255)),
        "TIFF with colors": (encoded(paletted(200), "TIFF"), _shown(paletted(200))),
        "TIFF CMYK": (encoded(Image.fromarray(RGB).convert("CMYK"), "TIFF"), RGB),
        "TIFF white is zero": (tiff({262: 0}, (255 - GRAY).tobytes()), _three(GRAY)),
        "TIFF of 16 bits, white is zero": (tiff({258: 16, 262: 0}, (65535 - DEEP).astype("<u2").tobytes()), scaled),
        "WebP": (encoded(RGB, "WEBP", lossless=True), RGB),
        "WebP with alpha": (encoded(rgba, "WEBP", lossless=True, exact=True), _white(RGB, ALPHA)),
    }
    for colors in (2, 4, 16, 200):
        palette = paletted(colors)
        made[f"PNG of {colors} colors"] = encoded(palette, "PNG"), _shown(palette)
        for name, transparent in (("one", 1), ("some", half[:colors]), ("odd", bytes([colors - 1]) * colors)):
            made[f"PNG of {colors} colors, {name} transparent"] = (
                encoded(palette, "PNG", transparency=transparent),
                _shown(palette, transparent),
            )
        made[f"GIF of {colors} colors"] = encoded(palette, "GIF"), _shown(palette)
        made[f"GIF of {colors} colors, one transparent"] = (encoded(palette, "GIF", transparency=1), _shown(palette, 1))
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "packbits"):
        made[f"TIFF {compression}"] = encoded(RGB, "TIFF", compression=compression), RGB
    return made


def bmp32(rgb: np.ndarray, alpha: np.ndarray | None = None) -> bytes:
    """Top-down, 32 bits a pixel; without ``alpha`` the fourth byte is 0, as many programs leave it though a mask names
    it."""
    height, width = rgb.shape[:2]
    body = np.dstack([rgb[..., ::-1], np.zeros_like(rgb[..., :1]) if alpha is None else alpha]).tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return (
        struct.pack("<2sIHHI", b"BM", 70 + len(body), 0, 0, 70)
        + struct.pack("<IiiHHIIiiII", 56, width, -height, 1, 32, 3, len(body), 0, 0, 0, 0)
        + masks
        + body
    )


def tiff(
    changed: dict[int, int], pixels: bytes, order: str = "<", more: tuple = (), side: tuple = (WIDTH, HEIGHT)
) -> bytes:
    """An uncompressed gray TIFF whose pixels come last. ``changed``: values by tag; ``more``: entries that follow,
    (tag, type, count, value)."""
    values = {
        256: side[0],
        257: side[1],
        258: 8,
        259: 1,
        262: 1,
        273: 0,
        277: 1,
        278: side[1],
        279: len(pixels),
    } | changed
    entries = [(tag, 4, 1, value) for tag, value in sorted(values.items())] + list(more)
    start = 8 + 2 + 12 * len(entries) + 4
    packed = b"".join(
        struct.pack(f"{order}HHII", tag, kind, count, start if tag == 273 else value)
        for tag, kind, count, value in entries
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return head + packed + bytes(4) + pixels


def exif(orientation: int) -> bytes:
    """As cameras write it, big-endian and with other tags before."""
    return b"MM\0*" + struct.pack(">IHHHIIHHIHHI", 8, 2, 0x0100, 3, 1, 0, 0x0112, 3, 1, orientation, 0, 0)


def exif_jpeg(jpeg: bytes, orientation: int) -> bytes:
    body = b"Exif\0\0" + exif(orientation)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytes, chunk: bytes) -> bytes:
    """Right after the header."""
    return png[:33] + chunk + png[33:]


def gif(frames: int = 1, canvas: tuple[int, int] = (2, 1)) -> bytes:
    """Frames of 2x1 pixels (red, blue) in the upper left corner of a canvas."""
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + bytes([255, 0, 0, 0, 0, 255])
    frame = b"," + struct.pack("<HHHHB", 0, 0, 2, 1, 0) + bytes([2, 2, 0x44, 0x0A, 0])
    return head + frame * frames + b";"


SAMPLES = _samples()
JPEGS = {
    "JPEG": (encoded(RGB, "JPEG", quality=98, subsampling=0), RGB),
    "JPEG progressive": (encoded(RGB, "JPEG", quality=98, subsampling=0, progressive=True), RGB),
    "JPEG gray": (encoded(GRAY, "JPEG", quality=98), _three(GRAY)),
    "JPEG CMYK": (encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=98, subsampling=0), RGB),
}
