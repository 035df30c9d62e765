"""The door for image files: formats by content, channels, depth, orientation, bounds, refusals."""

import bz2
import gzip
import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from image_samples import (
    ALPHA,
    GRAY,
    HEIGHT,
    JPEGS,
    RGB,
    SAMPLES,
    WIDTH,
    bmp32,
    encoded,
    exif,
    exif_jpeg,
    gif,
    png_chunk,
    tiff,
    with_chunk,
)
from PIL import Image, ImageOps

from iacyclegan_tf.common import atomic_files
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images import files as images
from iacyclegan_tf.data.images import pixels
from iacyclegan_tf.data.images.files import decode_image, image_size, image_stem, read_image, read_raw_rgb, write_png
from iacyclegan_tf.data.images.headers import MAX_SCANS, Header

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
JPEG, PNG = JPEGS["JPEG"][0], SAMPLES["PNG"][0]


# ---------------------------------------------------------------- pixels


@pytest.mark.parametrize("kind", SAMPLES)
def test_each_kind_and_mode_gives_the_pixels_that_were_drawn(kind, tmp_path):
    data, expected = SAMPLES[kind]
    (tmp_path / "named.jpg").write_bytes(data)  # the content decides
    np.testing.assert_array_equal(read_image(tmp_path / "named.jpg"), expected)
    assert image_size(tmp_path / "named.jpg") == expected.shape[:2]


@pytest.mark.parametrize("kind", JPEGS)
def test_jpegs_give_about_what_was_drawn_and_what_another_decoder_gives(kind):
    data, expected = JPEGS[kind]
    image = decode_image(data, "x").astype(int)
    assert np.abs(image - expected).mean() < 4
    if kind != "JPEG CMYK":
        assert np.abs(image - cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]).max() <= 3


def test_16_bits_of_a_color_tiff_are_within_one_level():
    deep = np.random.default_rng(3).integers(0, 65536, (9, 8, 3)).astype(np.uint16)
    image = decode_image(cv2.imencode(".tif", deep[..., ::-1])[1].tobytes(), "x")
    assert np.abs(image - deep / 257).max() <= 1.0


@pytest.mark.parametrize("largest", [1, 100, 255, 1000, 65535])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
@pytest.mark.parametrize("reader", ["the one installed", "NumPy"])
def test_pnm_of_any_maximum_is_scaled_to_8_bits(largest, shape, reader, monkeypatch):
    if reader == "NumPy":
        monkeypatch.setattr(pixels, "find_spec", lambda name: None)
    samples = np.random.default_rng(1).integers(0, largest + 1, shape)
    raw = samples.astype(">u2" if largest > 255 else np.uint8).tobytes()
    magic = b"6" if len(shape) == 3 else b"5"
    image = decode_image(b"P%s\n# made by xv\n# 9 9\n5 6\n%d\n" % (magic, largest) + raw, "x")
    expected = np.broadcast_to(np.floor(samples * 255 / largest + 0.5).reshape(6, 5, -1), (6, 5, 3))
    np.testing.assert_array_equal(image, expected)
    text = " ".join(map(str, samples.ravel())).encode()
    plain = b"P%s 5 6 %d\n# pixels\n  # here\n%s\n" % (b"3" if len(shape) == 3 else b"2", largest, text)
    np.testing.assert_array_equal(decode_image(plain, "x"), expected)


def test_pixels_that_look_like_a_comment_or_white_space_are_pixels():
    for first in (b"#\n", b" #", b"\n#", b"##"):
        data = first + b"ab\ncd"[:4]
        np.testing.assert_array_equal(decode_image(b"P5\n3 2\n255\n" + data, "x")[..., 0].tobytes(), data)


@pytest.mark.parametrize(
    "body", [b"", b"1 2 3 4 5", b"1 2 3 4 5 -6", b"1 2 3 4 5 x", b"1 2 3 4 5.5 6", b"1 2 3 4 5 99999999999999999999"]
)
def test_numbers_that_are_too_few_or_none_are_refused_without_tensorflow_io(body, monkeypatch):
    """A NumPy that is told how many it shall read fills up what is missing with what lies in memory."""
    monkeypatch.setattr(pixels, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"truncated|negative|above its own maximum"):
        decode_image(b"P2\n3 2\n255\n" + body, "x")


