"""The door for image files: formats by content, channels, depth, orientation, bounds, refusals."""

import bz2
import gzip
import struct
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from iacyclegan_tf.common import atomic_files
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images import files as images
from iacyclegan_tf.data.images.files import (
    decode_image,
    image_size,
    image_stem,
    list_images,
    list_passed_over,
    read_image,
    read_raw_rgb,
    write_png,
)

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


def smooth_image(height: int = 40, width: int = 30) -> np.ndarray:
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def encoded(suffix: str, rgb: np.ndarray, *options: int) -> bytes:
    """Encode with OpenCV, which is independent of the decoders under test."""
    pixels = rgb[..., ::-1] if rgb.ndim == 3 and rgb.shape[2] == 3 else rgb
    done, data = cv2.imencode(suffix, pixels, list(options))
    assert done
    return data.tobytes()


def pnm(samples: np.ndarray, largest: int, comment: bytes = b"") -> bytes:
    magic = b"P6" if samples.ndim == 3 else b"P5"
    raw = samples.astype(">u2" if largest > 255 else np.uint8).tobytes()
    return b"%s\n%s%d %d\n%d\n" % (magic, comment, samples.shape[1], samples.shape[0], largest) + raw


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif"])
def test_lossless_formats_give_the_very_pixels(suffix):
    image = smooth_image()
    np.testing.assert_array_equal(decode_image(encoded(suffix, image), "x"), image)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".pgm", ".tif", ".jpg"])
def test_grey_is_replicated_to_three_equal_channels(suffix):
    grey = smooth_image()[..., 0]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 100] if suffix == ".jpg" else []
    image = decode_image(encoded(suffix, grey, *quality), "x")
    assert image.shape == (40, 30, 3) and image.dtype == np.uint8
    assert np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2])
    assert np.abs(image[..., 0].astype(int) - grey).max() <= (3 if suffix == ".jpg" else 0)


def test_jpeg_agrees_with_another_decoder():
    data = encoded(".jpg", smooth_image())
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decode_image(data, "x").astype(int) - other).max() <= 3


def test_format_is_told_by_content_not_by_suffix(tmp_path):
    image = smooth_image()
    (tmp_path / "really_a_png.jpg").write_bytes(encoded(".png", image))
    np.testing.assert_array_equal(read_image(tmp_path / "really_a_png.jpg"), image)


@pytest.mark.parametrize("largest", [1, 100, 255, 1000, 65535])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_pnm_of_any_maximum_is_scaled_to_8_bits(largest, shape):
    samples = np.random.default_rng(1).integers(0, largest + 1, shape)
    image = decode_image(pnm(samples, largest), "x")
    expected = np.floor(samples * 255 / largest + 0.5)
    np.testing.assert_array_equal(image, np.broadcast_to(expected.reshape(6, 5, -1), (6, 5, 3)))


def test_plain_pnm_and_header_comments():
    assert decode_image(b"P2\n2 1\n255\n7 200\n", "x")[0, :, 0].tolist() == [7, 200]
    samples = np.arange(6, dtype=np.uint8).reshape(2, 3)
    data = pnm(samples, 255, comment=b"# made by xv\n# 9 9\n")
    np.testing.assert_array_equal(decode_image(data, "x")[..., 0], samples)


def test_pixels_that_look_like_a_comment_or_white_space_are_pixels():
    for first in (b"#\n", b" #", b"\n#", b"##"):
        samples = np.frombuffer(first + b"ab\ncd", np.uint8)[:6].reshape(2, 3)
        np.testing.assert_array_equal(decode_image(pnm(samples, 255), "x")[..., 0], samples)
    assert decode_image(b"P2\n2 1\n255\n# two pixels\n  # here\n7 200\n", "x")[0, :, 0].tolist() == [7, 200]


def test_pnm_value_above_its_maximum_is_refused():
    with pytest.raises(UserError, match="above its own maximum 100"):
        decode_image(b"P5\n2 1\n100\n\x05\xc8", "x")


def test_16_bit_png_is_scaled_and_rounded():
    grey = np.random.default_rng(2).integers(0, 65536, (9, 8)).astype(np.uint16)
    image = decode_image(encoded(".png", grey), "x")
    np.testing.assert_array_equal(image[..., 0], np.floor(grey / 257 + 0.5))


def test_16_bit_tiff_is_within_one_level():
    grey = np.random.default_rng(3).integers(0, 65536, (9, 8)).astype(np.uint16)
    image = decode_image(encoded(".tif", grey), "x")
    assert np.abs(image[..., 0] - grey / 257).max() <= 1.0


@pytest.mark.parametrize("compression", [1, 5, 8, 32773], ids=["none", "LZW", "deflate", "PackBits"])
def test_tiff_compressions(compression):
    image = smooth_image()
    data = encoded(".tif", image, cv2.IMWRITE_TIFF_COMPRESSION, compression)
    np.testing.assert_array_equal(decode_image(data, "x"), image)


