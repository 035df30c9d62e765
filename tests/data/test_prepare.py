"""The whole command on made-up sets in true naming and, where present, on genuine pairs."""

import bz2
import csv
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from in_process import run

from iacyclegan_tf.data.alignment.crop import TARGETS
from iacyclegan_tf.data.images.files import read_image
from iacyclegan_tf.data.pairs.pairing import find_pairs, split_hash

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "cufs-student"
genuine = pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/cufs-student is absent")


def prepare(*arguments: object) -> int:
    done = run("prepare", *arguments)
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


def report_of(out: Path) -> dict:
    return json.loads((out / "prepare.json").read_text())


def of_split(pairing, split: str) -> list:
    return [pair for pair in pairing.pairs if pair.split == split]


def picture(seed: int, height: int = 250, width: int = 200) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())  # PNG whatever the suffix
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def original(path: Path, crop: np.ndarray, shift: tuple[int, int] = (37, 21), scale: int = 2) -> np.ndarray:
    """Save an enlarged and shifted crop; returns where the crop's three target points are in it."""
    big = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    save(path, cv2.copyMakeBorder(big, shift[1], 40, shift[0], 40, cv2.BORDER_REPLICATE))
    return (TARGETS + 0.5) * scale - 0.5 + shift


def points_text(points: np.ndarray) -> str:
    return "".join(f"{x} {y}\n" for x, y in points)


def dat_text(points: np.ndarray) -> str:
    rows = np.zeros((35, 2))
    rows[16], rows[18] = points[0], points[1]
    return "points\n" + points_text(rows)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def student(root: Path) -> Path:
    """Four ready pairs: two for training, two for testing."""
    names = (
        ("f-005-01", "F2-005-01-sz1"),
        ("m-008-01", "m2-008-01-sz1"),
        ("f1-001-01", "f1-001-01-sz1"),
        ("m1-001-01", "M1-001-01-SZ1"),
    )
    for seed, (photo, sketch) in enumerate(names):
        save(root / "photos" / f"{photo}.jpg", picture(seed))
        save(root / "sketches" / f"{sketch}.jpg", picture(100 + seed))
    return root


def test_ready_crops_are_taken_as_they_are(tmp_path, capsys):
    source, out = student(tmp_path / "in"), tmp_path / "new" / "out"
    assert prepare("cufs-student", source, out) == 0
    assert "4 pairs (test 2, train 2)" in capsys.readouterr().out
    np.testing.assert_array_equal(read_image(out / "photos" / "f-005-01.png"), picture(0))
    np.testing.assert_array_equal(read_image(out / "sketches" / "M1-001-01-SZ1.png"), picture(103))
    report = report_of(out)
    assert report["pictures"] == {"photo as it is": 4, "sketch as it is": 4} and report["suspicious"] == []
    assert report["split_sha256"] == split_hash(find_pairs(source).pairs) == split_hash(find_pairs(out).pairs)
    assert sorted(path.name for path in out.iterdir()) == [
        "contact_sheet.png",
        "manifest.csv",
        "photos",
        "prepare.json",
        "report.txt",
        "sketches",
    ]
    assert read_image(out / "contact_sheet.png").shape == (141, 4 * 208, 3)
    assert os.listdir(tmp_path / "new") == ["out"]


def test_manifest_holds_the_hashes_of_its_files(tmp_path):
    out = tmp_path / "out"
    prepare("cufs-student", student(tmp_path / "in"), out)
    rows = list(csv.DictReader((out / "manifest.csv").read_text().splitlines()))
    assert list(rows[0]) == ["identity", "photo", "sketch", "split", "photo_sha256", "sketch_sha256", "split_sha256"]
    assert {row["split_sha256"] for row in rows} == {split_hash(find_pairs(out).pairs)}
    for row in rows:
        for side in ("photo", "sketch"):
            assert hashlib.sha256((out / row[side]).read_bytes()).hexdigest() == row[f"{side}_sha256"]


