"""Facts inside a PNG file, read back by us and by Pillow."""

import json
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from iacyclegan_tf.data.images.files import decode_image, encode_png
from iacyclegan_tf.data.images.png_record import read_record, with_record

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
RECORD = {"model": "quickstart 2", "eyes": [[1.5, 2], [3, 4]], "name": "Zoë"}


def test_a_record_is_read_back_and_changes_no_pixel(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(with_record(encode_png(PIXELS), RECORD))
    assert read_record(file) == RECORD
    with PIL.Image.open(file) as image:  # a reader that is not ours checks every chunk
        assert json.loads(image.text["iacyclegan_tf"]) == RECORD
        assert np.array_equal(np.asarray(image), PIXELS)
    assert np.array_equal(decode_image(file.read_bytes(), "a"), PIXELS)


def with_text(keyword: bytes, text: bytes) -> bytes:
    png, data = encode_png(PIXELS), b"tEXt" + keyword + b"\0" + text
    return png[:33] + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data)) + png[33:]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        encode_png(PIXELS),
        encode_png(PIXELS)[:40],
        with_text(b"Software", b"{}"),
        with_text(b"iacyclegan_tf", b"not JSON"),
        with_text(b"iacyclegan_tf", b"[1]"),
        with_text(b"iacyclegan_tf", b"\xff"),
        with_text(b"iacyclegan_tf", b"[" * 4000),
        with_record(encode_png(PIXELS), RECORD)[:60],
        with_record(encode_png(PIXELS), RECORD).replace(
            b"quickstart 2", b"quickstart 3"
        ),  # the checksum no longer fits
    ],
)
def test_other_files_hold_none(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert read_record(tmp_path / "a.png") is None


def test_a_record_too_long_to_be_read_back_is_not_written():
    with pytest.raises(ValueError, match="4096"):
        with_record(encode_png(PIXELS), {"a": "x" * 4096})