def test_transparency_is_composited_on_white():
    bgra = np.array([[[0, 0, 0, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)
    image = decode_image(cv2.imencode(".png", bgra)[1].tobytes(), "x")
    np.testing.assert_array_equal(image, [[[255] * 3, [30, 20, 10], [127] * 3]])


def test_fourth_byte_of_a_bitmap_is_padding():
    header = b"BM" + struct.pack("<IHHI", 54 + 8, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 32, 0, 8, 0, 0, 0, 0)
    image = decode_image(header + bytes([3, 2, 1, 0, 6, 5, 4, 0]), "x")
    np.testing.assert_array_equal(image, [[[1, 2, 3], [4, 5, 6]]])


def test_palette_bitmap_uses_its_colours():
    palette = bytes([0, 0, 255, 0, 0, 255, 0, 0])  # index 0 red, index 1 green, as B G R 0
    header = b"BM" + struct.pack("<IHHI", 62 + 4, 0, 0, 62)
    header += struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 8, 0, 4, 0, 0, 2, 0)
    image = decode_image(header + palette + bytes([1, 0, 0, 0]), "x")
    np.testing.assert_array_equal(image, [[[0, 255, 0], [255, 0, 0]]])


def exif_jpeg(image: np.ndarray, orientation: int) -> bytes:
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    data = encoded(".jpg", image, cv2.IMWRITE_JPEG_QUALITY, 100)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_agrees_with_opencv(orientation, tmp_path):
    data = exif_jpeg(smooth_image(), orientation)
    (tmp_path / "turned.jpg").write_bytes(data)
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    image = read_image(tmp_path / "turned.jpg")
    assert image.shape == other.shape
    assert np.abs(image.astype(int) - other).mean() < 1
    assert image_size(tmp_path / "turned.jpg") == image.shape[:2]


def gif(frames: int = 1) -> bytes:
    """Two-colour GIF of 2x1 pixels (red, blue), repeated with the colours kept."""
    head = b"GIF89a" + struct.pack("<HHBBB", 2, 1, 0x80, 0, 0) + bytes([255, 0, 0, 0, 0, 255])
    frame = b"," + struct.pack("<HHHHB", 0, 0, 2, 1, 0) + bytes([2, 2, 0x44, 0x0A, 0])
    return head + frame * frames + b";"


def test_first_frame_of_an_animation():
    red_blue = [[[255, 0, 0], [0, 0, 255]]]
    np.testing.assert_array_equal(decode_image(gif(3), "x"), red_blue)
    np.testing.assert_array_equal(
        decode_image(gif(1)[:-1] + b",damaged", "x"), red_blue
    )  # later ones are not looked at


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress], ids=["gz", "bz2"])
def test_packed_files(pack, tmp_path):
    samples = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    (tmp_path / "a.ppm.packed").write_bytes(pack(pnm(samples, 255)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.ppm.packed"), samples)


def test_packed_bomb_and_cut_stream_are_refused(monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match="unpacks to more than 1000"):
        decode_image(gzip.compress(bytes(10_000)), "x")
    with pytest.raises(UserError, match="truncated"):
        decode_image(bz2.compress(bytes(500))[:-4], "x")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_bomb_is_never_unpacked_whole(monkeypatch, pack):
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    bomb = pack(bytes(20_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="unpacks to more than 1000"):
            decode_image(bomb, "x")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


SAMPLES = {
    "jpeg": encoded(".jpg", smooth_image()),
    "png": encoded(".png", smooth_image()),
    "bmp": encoded(".bmp", smooth_image()),
    "gif": gif(),
    "pnm": encoded(".ppm", smooth_image()),
    "tiff": encoded(".tif", smooth_image(), cv2.IMWRITE_TIFF_COMPRESSION, 1),
}


def tiff_with_directory_first() -> bytes:
    """Uncompressed 100x100 grey TIFF whose pixels come last: libtiff pads this one with zeros when cut."""
    entries = [
        (256, 3, 1, 100),
        (257, 3, 1, 100),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1, 1),
        (278, 3, 1, 100),
        (279, 4, 1, 10_000),
    ]
    directory = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack("<HHI", tag, kind, count) + struct.pack("<I", value)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + bytes([7]) * 10_000


@pytest.mark.parametrize("kind", [*SAMPLES, "tiff_directory_first"])
def test_truncated_files_never_decode_silently(kind, capfd):
    data = SAMPLES.get(kind) or tiff_with_directory_first()
    decode_image(data, "whole")
    # A GIF that lacks only its closing byte is complete, a BMP without the padding of its last row.
    for length in sorted({1, 5, 20, len(data) // 3, len(data) // 2, len(data) - {"gif": 2, "bmp": 3}.get(kind, 1)}):
        if length < len(data):
            with pytest.raises(UserError, match="'cut.img' cannot be decoded"):
                decode_image(data[:length], "cut.img")


def bomb(kind: str) -> bytes:
    side = 50_000
    return {
        "jpeg": b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", side, side) + bytes(12),
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0) + bytes(4),
        "gif": b"GIF89a" + struct.pack("<HHBBB", side, side, 0, 0, 0) + gif()[19:],
        "gif_frame": b"GIF89a"
        + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
        + b","
        + struct.pack("<HHHHB", 0, 0, side, side, 0)
        + bytes([2, 0])
        + b";",
        "bmp": b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0),
        "pnm": b"P5\n%d %d\n255\n" % (side, side),
        "tiff": b"II*\0" + struct.pack("<IHHHIIHHIII", 8, 2, 256, 4, 1, side, 257, 4, 1, side, 0),
    }[kind]


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "gif_frame", "bmp", "pnm", "tiff"])
def test_bomb_headers_are_refused_before_decoding(kind, monkeypatch):
    monkeypatch.setattr(images, "decode", lambda *_: pytest.fail("the decoder was called"))
    with pytest.raises(UserError, match="50000x50000 pixels; at most 64000000"):
        decode_image(bomb(kind), "x")


