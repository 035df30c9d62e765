"""Pairing by official names, equal stems and manifests; splits; everything left out is listed."""

import hashlib
import time
from pathlib import Path

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.pairs.naming import feret_key, identity_of, photo_key, sketch_key, student_split
from iacyclegan_tf.data.pairs.pairing import find_pairs, pair_files, pair_folders, read_manifest, split_hash

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "cufs-student"


def make(folder: Path, **names: list[str]) -> Path:
    """Empty files: pairing reads names only."""
    for side, files in names.items():
        (folder / side).mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / side / file).touch()
    return folder


def of_split(pairing, split: str) -> list:
    return [pair for pair in pairing.pairs if pair.split == split]


def stems(pairing) -> list[tuple[str, str, str, str]]:
    return [(p.identity, p.photo.name, p.sketch.name, p.split) for p in pairing.pairs]


@pytest.mark.parametrize(
    "photo, sketch, identity",
    [
        ("f-005-01.jpg", "F2-005-01-sz1.jpg", "f-005-01"),
        ("m-008-01.jpg", "m2-008-01-sz1.jpg", "m-008-01"),
        ("f1-001-01.jpg", "f1-001-01-sz1.jpg", "f1-001-01"),
        ("M1-001-01.JPG", "m1-001-01-SZ1.png", "m1-001-01"),
        ("f-039-01.jpg", "f-039-01-sz1.jpg", "f-039-01"),
        ("m-002-1.raw.png", "Mp-002-1-sz1.jpg", None),
        ("w-057-1.png", "Wp-057-1-sz1.jpg", "w-057"),
        ("000_1_1.ppm", "000_1_1_sz1.jpg", "000"),
        ("00001fb010_930831.tif", "00001.jpg", "00001"),
        ("00001_930831_fb.ppm.bz2", "00001.jpg", "00001"),
        ("Anna.png", "anna.jpg", "anna"),
        ("x_sz1.png", "x_sz1.png", "x_sz1"),
        ("f2-003.png", "f2-003.png", "f2-003"),
    ],
)
def test_official_and_equal_names(photo, sketch, identity, tmp_path):
    make(tmp_path, photos=[photo], sketches=[sketch])
    pairing = pair_files([tmp_path / "photos" / photo], [tmp_path / "sketches" / sketch])
    assert [pair.identity for pair in pairing.pairs] == ([identity] if identity else [])
    assert len(pairing.orphan_photos) == len(pairing.orphan_sketches) == (identity is None)


def test_sorted_folders_of_the_student_set_are_not_zipped(tmp_path):
    """Sorted and zipped, f-039-01 would meet F2-005-01: here every pair is right."""
    make(
        tmp_path,
        photos=["f-005-01.jpg", "f-039-01.jpg", "f1-001-01.jpg", "m-008-01.jpg"],
        sketches=["F2-005-01-sz1.jpg", "M2-008-01-sz1.jpg", "f-039-01-sz1.jpg", "f1-001-01-sz1.jpg"],
    )
    assert stems(find_pairs(tmp_path)) == [
        ("f-005-01", "f-005-01.jpg", "F2-005-01-sz1.jpg", "train"),
        ("f-039-01", "f-039-01.jpg", "f-039-01-sz1.jpg", "test"),
        ("f1-001-01", "f1-001-01.jpg", "f1-001-01-sz1.jpg", "test"),
        ("m-008-01", "m-008-01.jpg", "M2-008-01-sz1.jpg", "train"),
    ]


def test_naming_rules_one_by_one():
    assert sketch_key("F2-005-01-sz1") == "f-005-01" and sketch_key("F1-005-01-sz1") == "f1-005-01"
    assert sketch_key("Wp-001-1-sz1") == "w-001-1" and photo_key("00001fa010_930831") == "00001"
    assert identity_of("m-002-1") == "m-002" and identity_of("m-008-01") == "m-008-01"
    assert student_split("f2-005-01-SZ1") == "train" and student_split("m1-005-01-sz1") == "test"
    assert student_split("Mp-002-1-sz1") is None and student_split("f2-005-01") is None
    assert feret_key("00001fb010_930831") == feret_key("00001_930831_fb") == ("00001", "fb", "930831")
    assert feret_key("00001") is None


def test_orphans_duplicates_and_other_files_are_listed(tmp_path):
    make(
        tmp_path,
        photos=["a.jpg", "b.jpg", "c.jpg", "C.png", "d.jpg", "Thumbs.db"],
        sketches=["a.png", "b.png", "B.jpg", "c.png", "e.png", ".hidden.png"],
    )
    pairing = pair_folders(tmp_path / "photos", tmp_path / "sketches")
    assert [pair.identity for pair in pairing.pairs] == ["a"]
    assert [path.name for path in pairing.orphan_photos] == ["d.jpg"]
    assert [path.name for path in pairing.orphan_sketches] == ["e.png"]
    assert [sorted(path.name for path in group) for group in pairing.duplicates] == [
        ["B.jpg", "b.jpg", "b.png"],
        ["C.png", "c.jpg", "c.png"],
    ]
    text = "\n".join(pairing.report())
    assert text.startswith("1 pairs (no split 1)")
    for name in ("d.jpg", "e.png", "B.jpg", "C.png", "Thumbs.db", ".hidden.png"):
        assert name in text


