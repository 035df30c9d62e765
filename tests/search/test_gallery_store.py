"""The gallery on the disk: kept through kills, shared by processes, removed for good, damage noticed, exact search."""

import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.search.ranking import best, cosines
from iacyclegan_tf.search.store import FILE, Entry, GalleryStore, Snapshot

ROOT = Path(__file__).parents[2]
LENGTHS = {"photo": 24, "sketch": 16}
MODELS = {"name": "a", "number": 1, "fingerprints": {}}


def vector(number: int, length: int) -> np.ndarray:
    """Of length 1; its own for each number."""
    values = np.random.default_rng((number, length)).normal(size=length).astype(np.float32)
    return values / np.linalg.norm(values)


def some(*numbers: int) -> tuple[list[Entry], dict[str, np.ndarray]]:
    return (
        [Entry(f"{number}.png", f"sha {number}", f"/photos/{number}.png") for number in numbers],
        {way: np.stack([vector(number, length) for number in numbers]) for way, length in LENGTHS.items()},
    )


def check(store: GalleryStore, numbers) -> None:
    """These photos are there, with their names, checksums and embeddings, and no others."""
    assert store.damaged() == []
    snapshot = store.snapshot()
    assert snapshot.entries == tuple(store.entries()) and len(store) == len(snapshot) == len(set(numbers))
    for place, entry in enumerate(snapshot.entries):
        number = int(entry.name.removesuffix(".png"))
        assert number in numbers and entry == some(number)[0][0]
        for way, length in LENGTHS.items():
            np.testing.assert_array_equal(snapshot.vectors[way][place], vector(number, length))


@pytest.fixture
def store(tmp_path):
    made = GalleryStore(tmp_path / "index", LENGTHS, MODELS)
    made.add(*some(*range(10)))
    return made


def test_what_was_added_is_there_when_it_is_opened_again(store, tmp_path):
    again = GalleryStore(store.folder)
    assert again.models == MODELS and again.lengths == LENGTHS
    check(again, range(10))
    again.add([], {way: np.empty((0, length)) for way, length in LENGTHS.items()})
    check(store, range(10))
    store.close()
    shutil.move(store.folder, tmp_path / "elsewhere")
    check(GalleryStore(tmp_path / "elsewhere"), range(10))


def test_an_empty_gallery(tmp_path):
    snapshot = GalleryStore(tmp_path / "index", LENGTHS, MODELS).snapshot()
    assert len(snapshot) == 0 and snapshot.vectors["photo"].shape == (0, 24)