def test_empty_foreign_and_missing_files_are_named(tmp_path):
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "notes.jpg").write_text("not an image")
    with pytest.raises(UserError, match="zero.jpg' is empty"):
        read_image(tmp_path / "zero.jpg")
    with pytest.raises(UserError, match="notes.jpg' cannot be decoded: it is not an image"):
        read_image(tmp_path / "notes.jpg")
    with pytest.raises(UserError, match="gone.jpg' cannot be read: No such file"):
        read_image(tmp_path / "gone.jpg")
    with pytest.raises(UserError, match="is not a file"):
        read_image(tmp_path)


def test_symlink_loops_are_refused(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(UserError, match="cannot be read"):
        read_image(tmp_path / "a.png")
    assert list_images(tmp_path) == []


def test_too_many_bytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    (tmp_path / "big.png").write_bytes(SAMPLES["png"])
    with pytest.raises(UserError, match="at most 10 are read"):
        read_image(tmp_path / "big.png")


def test_random_bytes_after_a_magic_end_in_a_sentence(capfd):
    rng = np.random.default_rng(5)
    for data in SAMPLES.values():
        for _ in range(40):
            damaged = bytearray(data)
            for position in rng.integers(2, len(data), 6):
                damaged[position] = rng.integers(0, 256)
            try:
                assert decode_image(bytes(damaged), "x").dtype == np.uint8
            except UserError as error:
                assert "'x'" in str(error)


@pytest.mark.parametrize("planar", [False, True])
def test_raw_rgb_in_both_byte_orders(planar, tmp_path):
    image = smooth_image(24, 32)
    (tmp_path / "m-001-1.raw").write_bytes((image.transpose(2, 0, 1) if planar else image).tobytes())
    np.testing.assert_array_equal(read_raw_rgb(tmp_path / "m-001-1.raw", 32, 24), image)
    with pytest.raises(UserError, match="m-001-1.raw' has 2304 bytes"):
        read_raw_rgb(tmp_path / "m-001-1.raw", 768, 576)


def test_write_png_is_read_back_and_leaves_no_rest(tmp_path):
    image = smooth_image()
    write_png(tmp_path / "new" / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), image)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "b.png", image.astype(np.float32))


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_png(tmp_path / "a.png", smooth_image())
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(atomic_files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_png(tmp_path / "a.png", smooth_image(8, 8))
    assert (tmp_path / "a.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_listing_is_sorted_and_counts_what_it_passes_over(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.ppm.bz2", ".hidden.png", "Thumbs.db", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpg", "b.PNG", "c.ppm.bz2"]
    assert [path.name for path in list_passed_over(tmp_path)] == ["Thumbs.db", "notes.txt"]
    with pytest.raises(UserError, match="not a folder"):
        list_images(tmp_path / "none")


def test_stems_of_packed_files():
    names = ("x/00001fb010_930831.tif", "A.ppm.bz2", "m-1.raw", "a.b.jpg", "plain")
    assert [image_stem(name) for name in names] == ["00001fb010_930831", "A", "m-1", "a.b", "plain"]


@pytest.mark.skipif(not (REAL / "att-faces").is_dir(), reason="shared/data/att-faces is absent")
def test_genuine_pgm_files_agree_with_opencv():
    for path in sorted((REAL / "att-faces").glob("s*/1.pgm"))[:5]:
        np.testing.assert_array_equal(read_image(path), cv2.imread(str(path))[..., ::-1])
