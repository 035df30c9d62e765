"""Each public set on a tiny made-up tree in its true naming; archives that must not be trusted."""

import json
import os
import stat
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.pairs.pair import joined
from iacyclegan_tf.data.preparing import archives
from iacyclegan_tf.data.preparing.archives import Tree, extract, list_tree, open_source
from iacyclegan_tf.data.preparing.layouts import FERET_LIST, LAYOUTS


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def tree_of(root: Path) -> Tree:
    files, notes = list_tree(root)
    return Tree(root, files, ((root, ""),), notes)


def pairs_of(layout: str, root: Path):
    return joined(part(tree_of(root)) for part in LAYOUTS[layout].parts.values())


def found(pairing) -> list[tuple[str, str, str, str]]:
    return [(pair.identity, pair.photo.name, pair.sketch.name, pair.split) for pair in pairing.pairs]


STUDENT = ("photos/f-005-01.jpg", "photos/m1-001-01.jpg", "sketches/F2-005-01-sz1.jpg", "sketches/M1-001-01-SZ1.jpg")
AR = ("ar/m-002-1.raw", "ar/w-057-1.raw.bz2", "ar_sketches/Mp-002-1-sz1.jpg", "ar_sketches/Wp-057-1-sz1.jpg")
XM2VTS = ("x/000_1_1.ppm", "x/001_1_1.ppm", "xs/000_1_1_sz1.jpg", "xs/001_1_1_sz1.jpg")
FOUND_STUDENT = [
    ("f-005-01", "f-005-01.jpg", "F2-005-01-sz1.jpg", "train"),
    ("m1-001-01", "m1-001-01.jpg", "M1-001-01-SZ1.jpg", "test"),
]
FOUND_AR = [("m-002", "m-002-1.raw", "Mp-002-1-sz1.jpg", ""), ("w-057", "w-057-1.raw.bz2", "Wp-057-1-sz1.jpg", "")]
FOUND_XM2VTS = [("000", "000_1_1.ppm", "000_1_1_sz1.jpg", ""), ("001", "001_1_1.ppm", "001_1_1_sz1.jpg", "")]


@pytest.mark.parametrize(
    "layout, names, expected",
    [
        ("cufs-student", STUDENT + AR + XM2VTS, FOUND_STUDENT),
        ("ar", STUDENT + AR, FOUND_AR),
        ("xm2vts", XM2VTS + AR, FOUND_XM2VTS),
        ("cufs", STUDENT + AR + XM2VTS, FOUND_STUDENT + FOUND_AR + FOUND_XM2VTS),
    ],
)
def test_cufs_and_its_parts(layout, names, expected, tmp_path):
    pairing = pairs_of(layout, touch(tmp_path, *names))
    assert found(pairing) == expected
    assert not (pairing.orphan_photos or pairing.orphan_sketches or pairing.duplicates)


def test_cufsf_takes_the_photos_of_the_list_from_a_whole_feret(tmp_path):
    touch(
        tmp_path,
        "feret/00001/00001fa010_930831.tif",
        "feret/00001/00001fb010_930831.tif",
        "feret/00002/00002_930831_fb.ppm.bz2",
        "feret/00002/00002_930831_fa.ppm.bz2",
        "feret/00003/00003fb010_930831.tif",
        "original_sketch/00001.jpg",
        "original_sketch/00002.jpg",
    )
    (tmp_path / FERET_LIST).write_text("00001fb010_930831.tif\r\n00002fb010_930831.tif\r\n\r\n")
    assert found(pairs_of("cufsf", tmp_path)) == [
        ("00001", "00001fb010_930831.tif", "00001.jpg", ""),
        ("00002", "00002_930831_fb.ppm.bz2", "00002.jpg", ""),
    ]


def test_cufsf_without_the_list_does_not_guess_among_photos(tmp_path):
    touch(tmp_path, "f/00001fa010_930831.tif", "f/00001fb010_930831.tif", "s/00001.jpg")
    pairing = pairs_of("cufsf", tmp_path)
    assert not pairing.pairs and len(pairing.duplicates[0]) == 3