def test_pnm_value_above_its_maximum_is_refused():
    with pytest.raises(UserError, match="above its own maximum 100"):
        decode_image(b"P5\n2 1\n100\n\x05\xc8", "x")


def test_the_fourth_byte_of_a_bitmap_is_padding_where_it_is_0_everywhere_or_no_mask_names_it():
    np.testing.assert_array_equal(decode_image(bmp32(RGB, np.zeros_like(ALPHA)), "x"), RGB)
    unnamed = bytearray(bmp32(RGB, ALPHA))
    unnamed[66:70] = bytes(4)
    np.testing.assert_array_equal(decode_image(bytes(unnamed), "x"), RGB)


def test_the_first_frame_of_an_animation_and_white_where_it_leaves_the_canvas_open():
    red_blue = [[255, 0, 0], [0, 0, 255]]
    np.testing.assert_array_equal(decode_image(gif(3), "x"), [red_blue])
    np.testing.assert_array_equal(decode_image(gif()[:-1] + b",damaged", "x"), [red_blue])  # later ones stay unseen
    np.testing.assert_array_equal(decode_image(gif(1, (3, 2)), "x"), [[*red_blue, [255] * 3], [[255] * 3] * 3])
    frames = [Image.fromarray(RGB // part) for part in (1, 2)]
    for kind, more in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **more)
        np.testing.assert_array_equal(decode_image(data, "x"), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_of_all_kinds_that_have_one(orientation, tmp_path):
    """In both byte orders: ours and Pillow's; what is upright is Pillow's word, and OpenCV's for JPEG."""
    upright = np.asarray(ImageOps.exif_transpose(_tagged(Image.fromarray(RGB), orientation)))
    assert orientation == 1 or upright.shape != RGB.shape or (upright != RGB).any()
    other = Image.Exif()
    other[0x010F], other[0x0112] = "a camera's maker", orientation
    kinds = {
        "png": with_chunk(PNG, png_chunk(b"eXIf", exif(orientation))),
        "late.png": PNG[:-12] + png_chunk(b"eXIf", exif(orientation)) + PNG[-12:],
        "little.png": encoded(RGB, "PNG", exif=other),
        "webp": encoded(RGB, "WEBP", lossless=True, exif=b"Exif\0\0" + exif(orientation)),
        "little.webp": encoded(RGB, "WEBP", lossless=True, exif=other),
        "tif": encoded(RGB, "TIFF", exif=other),
        "lzw.tif": encoded(RGB, "TIFF", exif=other, compression="tiff_lzw"),
        "gray.tif": tiff({274: orientation}, RGB[..., 1].tobytes(), ">"),
    }
    for name, data in kinds.items():
        (tmp_path / name).write_bytes(data)
        truth = np.repeat(upright[..., 1:2], 3, 2) if name == "gray.tif" else upright
        np.testing.assert_array_equal(read_image(tmp_path / name), truth, name)
        assert image_size(tmp_path / name) == upright.shape[:2]
    for data in (exif_jpeg(JPEG, orientation), encoded(RGB, "JPEG", quality=98, subsampling=0, exif=other)):
        (tmp_path / "a.jpg").write_bytes(data)
        image, theirs = read_image(tmp_path / "a.jpg"), cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1]
        assert image.shape == theirs.shape == upright.shape and image_size(tmp_path / "a.jpg") == image.shape[:2]
        assert np.abs(image.astype(int) - theirs).max() <= 3 and np.abs(image.astype(int) - upright).mean() < 4


def _tagged(image: Image.Image, orientation: int) -> Image.Image:
    image.getexif()[0x0112] = orientation
    return image


@pytest.mark.parametrize("damaged", [b"", b"MM\0*", exif(9), exif(6)[:-9], b"MM\0*" + b"\xff" * 40])
def test_a_damaged_exif_block_counts_as_upright(damaged):
    np.testing.assert_array_equal(decode_image(with_chunk(PNG, png_chunk(b"eXIf", damaged)), "x"), RGB)


# ---------------------------------------------------------------- depth, camera raw


@pytest.mark.parametrize(
    "data, words",
    [
        (encoded(GRAY.astype(np.float32), "TIFF"), "unsupported depth: 32 bits, floating point"),
        (encoded(GRAY.astype(np.int32), "TIFF"), "unsupported depth: 32 bits, integers with a sign"),
        (tiff({339: 2}, GRAY.tobytes()), "unsupported depth: 8 bits, integers with a sign"),
        (tiff({258: 64}, bytes(8 * GRAY.size)), "unsupported depth: 64 bits, integers"),
        (tiff({258: 12}, bytes(2 * GRAY.size)), "unsupported depth: 12 bits, integers"),
    ],
)
def test_depths_that_are_not_read_are_named_and_nothing_else_is_printed(data, words, capfd):
    with pytest.raises(UserError, match=words):
        decode_image(data, "x")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "data",
    [
        tiff({254: 1}, GRAY.tobytes()),
        tiff({255: 2}, GRAY.tobytes()),
        tiff({}, GRAY.tobytes(), more=((50706, 1, 4, 0x0401),)),
        tiff({262: 32803}, GRAY.tobytes()),
        tiff({262: 34892}, GRAY.tobytes(), ">"),
    ],
    ids=["reduced", "reduced, old tag", "DNG", "sensor", "linear raw"],
)
def test_camera_raw_is_refused_as_such(data):
    with pytest.raises(UserError, match=r"'x.dng' cannot be decoded: it is camera raw"):
        decode_image(data, "x.dng")


