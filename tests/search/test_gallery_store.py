"""The gallery on the disk: kept through kills, two processes at once, removal for good, and exact search."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.search.names import Entry, Names
from iacyclegan_tf.search.ranking import best, cosines
from iacyclegan_tf.search.store import GalleryStore
from iacyclegan_tf.search.vectors import VectorFile

ROOT = Path(__file__).parents[2]
LENGTHS = {"photo": 24, "sketch": 16}


def vector(number: int, length: int) -> np.ndarray:
    """Of length 1; its own for each number."""
    values = np.random.default_rng((number, length)).normal(size=length).astype(np.float32)
    return values / np.linalg.norm(values)


def some(*numbers: int) -> tuple[list[Entry], dict[str, np.ndarray]]:
    return (
        [Entry(f"{number}.png", f"sha {number}", f"/photos/{number}.png") for number in numbers],
        {way: np.stack([vector(number, length) for number in numbers]) for way, length in LENGTHS.items()},
    )


def held(store: GalleryStore) -> dict[int, dict[str, np.ndarray]]:
    """The photos by number with their vectors, after checking checksums and names."""
    assert store.damaged() == []
    snapshot = store.snapshot()
    for entry in snapshot.entries:
        number = int(entry.name.removesuffix(".png"))
        assert entry == some(number)[0][0]
    return {
        int(entry.name.removesuffix(".png")): {way: vectors[row] for way, vectors in snapshot.vectors.items()}
        for entry, row in zip(snapshot.entries, snapshot.rows)
    }


def check(store: GalleryStore, numbers) -> None:
    found = held(store)
    assert set(found) == set(numbers) and len(store) == len(found)
    for number, vectors in found.items():
        for way, length in LENGTHS.items():
            np.testing.assert_array_equal(vectors[way], vector(number, length))


@pytest.fixture
def store(tmp_path):
    made = GalleryStore(tmp_path / "index", LENGTHS, {"run": "a"})
    made.add(*some(*range(10)))
    return made


def test_what_was_added_is_there_when_it_is_opened_again(store):
    assert some(3)[0][0] in store and Entry("3.png", "other") not in store
    again = GalleryStore(store.folder)
    assert again.models == {"run": "a"} and again.lengths == LENGTHS
    check(again, range(10))
    again.add([], {way: np.empty((0, length)) for way, length in LENGTHS.items()})
    check(store, range(10))


def test_an_empty_gallery(tmp_path):
    snapshot = GalleryStore(tmp_path / "index", LENGTHS).snapshot()
    assert len(snapshot) == 0 and snapshot.vectors["photo"].shape == (0, 24)


def test_a_name_given_again_is_replaced(store):
    entries, vectors = some(3)
    store.add([Entry("3.png", "new")], {way: -rows for way, rows in vectors.items()})
    snapshot = store.snapshot()
    place = [entry.name for entry in snapshot.entries].index("3.png")
    assert len(snapshot) == 10 and snapshot.entries[place].sha256 == "new" and entries[0] not in store
    np.testing.assert_array_equal(snapshot.vectors["photo"][snapshot.rows[place]], -vectors["photo"][0])


def test_removal_is_for_good(store):
    row = bytes(vector(4, 24).data)
    files = [path for path in store.folder.iterdir()]
    assert any(row in path.read_bytes() for path in files) and any(b"4.png" in path.read_bytes() for path in files)
    store.remove(["4.png", "7.png"])
    check(store, set(range(10)) - {4, 7})
    for path in store.folder.iterdir():
        assert row not in path.read_bytes() and b"4.png" not in path.read_bytes(), path
    with pytest.raises(
        UserError, match="2 of 3 names are not in the gallery .* nothing was removed; the first is '4.png'"
    ):
        store.remove(["4.png", "5.png", "x"])
    check(store, set(range(10)) - {4, 7})


def test_a_row_is_never_used_again_before_a_compaction(store):
    """Another process may still read it as it was."""
    store.remove(["9.png"])
    store.add(*some(20))
    assert store.snapshot().rows.tolist() == [*range(9), 10]


def test_the_vectors_of_many_removed_are_given_back_to_the_disk(store):
    other = GalleryStore(store.folder)
    before = other.snapshot()
    store.remove([f"{number}.png" for number in range(1, 8)])
    assert {path.name for path in store.folder.glob("vectors*")} == {"vectors-2.photo.f32", "vectors-2.sketch.f32"}
    assert (store.folder / "vectors-2.photo.f32").stat().st_size == 3 * 24 * 4
    for one in (store, other, GalleryStore(store.folder)):
        check(one, (0, 8, 9))
    # what was mapped before is still there for whoever reads it
    np.testing.assert_array_equal(before.vectors["photo"][9], vector(9, 24))
    store.add(*some(30, 31))
    check(other, (0, 8, 9, 30, 31))


# ---------------------------------------------------------------- killed, full, damaged

ADDING = """
import sys
from test_gallery_store import GalleryStore, LENGTHS, some
store = GalleryStore(sys.argv[1], LENGTHS)
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
        cwd=ROOT / "tests",
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
    )


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
        numbers = set(held(GalleryStore(folder)))
        assert numbers >= found | acknowledged
        new = numbers - found
        assert len(new) < 1000 and len(new) % 20 == 0, (
            "it was killed in the middle, and a batch is there wholly or not at all"
        )
        found = numbers
    check(GalleryStore(folder), found)