def test_the_files_are_for_this_user_alone(store, tmp_path):
    (tmp_path / "empty").mkdir(mode=0o755)
    for folder in (store.folder, GalleryStore(tmp_path / "empty", LENGTHS, MODELS).folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_name_given_again_is_replaced(store):
    _, vectors = some(3)
    store.add([Entry("3.png", "new")], {way: -rows for way, rows in vectors.items()})
    snapshot = store.snapshot()
    place = snapshot.names.index("3.png")
    assert len(snapshot) == 10 and snapshot.entries[place].sha256 == "new"
    np.testing.assert_array_equal(snapshot.vectors["photo"][place], -vectors["photo"][0])


def test_removal_is_for_good(store):
    row = bytes(vector(4, 24).data)
    file = store.folder / FILE
    assert row in file.read_bytes() and b"4.png" in file.read_bytes()
    store.remove(["4.png", "7.png", "4.png"])
    check(store, set(range(10)) - {4, 7})
    for path in store.folder.iterdir():
        assert row not in path.read_bytes() and b"4.png" not in path.read_bytes(), path
    with pytest.raises(
        UserError, match=r"2 of 3 names are not in the gallery .* nothing was removed; the first is '4.png'"
    ):
        store.remove(["4.png", "5.png", "x"])
    check(store, set(range(10)) - {4, 7})


def test_the_place_of_the_removed_is_given_back_to_the_disk(store):
    other, file = GalleryStore(store.folder), store.folder / FILE
    before = other.snapshot()
    store.add(*some(*range(10, 1000)))
    full = file.stat().st_size
    store.remove([f"{number}.png" for number in range(10, 1000)])
    assert file.stat().st_size < full / 2
    check(other, range(10))
    np.testing.assert_array_equal(before.vectors["photo"][9], vector(9, 24))


# ---------------------------------------------------------------- killed, full, damaged

ADDING = """
import sys
from search.test_gallery_store import GalleryStore, LENGTHS, MODELS, some
store = GalleryStore(sys.argv[1], LENGTHS, MODELS)
first, count = int(sys.argv[2]), int(sys.argv[3])
print(0, flush=True)
for start in range(first, first + count, 20):
    store.add(*some(*range(start, start + 20)))
    print(start + 20 - first, flush=True)
"""


def adding(folder: Path, first: int, count: int) -> subprocess.Popen:
    """Adds photos in batches of 20, and says after each batch how many are acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", ADDING, str(folder), str(first), str(count)],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_kill_while_1000_are_added_loses_none_that_were_acknowledged(tmp_path):
    folder, random, found = tmp_path / "index", np.random.default_rng(0), set()
    for attempt in range(5):
        first = 1000 * attempt
        process = adding(folder, first, 1000)
        said = [process.stdout.readline() for _ in range(random.integers(1, 20))]
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        said += process.communicate()[0].splitlines()
        acknowledged = set(range(first, first + int(said[-1])))
        numbers = {int(entry.name.removesuffix(".png")) for entry in GalleryStore(folder).entries()}
        assert numbers >= found | acknowledged
        new = numbers - found
        assert len(new) < 1000 and len(new) % 20 == 0, "killed in the middle, and a batch is there wholly or not at all"
        found = numbers
    check(GalleryStore(folder), found)


def test_two_processes_add_at_once(tmp_path):
    processes = [adding(tmp_path / "index", first, 200) for first in (0, 200)]
    assert [process.communicate()[0].split()[-1] for process in processes] == ["200", "200"]
    check(GalleryStore(tmp_path / "index"), range(400))


def test_an_addition_that_fails_leaves_nothing(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            GalleryStore, "_count", lambda self: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        with pytest.raises(UserError, match=r"cannot be used: .*No space left on device"):
            store.add(*some(*range(10, 20)))
    check(store, range(10))
    store.add(*some(50, 51))
    check(store, [*range(10), 50, 51])


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_in_an_embedding_is_noticed_before_anything_is_shown(store):
    file = store.folder / FILE
    flip(file, file.read_bytes().index(bytes(vector(5, 24).data)) + 3)
    again = GalleryStore(store.folder)
    assert again.damaged() == ["5.png"]
    with pytest.raises(
        UserError, match=r"1 photos are not as they were written; the first is '5.png'\. .*gallery check"
    ):
        again.snapshot()
    again.remove(["5.png"])
    check(again, set(range(10)) - {5})


def test_whatever_bit_is_flipped_the_photos_are_right_or_it_is_a_sentence(store):
    """Also in what SQLite keeps for itself: 100 places over the whole file, most of them in its used parts."""
    store.close()
    file, random = store.folder / FILE, np.random.default_rng(1)
    whole = file.read_bytes()
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    refused = 0
    for at in random.choice(used, 100):
        file.write_bytes(whole)
        flip(file, at)
        try:
            opened = GalleryStore(store.folder)
            entries, vectors = opened.snapshot().entries, opened.snapshot().vectors
            opened.close()
        except UserError as error:
            refused += 1
            assert str(error).count("\n") == 0
            continue
        assert [entry.name for entry in entries] == [f"{number}.png" for number in range(10)]
        np.testing.assert_array_equal(vectors["photo"], [vector(number, 24) for number in range(10)])
    assert refused > 30


@pytest.mark.parametrize(
    "key, value",
    [
        ("models", "{"),
        ("models", "7"),
        ("models", '{"name": "a", "number": 1}'),
        ("models", '{"name": "\\u001b[31m", "number": 1, "fingerprints": {}}'),
        ("lengths", '{"photo": "x"}'),
        ("lengths", '{"photo": -1}'),
        ("photos", "null"),
        ("photos", "[" * 100_000),
        ("photos", b"\xff\xfe"),
    ],
)
def test_what_a_gallery_says_of_itself_is_read_as_input(store, key, value):
    store.close()
    with sqlite3.connect(store.folder / FILE) as base:
        base.execute("UPDATE about SET value = ? WHERE key = ?", (value, key))
    with pytest.raises(UserError, match=r"is damaged: what gallery.sqlite says of itself is no sense"):
        GalleryStore(store.folder)


def test_a_row_that_is_lost_is_missed(store):
    store._base.execute("DELETE FROM photos WHERE name = '3.png'")
    with pytest.raises(UserError, match="is damaged: it holds 9 of 10 photos"):
        GalleryStore(store.folder).snapshot()


def test_what_is_no_gallery_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"There is no gallery in .*gallery build PHOTOS"):
        GalleryStore(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(UserError, match="holds other files and no gallery"):
        GalleryStore(tmp_path, LENGTHS, MODELS)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / FILE).write_bytes(b"")  # killed before its first commit
    with pytest.raises(UserError, match="SQLite says 'no such table: about'"):
        GalleryStore(tmp_path / "empty")
    check(GalleryStore(tmp_path / "empty", LENGTHS, MODELS), ())
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / FILE).write_bytes(b"something else" * 100)
    with pytest.raises(UserError, match="SQLite says 'file is not a database'"):
        GalleryStore(tmp_path / "text")


def test_a_gallery_of_an_earlier_version_is_to_be_built_anew(store):
    store._base.execute("UPDATE about SET value = '1' WHERE key = 'format'")
    for lengths in (None, LENGTHS):
        with pytest.raises(UserError, match=r"its format is 1, not 2. Build it anew, in a new folder."):
            GalleryStore(store.folder, lengths, MODELS)


def test_a_writer_that_waits_too_long_says_so(store, monkeypatch):
    monkeypatch.setattr("iacyclegan_tf.search.store._WAIT", 0.05)
    other = GalleryStore(store.folder)
    with store._transaction():
        with pytest.raises(UserError, match="SQLite says 'database is locked'"):
            other.add(*some(80))
        check(other, range(10))  # readers go on


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, 16)), np.full((1, 24), np.nan), np.full((1, 24), np.inf), np.ones((1, 24))]
)
def test_what_is_no_embedding_is_refused(store, wrong):
    entries, vectors = some(10)
    with pytest.raises(UserError, match="The photo recognizer gave no 1 embeddings of 24 numbers and length 1"):
        store.add(entries, vectors | {"photo": wrong})
    check(store, range(10))


# ---------------------------------------------------------------- search


def test_search_is_exact_also_after_removals(tmp_path):
    store = GalleryStore(tmp_path / "index", LENGTHS, MODELS)
    store.add(*some(*range(300)))
    probes = {way: vector(1000, length) for way, length in LENGTHS.items()}
    for removed in ((), range(0, 100, 3)):
        store.remove([f"{number}.png" for number in removed])
        snapshot = store.snapshot()
        numbers = [int(entry.name.removesuffix(".png")) for entry in snapshot.entries]
        scores = cosines(snapshot, probes)
        for way, length in LENGTHS.items():
            expected = [float(vector(n, length).astype(np.float64) @ probes[way].astype(np.float64)) for n in numbers]
            np.testing.assert_allclose(scores[way], expected, atol=1e-6)
            found = best(scores[way], snapshot.names, 20)
            assert found.tolist() == sorted(range(len(numbers)), key=lambda i: -expected[i])[:20]
    assert len(store) == 300 - 34


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -1e32])
def test_what_is_no_cosine_is_never_ranked(value):
    vectors = np.eye(3, dtype=np.float32)
    vectors[1, 1] = value
    snapshot = Snapshot(tuple(map(Entry, "abc", "abc")), {"photo": vectors})
    with pytest.raises(UserError, match=r"The photo recognizer's embedding .* is damaged: a cosine is"):
        cosines(snapshot, {"photo": np.float32([0, 1, 0])})
    with pytest.raises(UserError, match="is damaged"):
        cosines(Snapshot(snapshot.entries, {"photo": np.eye(3)}), {"photo": np.array([0, value, 0])})


def test_equal_scores_are_ordered_by_name_wherever_the_cut_falls():
    scores, names = np.array([1.0, 2.0, 1.0, 1.0, 0.0]), ["d", "z", "b", "c", "a"]
    assert [best(scores, names, top).tolist() for top in (1, 2, 3, 9)] == [[1], [1, 2], [1, 2, 3], [1, 2, 3, 0, 4]]