def fs2k(root: Path) -> Path:
    touch(
        root,
        "photo/photo1/image0001.jpg",
        "photo/photo2/image0001.png",
        "photo/photo3/image0002.jpg",
        "sketch/sketch1/sketch0001.png",
        "sketch/sketch2/sketch0001.jpg",
        "photo/photo1/image0099.jpg",
    )
    (root / "anno_train.json").write_text(
        json.dumps([{"image_name": "photo1/image0001", "gender": 1}, {"image_name": "photo3/image0002"}])
    )
    (root / "anno_test.json").write_text(
        json.dumps([{"image_name": "photo2/image0001"}, {"image_name": "photo2/image0007"}])
    )
    return root


def test_fs2k_pairs_by_annotation(tmp_path):
    pairing = pairs_of("fs2k", fs2k(tmp_path))
    assert found(pairing) == [
        ("photo1_image0001", "image0001.jpg", "sketch0001.png", "train"),
        ("photo2_image0001", "image0001.png", "sketch0001.jpg", "test"),
    ]
    assert [path.name for path in pairing.orphan_photos] == ["image0002.jpg"]
    absent, unused = pairing.passed_over
    assert unused.name == "image0099.jpg" and absent.name.startswith("image0007 (annotated for test")


@pytest.mark.parametrize("text", ["{}", "[1]", "[{}]", '[{"image_name": 3}]', "nonsense", "[" * 100_000])
def test_wrong_annotations_are_named(text, tmp_path):
    (fs2k(tmp_path) / "anno_train.json").write_text(text)
    if text == "{}":  # an empty list of pairs is no mistake while the other file holds some
        assert len(pairs_of("fs2k", tmp_path).pairs) == 1
    else:
        with pytest.raises(UserError, match=r"anno_train.json' must be a JSON list"):
            pairs_of("fs2k", tmp_path)


def test_fs2k_without_annotations(tmp_path):
    with pytest.raises(UserError, match=r"neither anno_train.json nor anno_test.json"):
        pairs_of("fs2k", touch(tmp_path, "photo/photo1/image0001.jpg"))


def test_apdrawing_takes_its_split_from_the_folder_below_the_source(tmp_path):
    root = touch(
        tmp_path / "test" / "APDrawing", "train/a.png", "train/aug/b.png", "Test/c.png", "Validation/e.png", "d.png"
    )
    assert [(pair.identity, pair.split) for pair in pairs_of("apdrawing", root).pairs] == [
        ("a", "train"),
        ("b", "train"),
        ("c", "test"),
        ("d", ""),
        ("e", "val"),
    ]


def test_published_crops_win_over_originals_of_the_same_name(tmp_path):
    touch(tmp_path, "crop/sketches/F2-005-01-sz1.jpg")
    for name, size in (("raw/f-005-01.jpg", (60, 80)), ("crop/f-005-01.jpg", (250, 200))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((*size, 3), np.uint8))
    pairing = pairs_of("cufs-student", tmp_path)
    assert pairing.pairs[0].photo == tmp_path / "crop" / "f-005-01.jpg"
    assert pairing.passed_over == (tmp_path / "raw" / "f-005-01.jpg",)


def test_loops_of_links_end_and_what_is_hidden_or_leads_nowhere_is_said(tmp_path):
    touch(tmp_path, "a/b/x.jpg", "a/.hidden/y.jpg", "a/._x.jpg", "__MACOSX/a/x.jpg")
    (tmp_path / "a" / "b" / "loop").symlink_to(tmp_path / "a", target_is_directory=True)
    files, notes = list_tree(tmp_path)
    assert [path.name for path in files] == ["x.jpg"]
    assert all(name in "\n".join(notes) for name in (".hidden", "._x.jpg", "__MACOSX", "loop"))
    (tmp_path / "a" / "self.jpg").symlink_to(tmp_path / "a" / "self.jpg")
    with pytest.raises(UserError, match=r"self.jpg' cannot be read: Too many levels of symbolic links"):
        list_tree(tmp_path)


