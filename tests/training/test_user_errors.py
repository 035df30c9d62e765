"""A user's mistake is one clear sentence that names the thing, exit code 2, and no stack trace."""

import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import tiny


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "iacyclegan_tf.train",
            f"runs_dir={folder / 'runs'}",
            "name=wrong",
            f"savedmodels_dir={folder / 'savedmodels'}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=400,
    )


def refused(result: subprocess.CompletedProcess, *words: str) -> None:
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr and result.stderr.startswith("error: ")
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture
def pairs(tmp_path) -> Path:
    """14 drawn pairs in two splits, as a user's own folders."""
    from iacyclegan_tf.data.drawn.faces import draw_pair

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
        (["train.epoch=4"], ["train.epoch", "Did you mean train.epochs?"]),
        (["train.epochs=four"], ["train.epochs", "'four'", "a whole number"]),
        (["data.height=82"], ["data.height", "82", "divisible by 4"]),
        (["generator.blocks=100000"], ["generator.blocks=100000", "GB of memory"]),
        (["data.source=pairs", "data.root=/no/such/folder"], ["/no/such/folder"]),
        (["data.source=pairs"], ["data.root"]),
        (["--config", "/no/such.yaml"], ["/no/such.yaml", "does not exist"]),
        (["discriminator.layers=7"], ["discriminator.layers=7", "80"]),
        (["distribute.devices=GPU:7"], ["GPU:7", "CPU:0"]),
        (["recognizer.weights=/no/such.h5"], ["/no/such.h5"]),
        (["data.drawn.train_people=2"], ["people", "at least 2"]),
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
    arguments = [
        "data.source=pairs",
        f"data.root={pairs}",
        "data.height=32",
        "data.width=32",
        "--dry-run",
        "--no-timing",
    ]
    result = train(tmp_path, *arguments)
    refused(result, "2 of 28", "p03.png", "p21.png", "data.skip_bad=true")
    result = train(tmp_path, *arguments, "data.skip_bad=true")
    assert result.returncode == 0, result.stderr
    assert "train 9 = 7 fit + 2 validation" in result.stdout and "dev 3" in result.stdout and "p03.png" in result.stdout


def test_orphans_are_listed_and_nothing_is_mispaired(pairs, tmp_path):
    (pairs / "train/sketches/p05.png").unlink()
    result = train(
        tmp_path,
        "data.source=pairs",
        f"data.root={pairs}",
        "data.height=32",
        "data.width=32",
        "--dry-run",
        "--no-timing",
    )
    assert result.returncode == 0 and "photo without a sketch" in result.stdout and "p05.png" in result.stdout
    assert "train 9 = 7 fit + 2 validation" in result.stdout


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
    own = [setting for setting in tiny.RUN if not setting.startswith("data.drawn")]
    arguments = [
        *own,
        "data.source=pairs",
        f"data.root={pairs}",
        "rounds.count=1",
        "rounds.finetune=false",
        "export.infra_validation=false",
    ]
    first = train(tmp_path, *arguments)
    assert first.returncode == 0, first.stdout + first.stderr
    (tmp_path / "savedmodels/wrong/photo_to_sketch/1").rename(tmp_path / "taken away")  # the round is not whole now
    kept = {
        path: path.read_bytes()
        for path in (tmp_path / "runs").rglob("*")
        if path.is_file() and "tensorboard" not in str(path) and path.name != ".lock"
    }  # it names the process that holds it
    (pairs / "train/photos/p03.png").write_bytes(b"broken")
    refused(train(tmp_path, *arguments), "p03.png")
    assert [path for path, data in kept.items() if path.read_bytes() != data] == []