def test_a_tiff_with_smaller_copies_below_it_is_no_camera_raw():
    data = tiff({254: 0, 330: 8 + 2 + 12 * 11 + 4 + GRAY.size}, GRAY.tobytes() + bytes(50))
    np.testing.assert_array_equal(decode_image(data, "x")[..., 0], GRAY)


# ---------------------------------------------------------------- what a header says and what a decoder sees


def jpeg_with_a_second_size(marker: bytes) -> bytes:
    """A reader that reads a length after ``marker``, which has none, jumps over the true size to one of 1x1."""
    at = JPEG.index(b"\xff\xc0")
    frame = JPEG[at : at + 19]
    other = b"\xff\xc0" + frame[2:5] + struct.pack(">HH", 1, 1) + frame[9:]
    hidden = b"\xff\xe1" + struct.pack(">H", 2 + len(other)) + other
    return JPEG[:2] + marker + struct.pack(">H", 2 + len(frame) + 4) + frame + hidden + JPEG[2:at] + JPEG[at + 19 :]


def spies(monkeypatch) -> None:
    """Decoders that fail the test where they are called."""
    for module, name in ((tf.io, "decode_jpeg"), (tf.io, "decode_png"), (Image.Image, "load")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("a decoder was called"))


@pytest.mark.parametrize("marker", [b"\xff\x01", b"\xff\xd0", b"\xff\xff\xff\xd7"])
def test_markers_without_a_length_hide_no_size(marker, monkeypatch, tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg_with_a_second_size(marker))
    assert image_size(tmp_path / "a.jpg") == (HEIGHT, WIDTH) == read_image(tmp_path / "a.jpg").shape[:2]
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    spies(monkeypatch)
    with pytest.raises(UserError, match="announces 15x20 pixels"):
        read_image(tmp_path / "a.jpg")


def test_a_jpeg_with_two_frame_sizes_is_refused(monkeypatch):
    spies(monkeypatch)
    at = JPEG.index(b"\xff\xc0")
    with pytest.raises(UserError, match="two frame sizes"):
        decode_image(JPEG[:at] + JPEG[at : at + 19] + JPEG[at:], "x")


@pytest.mark.parametrize("kind", [3, 4, 16], ids=["SHORT", "LONG", "LONG8"])
def test_a_tiff_that_gives_a_tag_twice_is_refused(kind, monkeypatch):
    spies(monkeypatch)
    with pytest.raises(UserError, match="gives a tag twice"):
        decode_image(tiff({}, GRAY.tobytes(), more=((256, kind, 1, 8000),)), "x")


def test_pixels_of_another_size_than_the_header_says_are_refused(monkeypatch):
    monkeypatch.setattr(pixels, "_by_pillow", lambda data, header: np.zeros((3, 4, 3), np.uint8))
    with pytest.raises(UserError, match="its header says 15x20, its pixels 4x3"):
        decode_image(SAMPLES["WebP"][0], "x")
    with pytest.raises(ValueError, match="read in two ways"):
        pixels.decode(JPEG, Header("jpeg", 15, 21))


@pytest.mark.parametrize("kind", [*SAMPLES, *JPEGS])
def test_what_is_too_large_is_refused_before_decoding(kind, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 5)
    monkeypatch.setattr(images, "decode", lambda *_: pytest.fail("the decoder was called"))
    with pytest.raises(UserError, match=r"announces .* pixels; at most 5 are decoded"):
        decode_image((SAMPLES | JPEGS)[kind][0], "x")