def test_names_exactly_what_is_wrong(tmp_path, capsys):
    source, out = student(tmp_path / "in"), tmp_path / "out"
    sketches = source / "sketches"
    (sketches / "F2-005-01-sz1.jpg").rename(sketches / "F2-999-01-sz1.jpg")
    (sketches / "m2-008-01-sz1.jpg").rename(sketches / "anna.jpg")
    broken = sketches / "f1-001-01-sz1.jpg"
    broken.write_bytes(broken.read_bytes()[:2000])
    assert prepare("cufs-student", source, out) == 2
    message = capsys.readouterr().err
    assert "sketches/f1-001-01-sz1.jpg" in message and "truncated" in message and "--skip-bad" in message
    for line in (
        "photo without a sketch: photos/f-005-01.jpg",
        "photo without a sketch: photos/m-008-01.jpg",
        "sketch without a photo: sketches/F2-999-01-sz1.jpg",
        "no name of this set, left out: sketches/anna.jpg",
    ):
        assert message.count(line) == 1
    assert message.count("without") == 4  # the fourth: --skip-bad goes on without them
    assert not out.exists() and os.listdir(tmp_path) == ["in"]
    assert prepare("cufs-student", source, out, "--skip-bad") == 0
    report = report_of(out)
    assert report["pairs"] == 1
    assert report["orphan_photos"] == ["photos/f-005-01.jpg", "photos/m-008-01.jpg"]
    assert report["orphan_sketches"] == ["sketches/F2-999-01-sz1.jpg"] and report["misnamed"] == ["sketches/anna.jpg"]
    assert [entry["file"] for entry in report["bad"]] == ["sketches/f1-001-01-sz1.jpg"]


def test_earlier_results_are_kept_unless_replaced_on_purpose(tmp_path, capsys):
    source, out = student(tmp_path / "in"), tmp_path / "out"
    assert prepare("cufs-student", source, out) == 0
    (source / "photos" / "m1-001-01.jpg").write_bytes(b"")
    assert prepare("cufs-student", source, out) == 2
    assert "not empty; --force" in capsys.readouterr().err
    assert prepare("cufs-student", source, out, "--force") == 2
    assert "is empty (zero bytes)" in capsys.readouterr().err and report_of(out)["pairs"] == 4
    assert prepare("cufs-student", source, out, "--force", "--skip-bad") == 0
    assert report_of(out)["pairs"] == 3
    assert prepare("cufs-student", source, source / "photos", "--force") == 2
    assert "must not lie within each other" in capsys.readouterr().err
    write(tmp_path / "mine" / "thesis.txt", "")
    assert prepare("cufs-student", source, tmp_path / "mine", "--force") == 2
    assert "is no earlier result" in capsys.readouterr().err


def test_a_failing_rename_brings_the_earlier_result_back(tmp_path, monkeypatch):
    source, out = student(tmp_path / "in"), tmp_path / "out"
    prepare("cufs-student", source, out)
    rename = Path.rename
    monkeypatch.setattr(
        Path,
        "rename",
        lambda self, target: (
            (_ for _ in ()).throw(OSError("no"))
            if self.parent.suffix == ".part" and self.name == "out"
            else rename(self, target)
        ),
    )
    with pytest.raises(OSError, match="no"):
        prepare("cufs-student", source, out, "--force")
    assert report_of(out)["pairs"] == 4 and sorted(os.listdir(tmp_path)) == ["in", "out"]


def test_same_content_under_two_names_is_reported_where_both_are_trained_on(tmp_path):
    source = student(tmp_path / "in")
    shutil.copy(source / "photos" / "f-005-01.jpg", source / "photos" / "m-008-01.jpg")
    assert prepare("cufs-student", source, tmp_path / "out") == 0
    assert report_of(tmp_path / "out")["same_content"] == [["photos/f-005-01.jpg", "photos/m-008-01.jpg"]]