def test_two_processes_add_at_once(tmp_path):
    processes = [adding(tmp_path / "index", first, 200) for first in (0, 200)]
    assert [process.communicate()[0].split()[-1] for process in processes] == ["200", "200"]
    check(GalleryStore(tmp_path / "index"), range(400))


@pytest.mark.parametrize("broken", ["insert", "set", "forget"])
def test_an_addition_that_fails_leaves_nothing(store, monkeypatch, broken):
    with monkeypatch.context() as patch:
        patch.setattr(Names, broken, lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(UserError, match="cannot be used: .*No space left on device"):
            store.add(*some(*range(10, 20)))
    check(store, range(10))
    store.add(*some(50, 51))  # over the rows that were written
    check(store, [*range(10), 50, 51])


def test_vectors_are_on_the_disk_before_the_names(store, monkeypatch):
    done = []
    sync, insert = VectorFile.sync, Names.insert
    monkeypatch.setattr(VectorFile, "sync", lambda self: (done.append(self.path.name), sync(self)))
    monkeypatch.setattr(Names, "insert", lambda self, *rest: (done.append("names"), insert(self, *rest)))
    store.add(*some(60))
    assert done == ["vectors-1.photo.f32", "vectors-1.sketch.f32", "names"]


def test_a_removal_that_was_killed_before_the_zeros_is_made_good(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(GalleryStore, "_erase", lambda self: None)
        store.remove(["4.png"])
    row = bytes(vector(4, 24).data)
    assert row in (store.folder / "vectors-1.photo.f32").read_bytes()
    GalleryStore(store.folder).add(*some(70))
    assert row not in (store.folder / "vectors-1.photo.f32").read_bytes()
    check(store, {*range(10), 70} - {4})


def test_damage_is_found_and_named(store, tmp_path):
    path = store.folder / "vectors-1.photo.f32"
    data = bytearray(path.read_bytes())
    data[5 * 24 * 4] ^= 1
    path.write_bytes(data)
    assert GalleryStore(store.folder).damaged() == ["5.png"]
    path.write_bytes(data[:-1])
    with pytest.raises(UserError, match="vectors-1.photo.f32 is shorter than its 10 rows"):
        GalleryStore(store.folder).snapshot()
    path.unlink()
    with pytest.raises(UserError, match="its files of vectors are missing"):
        GalleryStore(store.folder).snapshot()
    (store.folder / "gallery.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(UserError, match="SQLite says 'file is not a database'"):
        GalleryStore(store.folder)


def test_what_is_no_gallery_is_refused(tmp_path):
    with pytest.raises(UserError, match="There is no gallery in .*gallery build PHOTOS"):
        GalleryStore(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(UserError, match="holds other files and no gallery"):
        GalleryStore(tmp_path, LENGTHS)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/gallery.sqlite").write_bytes(b"")  # killed before its first commit
    with pytest.raises(UserError, match="its format is None, not 1"):
        GalleryStore(tmp_path / "empty")
    check(GalleryStore(tmp_path / "empty", LENGTHS), ())


def test_a_writer_that_waits_too_long_says_so(store, monkeypatch):
    import iacyclegan_tf.search.names as names

    monkeypatch.setattr(names, "_WAIT", 0.05)
    other = GalleryStore(store.folder)
    with store._names.transaction():
        with pytest.raises(UserError, match="SQLite says 'database is locked'"):
            other.add(*some(80))
        check(other, range(10))  # readers go on


def test_vectors_that_do_not_fit_are_refused(store):
    entries, vectors = some(1)
    for wrong in ({**vectors, "photo": vectors["sketch"]}, {**vectors, "photo": np.full((1, 24), np.nan)}):
        with pytest.raises(ValueError, match="1 finite embeddings of 24 numbers"):
            store.add(entries, wrong)


# ---------------------------------------------------------------- search


def test_search_is_exact_also_after_removals(tmp_path):
    store = GalleryStore(tmp_path / "index", LENGTHS)
    store.add(*some(*range(300)))
    probes = {way: vector(1000, length) for way, length in LENGTHS.items()}
    for removed in ((), range(0, 100, 3)):
        store.remove([f"{number}.png" for number in removed])
        snapshot = store.snapshot()
        numbers = [int(entry.name.removesuffix(".png")) for entry in snapshot.entries]
        scores = cosines(snapshot, probes)
        for way, length in LENGTHS.items():
            expected = [
                float(np.dot(vector(n, length).astype(np.float64), probes[way].astype(np.float64))) for n in numbers
            ]
            np.testing.assert_allclose(scores[way], expected, atol=1e-6)
            names = [entry.name for entry in snapshot.entries]
            found = best(scores[way], names, 20)
            assert found.tolist() == sorted(range(len(numbers)), key=lambda i: -expected[i])[:20]
    assert len(store) == 300 - 34


def test_equal_scores_are_ordered_by_name_wherever_the_cut_falls():
    scores, names = np.array([1.0, 2.0, 1.0, 1.0, 0.0]), ["d", "z", "b", "c", "a"]
    assert [best(scores, names, top).tolist() for top in (1, 2, 3, 9)] == [[1], [1, 2], [1, 2, 3], [1, 2, 3, 0, 4]]


def test_a_gallery_can_be_moved(store, tmp_path):
    store.close()
    shutil.move(store.folder, tmp_path / "elsewhere")
    check(GalleryStore(tmp_path / "elsewhere"), range(10))
