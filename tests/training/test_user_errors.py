"""A user's mistake is one clear sentence that names the thing, exit code 2, and no stack trace."""

import subprocess
from pathlib import Path

import cv2
import in_process
import pytest
import tiny
from in_process import refused

from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.training.run_folder import RunFolder

DRY = ("data.height=32", "data.width=32", "--dry-run", "--no-timing")


def places(folder: Path) -> list[str]:
    # threads and determinism are settled once a process
    return [
        f"runs_dir={folder / 'runs'}",
        f"savedmodels_dir={folder / 'savedmodels'}",
        "name=wrong",
        "train.intra_op_threads=0",
        "train.deterministic=false",
    ]


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return in_process.run("train", *places(folder), *arguments)


@pytest.fixture
def pairs(tmp_path) -> Path:
    """14 drawn pairs in two splits, as a user's own folders."""
    for split, first, count in (("train", 0, 10), ("dev", 20, 4)):
        for i in range(first, first + count):
            for kind, image in zip(("photos", "sketches"), draw_pair(i, 0, seed=1, height=50, width=40)):
                path = tmp_path / "faces" / split / kind / f"p{i:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), image[..., ::-1])
    return tmp_path / "faces"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["data.height=82"], ["data.height", "82", "divisible by 4"]),
        (["generator.blocks=100000"], ["generator.blocks=100000", "GB of memory"]),
        (["data.source=pairs", "data.root=/no/such/folder"], ["/no/such/folder"]),
        (["data.source=pairs"], ["data.root"]),
        (["discriminator.layers=7"], ["discriminator.layers=7", "80"]),
        (["distribute.devices=GPU:7"], ["GPU:7", "CPU:0"]),
        (["recognizer.weights=/no/such.h5"], ["/no/such.h5"]),
        (["data.drawn.train_people=2"], ["people", "at least 2"]),
        (["data.source=drawn", "data.in_memory=false"], ["data.in_memory is false", "data.source=pairs"]),
        (['name="a\\0b"'], ["name is 'a\\x00b'", "a plain folder name"]),
        (['runs_dir="a\\eb"'], ["runs_dir is 'a\\x1bb'", "control characters"]),
    ],
)
def test_settings(tmp_path, arguments, words):
    refused(train(tmp_path, "data.drawn.train_people=6", "data.drawn.test_people=2", *arguments), *words)


def test_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(train(tmp_path, "data.source=pairs", f"data.root={tmp_path / 'empty'}"), str(tmp_path / "empty"))


def test_run_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    refused(train(tmp_path), str(tmp_path / "runs"), "runs_dir")


def test_unreadable_images_are_listed_and_can_be_left_out(pairs, tmp_path):
    (pairs / "train/photos/p03.png").write_bytes((pairs / "train/photos/p03.png").read_bytes()[:200])
    (pairs / "dev/sketches/p21.png").write_bytes(b"")
    arguments = ["data.source=pairs", f"data.root={pairs}", *DRY]
    result = train(tmp_path, *arguments)
    refused(result, "2 of 28", "p03.png", "p21.png", "data.skip_bad=true")
    result = train(tmp_path, *arguments, "data.skip_bad=true")
    assert result.returncode == 0, result.stderr
    assert "train 9 = 7 fit + 2 validation" in result.stdout and "dev 3" in result.stdout and "p03.png" in result.stdout


def test_orphans_are_listed_and_nothing_is_mispaired(pairs, tmp_path):
    """A name that would steer the terminal is shown as text."""
    (pairs / "train/sketches/p05.png").unlink()
    (pairs / "train/photos/p06.png").rename(pairs / "train/photos/p06\x1b[31m.png")
    result = train(tmp_path, "data.source=pairs", f"data.root={pairs}", *DRY)
    assert result.returncode == 0 and "photo without a sketch" in result.stdout and "p05.png" in result.stdout
    assert "train 8 = 6 fit + 2 validation" in result.stdout
    assert "p06\\x1b[31m.png" in result.stdout and "\x1b" not in result.stdout


def test_dry_run_prints_everything_and_writes_nothing(tmp_path):
    result = train(tmp_path, *tiny.RUN, "--dry-run", "--no-timing")
    assert result.returncode == 0, result.stderr
    for words in (
        "perception_layer",
        "train 8 = 6 fit + 2 validation",
        "test 4",
        "photo_to_sketch",
        "sketch_discriminator",
        "recognizer",
        "estimated peak memory",
        "12 steps of synthesis",
    ):
        assert words in result.stdout, words
    assert not (tmp_path / "runs").exists() and not (tmp_path / "savedmodels").exists()


def test_all_images_are_checked_before_work_starts_and_finished_work_stays(pairs, tmp_path):
    """A bad file that appears between two starts of a run stops the second start and takes nothing away."""
    arguments = [*(one for one in tiny.RUN if "drawn" not in one), "data.source=pairs", f"data.root={pairs}"]
    folder = RunFolder(load_config(None, [*places(tmp_path), *arguments]))
    for name in ("round_1/networks/state.index", "checkpoints/round_1/synthesis/000000002/state.index", "data.json"):
        folder.write_json(folder.path / name, {"finished": 1})
    kept = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file() and path.name != ".lock"}
    (pairs / "train/photos/p03.png").write_bytes(b"broken")
    refused(train(tmp_path, *arguments), "p03.png")
    assert len(kept) == 4 and [path for path, data in kept.items() if path.read_bytes() != data] == []


@pytest.mark.parametrize("damage", [b"{", b"\xff", b"[]"])
def test_a_damaged_file_of_the_run_is_named(pairs, tmp_path, damage):
    arguments = [*(one for one in tiny.RUN if "drawn" not in one), "data.source=pairs", f"data.root={pairs}"]
    folder = RunFolder(load_config(None, [*places(tmp_path), *arguments]))
    (folder.path / "data.json").write_bytes(damage)
    refused(train(tmp_path, *arguments), str(folder.path / "data.json"), "cannot be read")
