"""A folder of people: who and what is found, in which order, and every file or person that is left out by name."""

import hashlib

import cv2
import numpy as np
import pytest
from made_up_people import photo, write_people

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.people.folder import person_folders, read_people
from iacyclegan_tf.data.people.selection import select_people


@pytest.fixture
def root(tmp_path):
    return write_people(tmp_path / "faces", people=3, photos=11)


def test_photos_come_person_by_person_in_natural_order_as_three_equal_channels(root):
    people = read_people(root)
    assert people.identities == ("s1",) * 11 + ("s2",) * 11 + ("s3",) * 11 and people.people == 3
    for (person, number), image in zip([(p, n) for p in (1, 2, 3) for n in range(1, 12)], people.photos):
        np.testing.assert_array_equal(image, np.repeat(photo(person, number)[..., None], 3, -1))
    assert people.labels.tolist() == [0] * 11 + [1] * 11 + [2] * 11
    files = [f"s{p}/{n}.pgm" for p in (1, 2, 3) for n in range(1, 12)]
    lines = "".join(f"{file} {hashlib.sha256((root / file).read_bytes()).hexdigest()}\n" for file in files)
    assert people.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert people.notes == (f"3 people with 33 photos in {root}, SHA-256 {people.sha256[:12]}",)


def test_then_says_what_is_kept(root):
    people = read_people(root, "s1,s3", then=Fit("squeeze", 20, 16).apply)
    assert people.people == 2 and len(people.photos) == 22
    assert {image.shape for image in people.photos} == {(20, 16, 3)}


def test_a_pgm_whose_pixels_begin_like_a_comment_is_read(root):
    image = photo(1, 1)
    image[0, :2] = (ord("#"), ord("%"))
    cv2.imwrite(str(root / "s1" / "1.pgm"), image)
    np.testing.assert_array_equal(read_people(root).photos[0][..., 0], image)


def test_unreadable_photos_are_all_named_or_left_out(root):
    (root / "s1" / "3.pgm").write_bytes(b"P5\n30 36\n255\nshort")
    (root / "s2" / "11.pgm").write_bytes(b"")
    with pytest.raises(UserError) as error:
        read_people(root)
    for words in ("2 of 33 photos", "s1/3.pgm", "s2/11.pgm", "--skip-bad"):
        assert words in str(error.value)
    people = read_people(root, skip_bad=True)
    assert len(people) == 31 and people.identities.count("s1") == 10
    assert [line for line in people.notes if "left out" in line and "3.pgm" in line]


def test_people_with_too_few_photos_and_foreign_files_are_named(root):
    for folder, count in (("alone", 1), ("nobody", 0)):
        (root / folder).mkdir()
        for number in range(count):
            cv2.imwrite(str(root / folder / f"{number}.png"), photo(9, number))
    (root / "s1" / "notes.txt").write_text("x")
    (root / ".hidden").mkdir()
    (root / "README").write_text("x")
    people = read_people(root)
    assert set(people.identities) == {"s1", "s2", "s3"}
    assert people.notes[1:] == (
        f"left out, 2 photos are needed and it has 1: {root / 'alone'}",
        f"left out, 2 photos are needed and it has none: {root / 'nobody'}",
        "left out, hidden or made by a system: .hidden",
        f"passed over: {root / 's1' / 'notes.txt'}",
    )


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda root: None, "does not exist"),
        (lambda root: root.mkdir(), "holds no sub-folders"),
        (lambda root: write_people(root, people=1), "1 people under .* at least 2"),
        (
            lambda root: write_people(root, people=3, photos=1),
            r"(?s)0 people.*left out, 2 photos are needed and it has 1: .*s3",
        ),
    ],
)
def test_a_root_that_cannot_be_used(tmp_path, make, words):
    make(tmp_path / "root")
    with pytest.raises(UserError, match=words):
        read_people(tmp_path / "root")


def test_folders_in_natural_order(tmp_path):
    for name in ("s10", "s9", "s1", "anna"):
        (tmp_path / name).mkdir()
    assert list(person_folders(tmp_path)) == ["anna", "s1", "s9", "s10"]


# ---------------------------------------------------------------- selection

NAMES = [f"s{i}" for i in range(1, 31)] + [
    "p001",
    "p002",
    "p010",
    "anna-maria",
    "t1-t3",
    "t1",
    "t2",
    "2020-a1",
    "2020-a2",
]


@pytest.mark.parametrize(
    "selection, expected",
    [
        ("s1-s3", ["s1", "s2", "s3"]),
        ("s3, s1,s3", ["s1", "s3"]),
        ("s29-s99", ["s29", "s30"]),
        ("p1-p9", ["p001", "p002"]),
        ("p001-p010", ["p001", "p002", "p010"]),
        ("anna-maria", ["anna-maria"]),
        ("t1-t3", ["t1-t3"]),  # a name comes before a range
        ("t1-t2", ["t1", "t2"]),
        ("2020-a1-2020-a2", ["2020-a1", "2020-a2"]),
        (",".join(f"s{i}" for i in range(1, 31)) + "," * 300, [f"s{i}" for i in range(1, 31)]),
    ],
)
def test_selection(selection, expected):
    assert select_people(NAMES, selection, "faces") == expected


def test_everyone_where_nobody_is_named():
    assert set(select_people(NAMES, "", "faces")) == set(NAMES)


def test_a_file_of_names(tmp_path):
    (tmp_path / "names.txt").write_text("\ufeffs1-s3  # the first\n\n# nobody here\np001, t1\n", encoding="utf-8")
    assert select_people(NAMES, str(tmp_path / "names.txt"), "faces") == ["p001", "s1", "s2", "s3", "t1"]


@pytest.mark.parametrize(
    "selection, words",
    [
        ("s31", "'s31' names nobody in faces; did you mean s"),
        ("s1-s3,bob", "'bob' names nobody"),
        ("bob" * 3000, r"^'bob.{,120} \[\.\.\.\] .{,120}bob' names nobody"),
        ("s40-s50", "'s40-s50' names nobody"),
        ("s3-s1", "'s3-s1' names nobody"),
        ("s1-p010", "'s1-p010' names nobody"),
        ("zzzzzzzz", "holds 39 people, e.g. 2020-a1"),
    ],
)
def test_whoever_is_not_there_is_named(selection, words):
    with pytest.raises(UserError, match=words):
        select_people(NAMES, selection, "faces")


@pytest.mark.parametrize(
    "content, words",
    [
        (b"# nobody\n", "names nobody"),
        (b"\xff\xfe\x00", "cannot be read as UTF-8"),
        (b"s1\n" * 400_000, "at most 1000000"),
    ],
)
def test_wrong_files_of_names(tmp_path, content, words):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(UserError, match=words):
        select_people(NAMES, str(tmp_path / "names"), "faces")