def test_cufs_aligns_originals_and_needs_a_split_for_ar_and_xm2vts(tmp_path, capsys):
    source, out = student(tmp_path / "in"), tmp_path / "out"
    raw = cv2.resize(picture(7), (768, 576))
    (source / "ar").mkdir()
    (source / "ar" / "m-002-1.raw").write_bytes(raw.transpose(2, 0, 1).tobytes())
    write(source / "ar" / "m-002-1.dat", dat_text(np.array([[300.0, 250], [420, 250]])))
    points = original(source / "ar" / "Mp-002-1-sz1.jpg", picture(8))
    write(source / "ar" / "Mp-002-1-sz1.dat", dat_text(points))
    points = original(source / "xm" / "000_1_1.png", picture(9))
    ppm = cv2.imencode(".ppm", cv2.imread(str(source / "xm" / "000_1_1.png")))[1].tobytes()
    (source / "xm" / "000_1_1.png").unlink()
    (source / "xm" / "000_1_1.ppm.bz2").write_bytes(bz2.compress(ppm))
    write(source / "xm" / "000_1_1.dat", dat_text(points))
    save(source / "xm" / "000_1_1_sz1.jpg", picture(10))
    assert prepare("cufs", source, out) == 2
    assert "2 of 6 pairs (for instance 'm-002-1.raw')" in capsys.readouterr().err
    split = write(tmp_path / "split.yaml", "train: [m-002]\ntest: [000_1_1]\n")
    assert prepare("cufs", source, out, "--split-file", split) == 0
    report = report_of(out)
    assert report["splits"] == {"test": 3, "train": 3}
    assert {pair.identity: pair.subset for pair in find_pairs(out).pairs if pair.subset != "student"} == {
        "m-002": "ar",
        "000": "xm2vts",
    }
    assert report["pictures"] == {"photo aligned": 2, "photo as it is": 4, "sketch aligned": 1, "sketch as it is": 5}
    assert psnr(read_image(out / "sketches" / "Mp-002-1-sz1.png"), picture(8)) > 35
    assert psnr(read_image(out / "photos" / "000_1_1.png"), picture(9)) > 35
    eye = read_image(out / "photos" / "m-002-1.png")[125, 75].astype(int)
    assert np.abs(eye - raw[245:256, 295:306].reshape(-1, 3).mean(0)).max() < 25


@pytest.mark.parametrize("folder", ["feret", "photo_points"])  # FERET's own, and those that come with CUFSF
def test_cufsf_from_feret_with_pos_and_3pts(tmp_path, folder):
    source, out = tmp_path / "in", tmp_path / "out"
    points = original(source / "feret" / "00001fb010_930831.tif", picture(1))
    write(
        source / folder / "00001fb010_930831.tif.pos", "{} {} {} {}\n".format(*points[1], *points[0])
    )  # the subject's left eye is image right
    mouth = original(source / "original_sketch" / "00001.jpg", picture(2))
    mouth[2] += 30  # a mouth is no fixed point and must not bend the alignment
    write(source / "sketch_points" / "00001.3pts", points_text(mouth))
    assert prepare("cufsf", source, out, "--split", "test") == 0
    assert psnr(read_image(out / "photos" / "00001fb010_930831.png"), picture(1)) > 35
    assert psnr(read_image(out / "sketches" / "00001.png"), picture(2)) > 35
    assert find_pairs(out).pairs[0].identity == "00001" and report_of(out)["suspicious"] == []


def test_missing_fiducials_are_named(tmp_path, capsys):
    source = tmp_path / "in"
    original(source / "m-002-1.jpg", picture(1))
    original(source / "Mp-002-1-sz1.jpg", picture(2))
    assert prepare("ar", source, tmp_path / "out", "--split", "test") == 2
    message = capsys.readouterr().err
    assert "there is no m-002-1.dat, .3pts or .pos" in message and "--eyes" in message
    assert prepare("ar", source, tmp_path / "out", "--split", "test", "--skip-bad") == 2