def make_zip(path: Path, **content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def test_single_zip_and_folder_of_zips(tmp_path):
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    make_zip(downloads / "CUHK_photos.zip", **{"photos/f-005-01.jpg": b"1", "__MACOSX/photos/._f-005-01.jpg": b""})
    make_zip(downloads / "CUHK_sketches.zip", **{"sketches/F2-005-01-sz1.jpg": b"2"})
    with open_source(downloads, tmp_path) as tree:
        pairing = LAYOUTS["cufs-student"].parts["student"](tree)
        assert len(pairing.pairs) == 1 and not pairing.orphan_photos
        assert tree.shown(pairing.pairs[0].photo) == "CUHK_photos.zip/photos/f-005-01.jpg"
    assert [path.name for path in tmp_path.iterdir()] == ["downloads"]
    whole = make_zip(tmp_path / "own.zip", **{"own/photos/a.jpg": b"", "own\\sketches\\a.jpg": b""})
    with open_source(whole, tmp_path) as tree:
        assert [tree.shown(path) for path in tree.files] == ["own.zip/photos/a.jpg", "own.zip/sketches/a.jpg"]
    with pytest.raises(UserError, match="gone' is neither a folder nor a zip"):
        open_source(Path("gone"), tmp_path).__enter__()


@pytest.mark.parametrize("name", ["../evil.jpg", "a/../../evil.jpg", "/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"])
def test_paths_that_lead_out_are_refused_before_anything_is_written(name, tmp_path):
    packed = make_zip(tmp_path / "bad.zip", **{"good.jpg": b"1", name: b"2"})
    (tmp_path / "inside").mkdir()
    with pytest.raises(UserError, match=r"bad.zip' holds the path .* leads out"):
        extract(packed, tmp_path / "inside")
    assert os.listdir(tmp_path / "inside") == [] and not (tmp_path / "evil.jpg").exists()


def test_an_entry_without_a_name_is_refused(tmp_path):
    """zipfile itself ends in an IndexError there."""
    packed = make_zip(tmp_path / "bad.zip", **{"q.jpg": b"1"})
    data = bytearray(packed.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 28 : at + 34] = struct.pack("<HHH", 0, 0, 5)  # the name becomes a comment
    packed.write_bytes(data)
    (tmp_path / "inside").mkdir()
    with pytest.raises(UserError, match=r"bad.zip' holds the path '', which leads out"):
        extract(packed, tmp_path / "inside")
    assert os.listdir(tmp_path / "inside") == []


def test_links_in_archives_are_refused(tmp_path):
    link = zipfile.ZipInfo("photos")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(link, "/etc")
    with pytest.raises(UserError, match="holds the link 'photos'"):
        extract(tmp_path / "bad.zip", tmp_path)


def test_bounds_and_damage_of_archives(tmp_path, monkeypatch):
    packed = make_zip(tmp_path / "big.zip", **{"a.jpg": bytes(600), "b.jpg": bytes(600)})
    cut = tmp_path / "cut.zip"
    cut.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(UserError, match=r"cut.zip' cannot be unpacked"):
        extract(cut, tmp_path / "x")
    flipped = bytearray(packed.read_bytes())
    flipped[100] ^= 1  # a byte of a.jpg, so that its checksum is wrong
    cut.write_bytes(flipped)
    with pytest.raises(UserError, match=r"cut.zip' cannot be unpacked: Bad CRC"):
        extract(cut, tmp_path / "x")
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(UserError, match="announces 2 files of 1200 bytes"):
        extract(packed, tmp_path / "x")
    monkeypatch.setattr(archives, "MAX_FILES", 1)
    with pytest.raises(UserError, match="holds more than 1 files"):
        list_tree(tmp_path)
