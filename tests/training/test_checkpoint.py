"""Saved states: whole or not there, damage seen and stepped over; every module comes back as it was."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from golden import GOLDEN, STATELESS, discriminator, generator, recognizer

from iacyclegan_tf.common.atomic_files import new_folder, write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.saved_state import Damaged, read_folder, write_folder
from iacyclegan_tf.training.engine.checkpoints import CheckpointStore


class State:
    """A number and a vector that can be told apart from step to step."""

    def __init__(self, step: int = 0):
        self.number, self.vector = tf.Variable(step), tf.Variable(tf.fill([1000], float(step)))
        self.objects = tf.train.Checkpoint(number=self.number, vector=self.vector)

    def set(self, step: int) -> tf.train.Checkpoint:
        self.number.assign(step)
        self.vector.assign(tf.fill([1000], float(step)))
        return self.objects

    def holds(self, step: int) -> bool:
        return self.number.numpy() == step and (self.vector.numpy() == step).all()


@pytest.fixture
def store(tmp_path) -> CheckpointStore:
    """States of the steps 10 and 20."""
    store, state = CheckpointStore(tmp_path / "checkpoints"), State()
    for step in (10, 20):
        store.save(step, state.set(step), {"window": {"count": step}})
    return store


def data_file(store: CheckpointStore, step: int) -> Path:
    (path,) = (store.folder / f"{step:09d}").glob("state.data-*")
    return path


def flip_bit(path: Path, place: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# ---------------------------------------------------------------- the store


def test_newest_state_is_restored_with_its_json(store):
    state = State()
    assert store.restore(state.objects) == {"window": {"count": 20}, "step": 20}
    assert state.holds(20) and store.steps() == [10, 20]


def test_only_the_last_are_kept_and_steps_sort_as_numbers(tmp_path):
    store = CheckpointStore(tmp_path / "checkpoints", keep=3)
    for step in (3, 4, 999_999_999, 5, 1_000_000_000):
        store.save(step, State().set(step), {})
    assert store.steps() == [5, 999_999_999, 1_000_000_000]
    assert sorted(path.name for path in store.folder.iterdir()) == ["000000005", "1000000000", "999999999"]
    state = State()
    store.restore(state.objects)
    assert state.holds(1_000_000_000)


def test_nothing_saved_or_all_cleared_restores_nothing(store, tmp_path):
    state = State(7)
    store.clear()
    store.clear()  # once more does no harm
    for one in (store, CheckpointStore(tmp_path / "none")):
        assert one.restore(state.objects) is None and state.holds(7) and not one.folder.exists()


DAMAGES = {
    "data truncated": lambda store, step: truncate(data_file(store, step)),
    "data empty": lambda store, step: data_file(store, step).write_bytes(b""),
    "bit flipped early": lambda store, step: flip_bit(data_file(store, step), 0.2),
    "bit flipped late": lambda store, step: flip_bit(data_file(store, step), 0.95),
    "data missing": lambda store, step: data_file(store, step).unlink(),
    "index truncated": lambda store, step: truncate(store.folder / f"{step:09d}/state.index"),
    "index flipped": lambda store, step: flip_bit(store.folder / f"{step:09d}/state.index", 0.3),
    "index missing": lambda store, step: (store.folder / f"{step:09d}/state.index").unlink(),
    "json truncated": lambda store, step: truncate(store.folder / f"{step:09d}/extra.json"),
    "json missing": lambda store, step: (store.folder / f"{step:09d}/extra.json").unlink(),
    "json not UTF-8": lambda store, step: (store.folder / f"{step:09d}/extra.json").write_bytes(b"\xff{}"),
    "json of another step": lambda store, step: (store.folder / f"{step:09d}/extra.json").write_text('{"step": 24}'),
    "json no object": lambda store, step: (store.folder / f"{step:09d}/extra.json").write_text("7"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_state_is_said_and_the_one_before_it_used(store, damage):
    DAMAGES[damage](store, 20)
    state, said = State(), []
    assert store.restore(state.objects, said.append) == {"window": {"count": 10}, "step": 10}
    assert state.holds(10)
    assert len(said) == 1 and "000000020" in said[0] and "The one before it is used." in said[0]
    assert store.steps() == [10]  # the damaged one is set aside, not tried again and not lost
    assert (store.folder / "damaged-000000020").is_dir()


def test_all_damaged_is_an_error_also_when_tried_again(store):
    """The same command started twice must not begin anew the second time."""
    for step in (10, 20):
        truncate(data_file(store, step))
    for _ in range(2):
        with pytest.raises(UserError, match=f"No checkpoint under {store.folder} can be read; remove that folder"):
            store.restore(State().objects, lambda sentence: None)


def whole_but(store, fault: str) -> tf.train.Checkpoint:
    """The newest state's files are those that were written, and yet it cannot be restored into what this gives."""
    newest = store.folder / "000000020"
    if fault == "other networks":
        return tf.train.Checkpoint(number=tf.Variable(1), other=tf.Variable(2))
    if fault == "no memory":
        objects = State().objects
        objects.read = lambda path: (_ for _ in ()).throw(tf.errors.ResourceExhaustedError(None, None, "no memory"))
        return objects
    if fault == "renamed by hand":
        newest.rename(store.folder / "000000030")
    return State().objects


