"""The decoder inside served graphs gives the pixels of the one door for image files, and refuses what is too large."""

import io
import struct

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.serving.decoding import MAX_PIXELS, decode_bounded

DECODE = tf.function(decode_bounded, input_signature=[tf.TensorSpec([], tf.string)])
FACE = np.random.default_rng(0).integers(0, 256, (21, 17, 3), np.uint8)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def bmp32(image: np.ndarray) -> bytes:
    """Top-down, 32 bits a pixel, the fourth byte 0 as most programs leave it."""
    height, width = image.shape[:2]
    body = np.concatenate([image[..., ::-1], np.zeros_like(image[..., :1])], -1).tobytes()
    return (
        struct.pack("<2sIHHI", b"BM", 54 + len(body), 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 32, 0, len(body), 0, 0, 0, 0)
        + body
    )


def bmp_with_colours(image: np.ndarray) -> bytes:
    """Eight bits a pixel and a table of 256 colours that is no grey ramp."""
    indices = image[..., 0]
    table = np.stack([np.arange(256), np.arange(256)[::-1], np.arange(256) // 2, np.zeros(256)], 1).astype(np.uint8)
    padded = np.pad(indices, ((0, 0), (0, -indices.shape[1] % 4)))[::-1].tobytes()
    return (
        struct.pack("<2sIHHI", b"BM", 1078 + len(padded), 0, 0, 1078)
        + struct.pack("<IiiHHIIiiII", 40, image.shape[1], image.shape[0], 1, 8, 0, len(padded), 0, 0, 256, 0)
        + table.tobytes()
        + padded
    )


def paletted(image: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).quantize(7).save(file, "PNG", **options)
    return file.getvalue()


FILES = {
    "PNG": png(FACE),
    "grey PNG": png(FACE[..., 0]),
    "PNG of 1 bit": cv2.imencode(".png", (FACE[..., 0] > 99).astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])[
        1
    ].tobytes(),
    "PNG with a palette": paletted(FACE),
    "PNG with a palette of which one is transparent": paletted(FACE, transparency=2),
    "PNG with transparency": png(np.concatenate([FACE, FACE[..., :1]], -1)),
    "JPEG": cv2.imencode(".jpg", FACE)[1].tobytes(),
    "grey JPEG": cv2.imencode(".jpg", FACE[..., 0])[1].tobytes(),
    "BMP": cv2.imencode(".bmp", FACE)[1].tobytes(),
    "BMP of 32 bits, top down": bmp32(FACE),
    "BMP with a colour table": bmp_with_colours(FACE),
}


@pytest.mark.parametrize("kind", FILES)
def test_pixels_are_those_of_the_door_for_files(kind):
    np.testing.assert_array_equal(DECODE(FILES[kind]).numpy(), decode_image(FILES[kind], kind))


def test_16_bits_lose_at_most_one_level():
    wide = png(np.random.default_rng(1).integers(0, 65536, (9, 8, 3), np.uint16))
    assert np.abs(DECODE(wide).numpy() - decode_image(wide, "16 bits")).max() <= 1


def announcing(kind: str, height: int, width: int) -> bytes:
    """A real file whose header announces another size."""
    data = bytearray(FILES[kind])
    if kind == "PNG":
        struct.pack_into(">II", data, 16, width, height)
    elif kind == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    else:
        frame = data.index(b"\xff\xc0")
        struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


@pytest.mark.parametrize(
    "kind, height, width",
    [
        ("PNG", 4096, 4097),
        ("PNG", 2**31 - 1, 2**31 - 1),
        ("PNG", 0xFFFFFFFF, 1),
        ("PNG", 0, 5),
        ("JPEG", 4097, 4096),
        ("JPEG", 65000, 65000),
        ("BMP", 4097, 4096),
        ("BMP", -(2**31), 1),
        ("BMP", 5, -5),
    ],
)
def test_a_header_that_announces_too_much_is_refused_before_decoding(kind, height, width):
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"outside 1 .. {MAX_PIXELS} pixels"):
        DECODE(announcing(kind, height, width))


def test_the_largest_size_is_taken():
    """Refused by the decoder, whose data do not last, and no longer by the bound."""
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        DECODE(announcing("PNG", 4096, 4096))
    assert "pixels in all" not in str(error.value)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty or cut"),
        (FILES["PNG"][:20], "empty or cut"),
        (FILES["BMP"][:30], "empty or cut"),
        (b"GIF89a" + bytes(100), "neither JPEG, PNG nor BMP"),
        (b"no image at all" * 10, "neither JPEG, PNG nor BMP"),
        (b"BM" + bytes(100), "compressed or of OS/2"),
        (FILES["PNG"][:200], "PNG"),
        (FILES["JPEG"][:80], "JPEG"),
        (FILES["BMP"][:300], "bmp"),
    ],
    ids=range(9),
)
def test_what_is_no_whole_image_is_refused(data, reason):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        DECODE(data)
