"""Names, splits and folders as people have them: accents of two kinds, closed folders, validation folders, doubles."""

import contextlib
import csv
import os
import shutil
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from in_process import refused, run

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.alignment.eye_files import read_eyes
from iacyclegan_tf.data.face_pairs import held_out
from iacyclegan_tf.data.images.files import write_png
from iacyclegan_tf.data.load_faces import load_faces
from iacyclegan_tf.data.pairs.naming import file_name
from iacyclegan_tf.data.pairs.pairing import find_pairs, split_hash

NAMES = ("José", "Zoë", "anna", "김민수")


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def pairs(root: Path, names, seed: int = 0, spell_photo=str, spell_sketch=str) -> Path:
    for number, name in enumerate(names):
        for side, spell, more in (("photos", spell_photo, 0), ("sketches", spell_sketch, 500)):
            noise = np.random.default_rng(seed + number + more).integers(0, 256, (16, 12, 3)).astype(np.uint8)
            write_png(root / side / f"{spell(name)}.png", noise)
    return root


def manifest(root: Path, lines, columns: str = "identity,photo,sketch,split") -> Path:
    (root / "manifest.csv").write_text("\n".join([columns, *lines]) + "\n", encoding="utf-8")
    return root


def faces(root: Path, **settings):
    return load_faces(DataConfig(source="pairs", root=str(root), height=16, width=12, **settings), seed=0)


@contextlib.contextmanager
def ordinary_user():
    """A folder and a user for whom closed folders are closed: they are not for root, who runs tests in containers."""
    folder, user = Path(tempfile.mkdtemp()), os.geteuid()
    folder.chmod(0o777)
    try:
        yield folder, (lambda: os.seteuid(65534 if user == 0 else user))
    finally:
        os.seteuid(user)
        for path in folder.rglob("*"):
            path.chmod(0o755)
        shutil.rmtree(folder)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("sides", [(nfc, nfd), (nfd, nfc)], ids=["sketches decomposed", "photos decomposed"])
def test_accents_of_both_kinds_are_one_name_in_pairs_manifests_and_split_files(tmp_path, sides):
    root = pairs(tmp_path / "set", NAMES, 0, *sides)
    found = find_pairs(root)
    assert len(found.pairs) == 4 and {pair.identity for pair in found.pairs} == {name.lower() for name in NAMES}
    split = tmp_path / "split.yaml"
    split.write_text(f"train: [{nfd('JOSÉ')}, {nfc('zoë.png')}]\ntest: [anna, {nfd('김민수')}]\n", encoding="utf-8")
    assert find_pairs(root, split_file=split).counts() == {"test": 2, "train": 2}
    for spell in (nfc, nfd, lambda name: nfd(name).upper()):
        lines = [f"{spell(n)},Photos\\{spell(n)}.png,sketches/{spell(n)}.PNG,train" for n in NAMES]
        read = find_pairs(manifest(root, lines))
        assert all(pair.photo.is_file() and pair.sketch.is_file() for pair in read.pairs) and len(read.pairs) == 4
    same = pairs(tmp_path / "other", NAMES)
    assert split_hash(find_pairs(same).pairs) == split_hash(found.pairs)


def test_accents_in_a_table_of_eyes(tmp_path):
    (tmp_path / "eyes.csv").write_text(f"file,left_x,left_y,right_x,right_y\n{nfc('José')},1,2,3,4\n", encoding="utf-8")
    image = Path(nfd("José.png"))
    assert list(read_eyes(tmp_path / "eyes.csv", [(f"photos/{image}", image)])) == [image]


def test_two_spellings_of_one_person_in_two_splits_are_refused_and_in_one_are_one(tmp_path):
    root = pairs(tmp_path, [f"p{n}" for n in range(7)])

    def lines(splits: str) -> list[str]:
        people = ["Anna", "bob", "anna", "carl", "dora", "emil", "fritz"]
        return [
            f"{who},photos/p{n}.png,sketches/p{n}.png,{s}" for n, (who, s) in enumerate(zip(people, splits.split()))
        ]

    with pytest.raises(UserError, match=r"'Anna' .*'anna'.* in the splits 'train' and 'test'"):
        find_pairs(manifest(root, lines("train train test test test train train")))
    found = faces(manifest(root, lines("train train train train test test train")), validation_share=0.5)
    assert sorted({*found.fitting.identities, *found.validation.identities}) == ["Anna", "bob", "carl", "fritz"]


def test_prepared_files_keep_the_names_of_all_scripts(tmp_path):
    names = ["रवि", "रवी", "a b'&(x)#", "anna"]
    assert run("prepare", "pairs", pairs(tmp_path / "in", names), tmp_path / "out").returncode == 0
    assert {path.stem for path in (tmp_path / "out/photos").iterdir()} == set(names)
    assert len(find_pairs(tmp_path / "out").pairs) == 4
    assert [file_name(n) for n in ("a/b\\c", ".x", "x\ny\0", "é.1")] == ["a_b_c", "_x", "x_y_", "é.1"]


# ---------------------------------------------------------------- splits