@pytest.mark.parametrize("fault", ["other networks", "no memory", "renamed by hand"])
def test_a_state_whose_sums_match_stays_whatever_its_reading_says(store, fault):
    objects = whole_but(store, fault)
    before = sorted(path.name for path in store.folder.iterdir())
    with pytest.raises(UserError, match=r"The saved state .*(files are whole|it is of step 20)") as error:
        store.restore(objects, lambda sentence: None)
    assert "\n" not in str(error.value) and not isinstance(error.value, Damaged)
    assert sorted(path.name for path in store.folder.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_state_without_permission_stays(store):
    path = data_file(store, 20)
    path.chmod(0)
    with pytest.raises(UserError, match="Permission denied"):
        store.restore(State().objects, lambda sentence: None)
    assert path.exists()


@pytest.mark.parametrize("name", ["lr[1e-4]", "a*b?c", "back\\slash"])
def test_a_run_goes_on_under_a_name_that_is_a_pattern(tmp_path, name):
    store = CheckpointStore(tmp_path / name / "checkpoints")
    for step in (10, 20):
        store.save(step, State().set(step), {})
    state = State()
    assert store.restore(state.objects, lambda sentence: pytest.fail(sentence)) == {"step": 20} and state.holds(20)


def test_the_same_step_may_be_damaged_twice(store):
    """After the first damage training goes on from step 10 and saves step 20 again."""
    for _ in range(2):
        truncate(data_file(store, 20))
        state = State()
        assert store.restore(state.objects, lambda sentence: None)["step"] == 10
        store.save(20, state.set(20), {"window": {"count": 20}})
    assert store.steps() == [10, 20]


def test_leftovers_of_a_killed_save_are_ignored_and_cleared(store):
    leftover = store.folder / ".000000030.partial"
    leftover.mkdir()
    (leftover / "state.index").write_bytes(b"half")
    state = State()
    assert store.restore(state.objects)["step"] == 20
    store.save(30, state.set(30), {})
    assert store.steps() == [20, 30] and not leftover.exists()
    assert store.restore(State().objects)["step"] == 30


@pytest.mark.slow
def test_kill_in_the_midst_of_saving_leaves_the_last_whole_state(tmp_path):
    """A process saves without end and is killed; whatever was whole can be read, and nothing else counts."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        import tensorflow as tf
        from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
        store, vector = CheckpointStore(Path(sys.argv[1])), tf.Variable(tf.zeros([300_000]))
        objects = tf.train.Checkpoint(vector=vector)
        for step in range(1, 10_000):
            vector.assign(tf.fill([300_000], float(step)))
            store.save(step, objects, {})
            if step == 3:
                print("saving", flush=True)
    """)
    for delay in (0.05, 0.063):
        folder = tmp_path / f"after {delay}"
        process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "saving\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        vector, said = tf.Variable(tf.zeros([300_000])), []
        extra = CheckpointStore(folder).restore(tf.train.Checkpoint(vector=vector), said.append)
        assert extra["step"] >= 3 and (vector.numpy() == extra["step"]).all() and not said


# ---------------------------------------------------------------- one folder


def test_write_and_read_folder(tmp_path):
    write_folder(tmp_path / "deep" / "state", State().set(3), {"a": [1.5, "ü"]})
    state = State()
    assert read_folder(tmp_path / "deep" / "state", state.objects) == {"a": [1.5, "ü"]} and state.holds(3)


def test_an_existing_folder_is_not_changed(tmp_path):
    write_folder(tmp_path / "state", State().set(3))
    with pytest.raises(UserError, match="state could not be written"):
        write_folder(tmp_path / "state", State().set(4))
    state = State()
    read_folder(tmp_path / "state", state.objects)
    assert state.holds(3) and not list(tmp_path.glob(".*"))