def test_sub_folders_name_the_split(tmp_path):
    make(tmp_path / "train", photos=["a.jpg", "b.jpg"], sketches=["a.jpg", "b.jpg"])
    make(tmp_path / "dev", photos=["c.jpg"], sketches=["c.jpg"])
    make(tmp_path / "raw", photos=["a.jpg"], sketches=["a.jpg"])
    pairing = find_pairs(tmp_path)
    assert pairing.counts() == {"dev": 1, "train": 2}
    assert [pair.identity for pair in of_split(pairing, "dev")] == ["c"]


def test_one_identity_in_two_splits_is_refused(tmp_path):
    for split in ("train", "test"):
        make(tmp_path / split, photos=["a.jpg"], sketches=["a.jpg"])
    with pytest.raises(UserError, match=r"'a'.*'train' and 'test'"):
        find_pairs(tmp_path)


def test_pairs_without_any_split_are_for_training_or_for_the_one_named(tmp_path):
    make(tmp_path, photos=["a.jpg"], sketches=["a.jpg"])
    assert find_pairs(tmp_path).counts() == {"train": 1}
    assert find_pairs(tmp_path, split="test").counts() == {"test": 1}
    with pytest.raises(UserError, match="'half' is unknown; allowed are auto, train, val, dev, test"):
        find_pairs(tmp_path, split="half")


def test_names_that_hold_a_split_only_in_part_need_a_file(tmp_path):
    make(tmp_path, photos=["f-005-01.jpg", "m-002-1.jpg"], sketches=["F2-005-01-sz1.jpg", "Mp-002-1-sz1.jpg"])
    with pytest.raises(UserError, match="only 1 hold their split"):
        find_pairs(tmp_path)


def test_wrong_folders_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none is not there"):
        find_pairs(tmp_path / "none")
    make(tmp_path, photos=[], sketches=["a.jpg"])
    with pytest.raises(UserError, match="photos' holds no image; photos were expected"):
        find_pairs(tmp_path)
    make(tmp_path, photos=["b.jpg"])
    with pytest.raises(UserError, match=r"'b.jpg' and 'a.jpg'"):
        find_pairs(tmp_path)
    make(tmp_path / "train", photos=["b.jpg"], sketches=["b.jpg"])
    with pytest.raises(UserError, match="both kinds"):
        find_pairs(tmp_path)