def test_table_of_eyes_aligns_a_users_own_pairs(tmp_path):
    source = tmp_path / "in"
    lines = ["file,left_x,left_y,right_x,right_y"]
    for side, seed in (("photos", 1), ("sketches", 2)):
        points = original(source / side / "anna.png", picture(seed), shift=(50 * seed, 30))
        lines.append(f"{side}/anna.png," + ",".join(str(value) for value in points[:2].ravel()))
    eyes = write(tmp_path / "eyes.csv", "\n".join(lines))
    assert prepare("pairs", source, tmp_path / "out", "--eyes", eyes) == 0
    assert psnr(read_image(tmp_path / "out" / "photos" / "anna.png"), picture(1)) > 35
    assert psnr(read_image(tmp_path / "out" / "sketches" / "anna.png"), picture(2)) > 35
    eyes.write_text("\n".join(lines[:2]))  # then no picture may stay unaligned in silence
    assert prepare("pairs", source, tmp_path / "other", "--eyes", eyes) == 2


def test_own_pairs_without_points_stay_as_they_are(tmp_path):
    source = tmp_path / "in"
    save(source / "train" / "photos" / "Anna.png", picture(1, 60, 50))
    save(source / "train" / "sketches" / "anna.jpg", picture(2, 70, 50))
    save(source / "test" / "photos" / "b.png", picture(3, 60, 50))
    save(source / "test" / "sketches" / "b.png", picture(4, 60, 50))
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        for path in source.rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path))
    assert prepare("pairs", tmp_path / "own.zip", tmp_path / "out") == 0
    assert report_of(tmp_path / "out")["splits"] == {"test": 1, "train": 1}
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "photos" / "Anna.png"), picture(1, 60, 50))