def test_a_refusing_disk_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"could not be written.*Everything saved before is still there"):
        write_folder(tmp_path / "file" / "state", State().objects)


def test_missing_folder_is_damage(tmp_path):
    with pytest.raises(Damaged, match="nowhere cannot be read"):
        read_folder(tmp_path / "nowhere", State().objects)


@pytest.mark.parametrize(
    "saved, wanted",
    [
        (lambda: discriminator(layers=2), lambda: discriminator(layers=3)),
        (lambda: generator(), lambda: generator(upsampling_kind="transpose")),
        (lambda: recognizer(), lambda: recognizer(normalization="batch")),
        (lambda: recognizer(normalization="batch"), lambda: recognizer()),
        (lambda: discriminator(), lambda: generator()),
    ],
    ids=["layers", "upsampling", "norms wanted", "norms saved", "another network"],
)
def test_a_state_of_another_build_is_a_user_error(tmp_path, saved, wanted):
    write_folder(tmp_path / "state", tf.train.Checkpoint(network=saved()))
    with pytest.raises(
        UserError, match=r"The saved state .*state cannot be read, though its files are whole: .+"
    ) as error:
        read_folder(tmp_path / "state", tf.train.Checkpoint(network=wanted()))
    assert "\n" not in str(error.value)


def test_a_state_that_lacks_an_object_is_a_user_error(tmp_path):
    write_folder(tmp_path / "state", tf.train.Checkpoint(number=tf.Variable(1)))
    with pytest.raises(UserError, match="cannot be read"):
        read_folder(tmp_path / "state", State().objects)


# ---------------------------------------------------------------- files


def test_write_text_replaces_and_makes_folders(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "first")
    write_text(path, "zweite Zeile ü\n")
    assert path.read_text(encoding="utf-8") == "zweite Zeile ü\n" and [p.name for p in path.parent.iterdir()] == [
        "b.txt"
    ]


def test_write_text_that_fails_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "b.txt"
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_new_folder_is_there_only_when_it_is_whole(tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(RuntimeError), new_folder(folder) as aside:
        (aside / "half").write_text("")
        assert not folder.exists() and aside.name.startswith(".")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with new_folder(folder) as aside:
        (aside / "deep").mkdir()
        (aside / "deep" / "whole").write_text("x")
    assert (folder / "deep" / "whole").read_text() == "x" and list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileExistsError), new_folder(folder):
        raise AssertionError("an existing folder must not be begun")


def test_new_folder_clears_what_a_kill_left(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").write_text("")
    with new_folder(tmp_path / "out") as aside:
        (aside / "new").write_text("")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["new"]


# ---------------------------------------------------------------- every module


@pytest.mark.parametrize("name", GOLDEN)
def test_every_module_comes_back_from_a_checkpoint(name, tmp_path):
    saved, fresh = GOLDEN[name](1), GOLDEN[name](2)
    before = saved()
    assert (name in STATELESS) == np.array_equal(fresh(), before)
    write_folder(tmp_path / "state", tf.train.Checkpoint(module=saved.module))
    read_folder(tmp_path / "state", tf.train.Checkpoint(module=fresh.module))
    np.testing.assert_array_equal(fresh(), before)


QUICK = ("instance_normalization", "upsampling_transpose", "discriminator", "image_pool")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in GOLDEN]
)
def test_every_module_gives_in_a_graph_and_from_a_saved_model_what_it_gives_eagerly(name, tmp_path):
    golden = GOLDEN[name](1)
    eager, holder = golden(), tf.Module()
    holder.module = golden.module
    holder.run = tf.function(golden.run, input_signature=[tf.TensorSpec(golden.input.shape, golden.input.dtype)])
    np.testing.assert_allclose(holder.run(golden.input), eager, rtol=1e-4, atol=2e-5)
    tf.saved_model.save(holder, str(tmp_path / "saved"), signatures={"run": holder.run})
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.run(golden.input), eager, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("lost", [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError])
def test_a_worker_lost_in_a_save_is_no_fault_of_the_disk(tmp_path, lost):
    """Values that each worker keeps for itself are averaged while they are written. Nothing half-written stays."""

    class Dying:
        def write(self, path):
            Path(path).with_name("state.index").write_text("half")
            raise lost(None, None, "socket closed")

    with pytest.raises(lost):
        write_folder(tmp_path / "state", Dying())
    assert list(tmp_path.iterdir()) == []