def bomb(kind: str) -> bytes:
    side = 50_000
    return {
        "jpeg": b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", side, side) + bytes(12),
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0) + bytes(4),
        "gif": gif(1, (side, side)),
        "gif frame": gif().replace(struct.pack("<HHHHB", 0, 0, 2, 1, 0), struct.pack("<HHHHB", 0, 0, side, side, 0)),
        "gif frame of 100 megapixels": gif().replace(
            b",\0\0\0\0\2\0\1\0", b"," + struct.pack("<4H", 0, 0, 10**4, 10**4)
        ),
        "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0),
        "pnm": b"P5\n%d %d\n255\n" % (side, side),
        "tiff": tiff({}, GRAY.tobytes(), side=(side, side)),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["jpeg", "png", "gif", "gif frame", "gif frame of 100 megapixels", "bmp", "pnm", "tiff"]
)
def test_bombs_are_refused_by_their_header_in_silence(kind, monkeypatch, recwarn):
    monkeypatch.setattr(images, "decode", lambda *_: pytest.fail("the decoder was called"))
    with pytest.raises(UserError, match="pixels; at most 64000000"):
        decode_image(bomb(kind), "x")
    assert not recwarn.list


# ---------------------------------------------------------------- work


def test_jpeg_scans_are_bounded():
    """1,200 scans of 16 megapixels, 131 kB, took 11 s. What lies in or behind the picture is not counted."""
    data = JPEGS["JPEG progressive"][0]
    last = data[data.rfind(b"\xff\xda") : -2]
    few, many = (data[:-2] + last * count + data[-2:] for count in (MAX_SCANS - 20, MAX_SCANS))
    assert decode_image(few, "x").shape == decode_image(data + last * MAX_SCANS, "x").shape
    inside = b"\xff\xe5" + struct.pack(">H", 2 + 4 * MAX_SCANS) + b"\xff\xda\0\2" * MAX_SCANS
    assert decode_image(data[:2] + inside + data[2:], "x").shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(UserError, match="more than 100 JPEG scans"):
        decode_image(many, "x")


def test_compressed_texts_of_a_png_do_not_reach_the_decoder(monkeypatch):
    """libpng unpacks them: 8 MB from 8 kB each, before and behind the pixels."""
    text = b"".join(png_chunk(kind, b"a\0\0" + zlib.compress(bytes(9))) for kind in (b"zTXt", b"iTXt", b"iCCP"))
    decode, seen = tf.io.decode_png, []
    monkeypatch.setattr(tf.io, "decode_png", lambda data, **options: seen.append(data) or decode(data, **options))
    transparent = encoded(RGB, "PNG", transparency=tuple(int(value) for value in RGB[0, 0]))
    for png in (PNG, transparent):
        with_texts = with_chunk(png[:-12] + text + png[-12:], text)
        np.testing.assert_array_equal(decode_image(with_texts, "x"), decode_image(png, "x"))
    assert seen == [PNG, PNG, transparent, transparent]


@pytest.mark.parametrize(
    "data, words",
    [
        (JPEG[:2] + b"\xff\xe0\0\2" * 100_001 + JPEG[2:], "more than 100000 JPEG segments"),
        (with_chunk(PNG, png_chunk(b"abCd", b"") * 100_001), "more than 100000 PNG chunks"),
        (gif()[:19] + b"!\xfe" + b"\x01x" * 40_000 + b"\0" + gif()[19:], "header is damaged or cut short"),
        (b"P5\n#" + b"x" * 70_000 + b"\n1 1\n255\n\0", "header is damaged or cut short"),
        (b"P5\n#" + b"x" * 70_000 + b"\n1 1\n255\n\0" * 2, "header is damaged or cut short"),
        (tiff({}, bytes(900), more=tuple((60_000 + tag, 1, 900, 200) for tag in range(9))), "points past the end"),
        (tiff({322: 10_000, 323: 10_000}, GRAY.tobytes()), "tiles of more than 64000000 pixels"),
        (encoded(GRAY, "BMP")[:30] + b"\1\0\0\0" + encoded(GRAY, "BMP")[34:], "compressed runs"),
    ],
    ids=["segments", "chunks", "GIF comment", "PNM comment", "PNM comments", "shared values", "tiles", "runs"],
)
def test_what_costs_more_than_its_picture_is_refused(data, words):
    with pytest.raises(UserError, match=words):
        decode_image(data, "x")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress], ids=["gz", "bz2"])