def write_split(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_file_of_names(tmp_path):
    make(
        tmp_path,
        photos=["000_1_1.ppm", "001_1_1.ppm", "002_1_1.ppm", "003_1_1.ppm"],
        sketches=["000_1_1_sz1.jpg", "001_1_1_sz1.jpg", "002_1_1_sz1.jpg"],
    )
    # Identity, photo name and sketch name; plain YAML would read the first two as numbers.
    split = write_split(tmp_path / "split.yaml", "\ufefftrain: [000, 001_1_1]\ntest: [002_1_1_SZ1.jpg, 003]\n")
    pairing = find_pairs(tmp_path, split_file=split)
    assert [pair.identity for pair in of_split(pairing, "train")] == ["000", "001"]
    assert [pair.identity for pair in of_split(pairing, "test")] == ["002"]
    assert [path.name for path in pairing.orphan_photos] == ["003_1_1.ppm"]
    fewer = find_pairs(tmp_path, split_file=write_split(tmp_path / "fewer.yaml", "test: ['002']\n"))
    assert [pair.identity for pair in fewer.pairs] == ["002"]
    assert [pair.identity for pair in fewer.unlisted] == ["000", "001"]
    assert "not named in the split file" in "\n".join(fewer.report())


@pytest.mark.parametrize(
    "text, words",
    [
        ("train: [a, nobody]\n", r"1 unknown name\(s\): nobody"),
        ("train: [a]\ntest: [A.jpg]\n", "lists 'A.jpg' in 'train' and in 'test'"),
        ("training: [a]\n", "names the split 'training'; allowed are train, val, dev, test"),
        ("train: a\n", "must give a list"),
        ("- a\n", "must map"),
        ("train: [a\n", "not valid YAML"),
        ("train: " + "[" * 20_000, "not valid YAML"),
        ("train: [a]\ntrain: [b]\n", "'train' stands twice"),
        ("train: &all [a]\ntest: *all\n", "anchors are not allowed"),
        ("x" * 900 + ": [a]\n", r"names the split 'x+ \[\.\.\.\] x+'; allowed are train"),
        ("!!python/object/apply:os.getcwd []\n", "must map"),
    ],
)
def test_wrong_split_files_are_named(text, words, tmp_path):
    make(tmp_path, photos=["a.jpg"], sketches=["a.jpg"])
    with pytest.raises(UserError, match=words):
        find_pairs(tmp_path, split_file=write_split(tmp_path / "split.yaml", text))


def test_a_split_file_of_many_keys_is_refused_in_time(tmp_path):
    """Keys that stand twice are looked for in one pass: comparing each with all others took half a minute here."""
    make(tmp_path, photos=["a.jpg"], sketches=["a.jpg"])
    split, begun = (
        write_split(tmp_path / "split.yaml", "".join(f"k{number}: []\n" for number in range(30_000))),
        time.process_time(),
    )
    with pytest.raises(UserError, match="names the split 'k0'"):
        find_pairs(tmp_path, split_file=split)
    assert time.process_time() - begun < 10


def test_one_pair_named_in_two_splits_is_refused(tmp_path):
    make(tmp_path, photos=["f-005-01.jpg"], sketches=["F2-005-01-sz1.jpg"])
    split = write_split(tmp_path / "split.yaml", "train: [f-005-01]\ntest: [F2-005-01-sz1]\n")
    with pytest.raises(UserError, match=r"puts photo 'f-005-01.jpg' in test and train"):
        find_pairs(tmp_path, split_file=split)


def manifest(tmp_path: Path, text: str) -> Path:
    make(tmp_path, photos=["a.png", "b.png"], sketches=["a.png", "b.png"])
    (tmp_path / "manifest.csv").write_bytes(text.encode("utf-8"))
    return tmp_path / "manifest.csv"


def test_manifest_with_bom_crlf_backslashes_and_more_columns(tmp_path):
    path = manifest(
        tmp_path,
        "\ufeffnote,identity,photo,sketch,split\r\n"
        "x,B,photos\\b.png,sketches/b.png,dev\r\n"
        '"y, z",A,./photos/a.png,sketches/a.png,train\r\n',
    )
    pairing = read_manifest(path)
    assert [(pair.identity, pair.split) for pair in pairing.pairs] == [("A", "train"), ("B", "dev")]
    assert pairing.pairs[0].photo.is_file() and find_pairs(tmp_path) == pairing


HEADER = "identity,photo,sketch,split\n"


@pytest.mark.parametrize(
    "text, words",
    [
        ("identity,photo,sketch\na,photos/a.png,sketches/a.png\n", "lacks the column.* split"),
        (HEADER, "holds no pair"),
        (HEADER + "a,photos/a.png,sketches/z.png,train\n", "line 2: file 'sketches/z.png' does not exist"),
        (HEADER + f"a,photos/{'z' * 300}.png,sketches/a.png,train\n", "line 2: file 'photos/zz.* does not exist"),
        (HEADER + "a,/etc/hosts,sketches/a.png,train\n", "'/etc/hosts' must be a path inside"),
        (HEADER + "a,photos/../../x.png,sketches/a.png,train\n", "must be a path inside"),
        (HEADER + "a,C:\\x.png,sketches/a.png,train\n", "must be a path inside"),
        (HEADER + "a,photos/a.png,sketches/a.png,half\n", "line 2: split 'half' is unknown"),
        (HEADER + "a,photos/a.png\n", "line 2: sketch, split is empty"),
        (HEADER + "a,photos/a.png,sketches/a.png,train\nb,photos/a.png,sketches/b.png,train\n", "png' 2 times"),
        (HEADER + "a,photos/a.png,sketches/a.png,train\na,photos/b.png,sketches/b.png,test\n", "'train' and 'test'"),
        (HEADER + 'a,"photos/a.png\n', "not a CSV file"),
    ],
)
def test_wrong_manifests_are_named(text, words, tmp_path):
    with pytest.raises(UserError, match=words):
        read_manifest(manifest(tmp_path, text))


def test_a_manifest_that_was_edited_after_its_split_was_told_is_refused(tmp_path):
    lines = [("A", "photos/a.png", "sketches/a.png", "train"), ("B", "photos/b.png", "sketches/b.png", "test")]
    told = hashlib.sha256(b"test B b b\ntrain A a a\n").hexdigest()

    def text(split: str) -> str:
        return "identity,photo,sketch,split,split_sha256\n" + "".join(
            ",".join([*line[:3], split if line[0] == "B" else line[3], told]) + "\n" for line in lines
        )

    assert len(read_manifest(manifest(tmp_path, text("test"))).pairs) == 2
    with pytest.raises(
        UserError, match=f"manifest.csv' was edited: its column split_sha256 says {told[:12]}.*or remove that column"
    ):
        read_manifest(manifest(tmp_path, text("train")))


def test_split_hash_is_over_sorted_names(tmp_path):
    make(tmp_path, photos=["f-005-01.jpg", "f1-001-01.jpg"], sketches=["F2-005-01-sz1.jpg", "f1-001-01-sz1.jpg"])
    lines = "test f1-001-01 f1-001-01 f1-001-01-sz1\ntrain f-005-01 f-005-01 F2-005-01-sz1\n"
    pairs = find_pairs(tmp_path).pairs
    assert split_hash(pairs) == split_hash(pairs[::-1]) == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/cufs-student is absent")
def test_genuine_student_pairs():
    pairing = find_pairs(REAL)
    assert pairing.counts() == {"dev": 48, "train": 86}
    assert not (pairing.orphan_photos or pairing.orphan_sketches or pairing.duplicates)
    assert find_pairs(REAL / "train").counts() == {"train": 86}