@pytest.mark.parametrize(
    "folders", [("train", "val", "test"), ("Train", "VALIDATION", "Test"), ("TRAIN", "valid", "dev")]
)
def test_a_validation_folder_names_the_validation_people(tmp_path, folders):
    for number, folder in enumerate(folders):
        pairs(tmp_path / "in" / folder, [f"p{number}{n}" for n in range(3)], 10 * number)
    root = pairs(tmp_path / "in" / "holdout", ["x"], 90).parent
    found = faces(root)
    assert found.counts() == ["train 3", "val 3 for validation", f"{folders[2].lower()} 3"]
    assert found.fitting.identities == ("p00", "p01", "p02") and found.validation.identities == ("p10", "p11", "p12")
    assert f"passed over: {root / 'holdout'}" in found.notes
    assert run("prepare", "pairs", root, tmp_path / "out").returncode == 0
    text = (tmp_path / "out/report.txt").read_text()
    assert "val 3" in text and "for validation" in text and "passed over: holdout" in text
    assert faces(tmp_path / "out").validation.identities == found.validation.identities


def test_val_is_tested_on_where_nothing_else_is_or_where_it_is_named(tmp_path):
    for number, folder in enumerate(("train", "val")):
        pairs(tmp_path / folder, [f"p{number}{n}" for n in range(4)], 10 * number)
    assert faces(tmp_path, validation_share=0.5).counts() == ["train 4 = 2 fit + 2 validation", "val 4"]
    pairs(tmp_path / "test", [f"p2{n}" for n in range(4)], 20)
    assert faces(tmp_path, test_split="val", validation_share=0.5).test_split == "val"


def test_a_column_subset_goes_through_to_the_people_and_divides_the_hold_out(tmp_path):
    root = pairs(tmp_path / "in", [f"p{n:02d}" for n in range(24)])
    subsets = ["", *["ar"] * 9, *["student"] * 11, "ar", "student", "ar"]
    lines = [f"p{n:02d},photos/p{n:02d}.png,sketches/p{n:02d}.png,{'train' if n < 20 else 'test'}" for n in range(24)]
    plain = faces(manifest(root, lines), validation_share=0.25)
    assert plain.test.subsets == ()
    lines = [f"{line},{subset}" for line, subset in zip(lines, subsets)]
    found = faces(manifest(root, lines, "identity,photo,sketch,split,subset"), validation_share=0.25)
    assert found.test.subsets == ("student", "ar", "student", "ar")
    assert sorted(found.validation.subsets) == ["ar"] * 2 + ["student"] * 2  # round(0.25 * 9), round(0.25 * 10)
    assert run("prepare", "pairs", root, tmp_path / "out").returncode == 0
    with open(tmp_path / "out/manifest.csv", newline="", encoding="utf-8") as file:
        assert [row["subset"] for row in csv.DictReader(file)] == subsets


def test_without_subsets_the_same_people_are_held_out_as_ever():
    names = [f"p{n % 30}" for n in range(50)]
    for share, seed in ((0.12, 0), (0.5, 3), (0.001, 7)):
        everyone = sorted(set(names))
        count = max(2, round(share * len(everyone)))
        wanted = set(np.random.default_rng(seed).permutation(everyone)[:count])
        assert held_out(names, share, seed).tolist() == [name in wanted for name in names]
        assert held_out(names, share, seed, ["one"] * 50).tolist() == [name in wanted for name in names]


# ---------------------------------------------------------------- folders


def test_closed_folders_are_named(tmp_path):
    with ordinary_user() as (folder, become):
        pairs(folder / "set", ["a", "b"])
        pairs(folder / "set" / "photos" / "sub", ["c"])
        assert run("prepare", "pairs", folder / "set", folder / "good").returncode == 0  # all modules are loaded now
        inner = folder / "set/photos/sub/photos"
        for closed in (inner, folder / "set/sketches"):
            closed.chmod(0)
        become()
        refused(
            run("prepare", "pairs", folder / "set", folder / "out"), str(inner), "set/sketches", "Permission denied"
        )
        refused(run("prepare", "cufs-student", folder / "set", folder / "out"), str(inner), "Permission denied")
        with pytest.raises(UserError, match="set/sketches' cannot be read: Permission denied"):
            find_pairs(folder / "set")


def test_folders_that_systems_make_are_left_out_and_said(tmp_path):
    root = pairs(tmp_path / "in", ["a", "b"])
    for folder in ("photos/@eaDir/a.png", "photos/.thumbnails", "#recycle/photos", "#recycle/sketches"):
        (root / folder).mkdir(parents=True)
    done = run("prepare", "pairs", root, tmp_path / "out")
    assert done.returncode == 0 and "@eaDir" in done.stdout and ".thumbnails" in done.stdout
    assert "@eaDir" in "\n".join(find_pairs(root).report())


# ---------------------------------------------------------------- the same picture under two names


def test_a_tested_persons_picture_that_is_anothers_too_is_refused_in_pairs(tmp_path):
    root = tmp_path / "set"
    for number, split in enumerate(("train", "test")):
        pairs(root / split, [f"p{number}{n}" for n in range(4)], 10 * number)
    faces(root, validation_share=0.5)
    shutil.copy(root / "train/photos/p01.png", root / "train/photos/p02.png")  # nobody is measured on these
    faces(root, validation_share=0.5)
    assert run("prepare", "pairs", root, tmp_path / "out").returncode == 0
    shutil.copy(root / "train/photos/p01.png", root / "test/photos/p12.png")
    with pytest.raises(
        UserError, match=r"test/photos/p12.png' of 'p12', who is tested on.*train/photos/p0\d.png' of 'p0"
    ):
        faces(root, validation_share=0.5)
    refused(run("prepare", "pairs", root, tmp_path / "other"), "test/photos/p12.png", "train/photos/p0")
    assert not (tmp_path / "other").exists()