def test_packed_files_and_packed_bombs(pack, tmp_path, monkeypatch):
    (tmp_path / "a.packed").write_bytes(pack(SAMPLES["PPM"][0]))
    np.testing.assert_array_equal(read_image(tmp_path / "a.packed"), RGB)
    with pytest.raises(UserError, match="truncated"):
        decode_image(pack(bytes(500))[:-4], "x")
    bomb = pack(bytes(20_000_000))
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="unpacks to more than 1000"):
            decode_image(bomb, "x")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000  # never unpacked whole
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------- what is no whole image


@pytest.mark.parametrize("kind", [*SAMPLES, *JPEGS, "GIF of 2 pixels", "TIFF with its directory first"])
def test_truncated_files_never_decode_silently(kind, capfd):
    """libtiff pads a cut uncompressed file with zeros. A GIF without its closing bytes is complete, and so is a bitmap
    without the padding of its last row."""
    data = {"GIF of 2 pixels": gif(), "TIFF with its directory first": tiff({}, GRAY.tobytes())}.get(kind)
    data = data or (SAMPLES | JPEGS)[kind][0]
    decode_image(data, "whole")
    last = 4 if kind.startswith(("GIF", "BMP", "PBM as")) else 1
    for length in {1, 5, 20, len(data) // 3, len(data) // 2, len(data) - last} & set(range(len(data))):
        with pytest.raises(UserError, match=r"'cut.img' cannot be decoded"):
            decode_image(data[:length], "cut.img")


def test_empty_foreign_and_missing_files_are_named(tmp_path):
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "notes.jpg").write_text("not an image")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for path, words in (
        ("zero.jpg", "zero.jpg' is empty"),
        ("notes.jpg", "notes.jpg' cannot be decoded: it is not an image"),
        ("phone.heic", "it is HEIC, AVIF or a video, which are not read"),
        ("loop.png", "cannot be read"),
        ("gone.jpg", "gone.jpg' cannot be read: No such file"),
        (".", "is not a file"),
    ):
        with pytest.raises(UserError, match=words):
            read_image(tmp_path / path)


def test_too_many_bytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    (tmp_path / "big.png").write_bytes(PNG)
    with pytest.raises(UserError, match="at most 10 are read"):
        read_image(tmp_path / "big.png")


# ---------------------------------------------------------------- raw RGB, writing, names


@pytest.mark.parametrize("planar", [False, True])
def test_raw_rgb_in_both_byte_orders(planar, tmp_path):
    (tmp_path / "m-001-1.raw").write_bytes((RGB.transpose(2, 0, 1) if planar else RGB).tobytes())
    np.testing.assert_array_equal(read_raw_rgb(tmp_path / "m-001-1.raw", WIDTH, HEIGHT), RGB)
    with pytest.raises(UserError, match=r"m-001-1.raw' has 900 bytes"):
        read_raw_rgb(tmp_path / "m-001-1.raw", 768, 576)


def test_write_png_is_read_back_and_leaves_no_rest(tmp_path):
    write_png(tmp_path / "new" / "a.png", RGB)
    with Image.open(io.BytesIO((tmp_path / "new/a.png").read_bytes())) as image:
        np.testing.assert_array_equal(np.asarray(image), RGB)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "b.png", RGB.astype(np.float32))


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_png(tmp_path / "a.png", RGB)
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(atomic_files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_png(tmp_path / "a.png", RGB[:8])
    assert (tmp_path / "a.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_stems_of_packed_files():
    names = ("x/00001fb010_930831.tif", "A.ppm.bz2", "m-1.raw", "a.b.jpg", "plain", "p.HEIC", "q.jfif")
    assert [image_stem(name) for name in names] == ["00001fb010_930831", "A", "m-1", "a.b", "plain", "p", "q"]


@pytest.mark.skipif(not (REAL / "att-faces").is_dir(), reason="shared/data/att-faces is absent")
def test_genuine_pgm_files_agree_with_opencv():
    for path in sorted((REAL / "att-faces").glob("s*/1.pgm"))[:5]:
        np.testing.assert_array_equal(read_image(path), cv2.imread(str(path))[..., ::-1])
