"""The decoder inside served graphs gives the pixels of the one door for image files, and refuses what is too large."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from image_samples import ALPHA, JPEGS, RGB, SAMPLES, bmp32, encoded, exif, exif_jpeg, paletted, png_chunk, with_chunk
from PIL import Image

from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.serving.decoding import MAX_PIXELS, MAX_SCANS, MAX_TEXTS, decode_bounded

DECODE = tf.function(decode_bounded, input_signature=[tf.TensorSpec([], tf.string)])
FILES = {
    name: data
    for name, (data, _) in (SAMPLES | JPEGS).items()
    if name.startswith(("PNG", "JPEG", "BMP")) and name not in ("BMP of 1 bit", "PNG of 16 bits", "JPEG CMYK")
}
FILES["BMP of 32 bits, padded"] = bmp32(RGB, np.zeros_like(ALPHA))


@pytest.mark.parametrize("kind", FILES)
def test_pixels_are_those_of_the_door_for_files(kind):
    np.testing.assert_array_equal(DECODE(FILES[kind]).numpy(), decode_image(FILES[kind], kind))


def test_16_bits_lose_at_most_one_level():
    wide = SAMPLES["PNG of 16 bits"][0]
    assert np.abs(DECODE(wide).numpy() - decode_image(wide, "16 bits")).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_as_by_the_door_for_files(orientation):
    little = Image.Exif()
    little[0x010F], little[0x0112] = "a camera's maker", orientation
    png, jpeg = FILES["PNG"], FILES["JPEG progressive"]
    for data in (
        with_chunk(png, png_chunk(b"eXIf", exif(orientation))),
        encoded(paletted(4), "PNG", exif=little, transparency=1),
        exif_jpeg(jpeg, orientation),
        encoded(RGB, "JPEG", exif=little),
    ):
        truth = decode_image(data, "x")
        assert truth.shape[:2] == (RGB.shape[1::-1] if orientation >= 5 else RGB.shape[:2])
        np.testing.assert_array_equal(DECODE(data).numpy(), truth)


@pytest.mark.parametrize("damaged", [b"", b"MM\0*", exif(9), exif(6)[:-9], b"II*\0" + b"\xff" * 40])
def test_a_damaged_exif_block_counts_as_upright(damaged):
    np.testing.assert_array_equal(DECODE(with_chunk(FILES["PNG"], png_chunk(b"eXIf", damaged))).numpy(), RGB)


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


def test_scans_and_compressed_texts_are_bounded():
    jpeg, text = FILES["JPEG progressive"], png_chunk(b"zTXt", b"a\0\0x")
    last = jpeg[jpeg.rfind(b"\xff\xda") : -2]
    assert DECODE(jpeg[:-2] + last * 90 + jpeg[-2:]).shape == RGB.shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many JPEG scans"):
        DECODE(jpeg[:-2] + last * MAX_SCANS + jpeg[-2:])
    assert DECODE(with_chunk(FILES["PNG"], text * MAX_TEXTS)).shape == RGB.shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many PNG texts"):
        DECODE(with_chunk(FILES["PNG"], text * (MAX_TEXTS + 1)))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty or cut"),
        (FILES["PNG"][:20], "empty or cut"),
        (FILES["BMP"][:30], "empty or cut"),
        (b"GIF89a" + bytes(100), "neither JPEG, PNG nor BMP"),
        (b"no image at all" * 10, "neither JPEG, PNG nor BMP"),
        (b"BM" + bytes(100), "of OS/2 or of odd masks"),
        (bmp32(RGB)[:54] + bytes(12) + bmp32(RGB)[66:], "of OS/2 or of odd masks"),
        (FILES["PNG"][:-20], "PNG"),
        (FILES["JPEG"][:80], "JPEG"),
        (FILES["BMP"][:300], "bmp"),
    ],
    ids=range(10),
)
def test_what_is_no_whole_image_is_refused(data, reason):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        DECODE(data)