def test_suspicious_crops_are_listed_first(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    for name, seed in (("f-005-01", 1), ("f-006-01", 2)):
        points = original(source / "photos" / f"{name}.jpg", picture(seed))
        # The second has its eyes swapped, as when left is taken for the subject's left.
        order = [1, 0, 2] if seed == 2 else [0, 1, 2]
        write(source / "photo_points" / f"{name}.3pts", points_text(points[order]))
        save(source / "sketches" / f"F2{name[1:]}-sz1.jpg", picture(10 + seed))
    assert prepare("cufs-student", source, out) == 0
    [entry] = report_of(out)["suspicious"]
    assert entry["file"] == "photos/f-006-01.jpg" and "rotated by" in entry["reason"]
    assert f"look at this crop: {entry['file']}" in (out / "report.txt").read_text()
    sheet = read_image(out / "contact_sheet.png")
    red = (sheet.astype(int) - sheet[..., 1:2]).max(axis=-1)[125:141]
    assert (red[:, :208] > 100).any() and not (red[:, 208:] > 100).any()


def test_fs2k_and_apdrawing(tmp_path):
    fs2k, ap = tmp_path / "fs2k", tmp_path / "ap"
    for folder, seed in ((1, 1), (2, 3)):
        save(fs2k / "photo" / f"photo{folder}" / "image0001.jpg", picture(seed, 60, 50))
        save(fs2k / "sketch" / f"sketch{folder}" / "sketch0001.jpg", picture(seed + 1, 60, 50))
    write(fs2k / "anno_train.json", json.dumps([{"image_name": "photo1/image0001"}]))
    write(fs2k / "anno_test.json", json.dumps([{"image_name": "photo2/image0001"}]))
    assert prepare("fs2k", fs2k, tmp_path / "out1") == 0
    np.testing.assert_array_equal(
        read_image(tmp_path / "out1" / "sketches" / "photo2_image0001.png"), picture(4, 60, 50)
    )
    save(ap / "train" / "a.png", np.concatenate([picture(5, 64, 64), picture(6, 64, 64)], axis=1))
    save(ap / "test" / "b.png", np.concatenate([picture(7, 64, 64), picture(8, 64, 64)], axis=1))
    assert prepare("apdrawing", ap, tmp_path / "out2") == 0
    pairing = find_pairs(tmp_path / "out2")
    assert pairing.counts() == {"test": 1, "train": 1}
    np.testing.assert_array_equal(read_image(of_split(pairing, "train")[0].photo), picture(5, 64, 64))
    np.testing.assert_array_equal(read_image(of_split(pairing, "train")[0].sketch), picture(6, 64, 64))
    save(ap / "train" / "square.png", picture(9, 64, 64))
    assert prepare("apdrawing", ap, tmp_path / "out3") == 2


def test_wrong_folder_says_what_was_expected(tmp_path, capsys):
    write(tmp_path / "in" / "readme.txt", "")
    assert prepare("cufs-student", tmp_path / "in", tmp_path / "out") == 2
    assert re.search("in' holds no pair of layout cufs-student .*F2-005-01-sz1", capsys.readouterr().err)
    assert prepare("cuhk", "in", "out") == 2


def test_help_lists_every_layout():
    text = run("prepare", "--help").stdout
    for name in ("cufs-student", "ar", "xm2vts", "cufs", "cufsf", "fs2k", "apdrawing", "pairs"):
        assert f"\n  {name} " in text


@genuine
def test_genuine_originals_reproduce_the_published_crops(tmp_path):
    assert prepare("cufs-student", REAL / "raw", tmp_path / "out") == 0
    report = report_of(tmp_path / "out")
    assert report["pairs"] == 12 and not (report["bad"] or report["suspicious"] or report["orphan_photos"])
    for side in ("photos", "sketches"):
        for path in (tmp_path / "out" / side).iterdir():
            assert psnr(read_image(path), read_image(REAL / "train" / side / f"{path.stem}.jpg")) > 37


@genuine
@pytest.mark.parametrize(
    "folder, splits", [pytest.param("train", {"train": 86}, marks=pytest.mark.slow), ("dev", {"test": 48})]
)
def test_genuine_crops(folder, splits, tmp_path):
    assert prepare("cufs-student", REAL / folder, tmp_path / "out") == 0
    report = report_of(tmp_path / "out")
    assert report["splits"] == splits
    for key in ("orphan_photos", "orphan_sketches", "duplicates", "same_content", "bad", "suspicious"):
        assert report[key] == []
    # Every second of 86 pairs or all 48, six to a row.
    rows = {"train": 8, "dev": 8}[folder]
    assert read_image(tmp_path / "out" / "contact_sheet.png").shape == (rows * 141, 6 * 208, 3)


@genuine
def test_genuine_set_with_three_faults_names_exactly_those(tmp_path):
    source = tmp_path / "in"
    shutil.copytree(REAL / "dev", source, copy_function=shutil.copyfile)
    for folder in (source, source / "photos", source / "sketches"):
        folder.chmod(0o755)
    renamed, deleted, cut = sorted((source / "sketches").iterdir())[:3]
    renamed.rename(renamed.with_name("f1-777-01-sz1.jpg"))
    deleted.unlink()
    cut.write_bytes(cut.read_bytes()[:-400])
    assert prepare("cufs-student", source, tmp_path / "out", "--skip-bad") == 0
    report = report_of(tmp_path / "out")
    assert report["pairs"] == 45
    assert report["orphan_sketches"] == ["sketches/f1-777-01-sz1.jpg"]
    partners = [path.stem.lower().removesuffix("-sz1").replace("f2-", "f-") for path in (renamed, deleted)]
    assert report["orphan_photos"] == [f"photos/{partner}.jpg" for partner in partners]
    assert [entry["file"] for entry in report["bad"]] == [f"sketches/{cut.name}"]
