"""Pictures from a browser: bounded, named by their own name alone, and every wrong file gets its sentence."""

import gzip
import struct
import zlib

import cv2
import numpy as np
import pytest

from iacyclegan_tf.web.pictures import WrongPicture, decode, plain_name, png, side_by_side, thumbnail

IMAGE = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)


def announced(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header announces a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )


def test_pixels_come_back_as_they_were_sent():
    np.testing.assert_array_equal(decode(png(IMAGE), "face.png"), IMAGE)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "'notes.txt' is empty (zero bytes)."),
        (b"Dear diary, today", "'notes.txt' cannot be used: it is not an image of a known format"),
        (b"%PDF-1.7 " + bytes(100), "it is not an image of a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is not an image of a known format"),
        (gzip.compress(png(IMAGE)), "it is not an image of a known format"),  # would unpack to more than was uploaded
        (png(IMAGE)[:300], "'notes.txt' cannot be decoded: it is damaged or truncated"),
        (announced(60_000, 60_000), "'notes.txt' has 60000x60000 pixels; at most 16777216 are taken."),
        (announced(4097, 4096), "'notes.txt' has 4097x4096 pixels"),
    ],
)
def test_wrong_files_get_a_sentence_without_a_path(data, words):
    with pytest.raises(WrongPicture) as error:
        decode(data, "/home/somebody/secret/notes.txt")
    assert words in str(error.value) and "secret" not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, plain",
    [
        ("face.png", "face.png"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\face.bmp", "face.bmp"),
        ("../..", "picture"),
        (".", "picture"),
        ("a\x00b\x1b[31m.png", "ab[31m.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800.png", "picture.png"),
        ("", "picture"),
        ("/", "picture"),
        (".png", "picture.png"),
        ("x" * 99, "x" * 60),
        ("x" * 99 + ".jpeg", "x" * 55 + ".jpeg"),
        ("a." + "b" * 99, "a." + "b" * 58),
        ("हिन्दी.png", "हिन्दी.png"),
    ],
)
def test_plain_name(name, plain):
    assert plain_name(name) == plain


@pytest.mark.parametrize("name", ["face.png", "x" * 99 + ".png", "a.b.c", "." * 80, "", "\u202e"])
def test_another_ending_stays_whole_and_makes_another_name(name):
    made = [plain_name(name, ending) for ending in (".sketch.png", ".both.png", ".candidates.csv")]
    assert made[0].endswith(".sketch.png") and len(set(made)) == 3 and max(map(len, made)) <= 60 and all(made)


def test_side_by_side_holds_both():
    both = side_by_side(IMAGE, 255 - IMAGE)
    assert both.shape == (30, 48, 3)
    np.testing.assert_array_equal(both[:, :20], IMAGE)
    np.testing.assert_array_equal(both[:, -20:], 255 - IMAGE)
    assert (both[:, 20:28] == 255).all()


@pytest.mark.parametrize(
    "shape, shown", [((30, 20, 3), (30, 20)), ((500, 400, 3), (200, 160)), ((5000, 3, 3), (200, 1))]
)
def test_thumbnail_is_small_and_keeps_its_shape(shape, shown):
    image = cv2.imdecode(np.frombuffer(thumbnail(np.full(shape, 90, np.uint8)), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[:2] == shown and abs(int(image.mean()) - 90) <= 1
