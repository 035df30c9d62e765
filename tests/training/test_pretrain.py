"""The command on a made-up folder of people, and ``train`` with that folder: measured, resumed bit for bit, refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import in_process
import numpy as np
import pytest
import tensorflow as tf
import tiny
from made_up_people import write_people

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.people.folder import read_people
from iacyclegan_tf.metrics import rank1_by_gallery_choice
from iacyclegan_tf.models.build import build_recognizer, load_weights
from iacyclegan_tf.models.recognizer_file import read_recognizer
from iacyclegan_tf.training.people_phase import origin, same_photos
from iacyclegan_tf.training.run_folder import RunFolder
from iacyclegan_tf.weights import main

SMALL = [
    "data.height=32",
    "data.width=32",
    "recognizer.width=0.0625",
    "recognizer.input_size=32",
    "recognizer.people.steps=12",
    "recognizer.people.people=3",
    "train.checkpoint_steps=3",
    "train.log_steps=4",
]


def run(*arguments) -> subprocess.CompletedProcess:
    """In this process, where threads and determinism are settled already."""
    return in_process.run("pretrain", *arguments, *SMALL, "train.intra_op_threads=0", "train.deterministic=false")


def killed_when(command: list[str], there) -> str:
    """Starts ``command``, kills it as soon as ``there()``; its output. Fails when it ends by itself."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while process.poll() is None and not there():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, output
    return output


def saved(checkpoints: Path) -> bool:
    """Whether a state is complete: until it is, its folder's name is no number."""
    return any(path.parent.name.isdigit() for path in checkpoints.glob("**/state.index"))


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "faces", people=7, photos=4)


@pytest.fixture(scope="module")
def trained(people, tmp_path_factory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("trained") / "mine.npz"
    result = run(people, "--train", "s1-s4", "--test", "s5-s7", "--out", out)
    assert result.returncode == 0, result.stdout + result.stderr
    return out, result.stdout


def arrays(path: Path) -> dict:
    return read_recognizer(path).arrays


def test_what_is_written_and_said(trained, people):
    out, said = trained
    result = json.loads(out.with_suffix(".json").read_text())
    assert result["tested_on"]["people"] == 3 and result["tested_on"]["photos"] == 12
    assert result["trained_on"]["people"] == 4 and result["trained_on"]["settings"]["steps"] == 12
    assert set(result["rank1"]) == {"raw pixels, standardised", "HOG", "this recognizer"}
    for values in result["rank1"].values():
        assert len(values["choices"]) == 4 and values["mean"] == pytest.approx(np.mean(values["choices"]))
        assert values["least"] == min(values["choices"]) and values["most"] == max(values["choices"])
    assert result["rank1"]["raw pixels, standardised"]["mean"] == 1.0  # the patterns are easy
    for words in (
        "train: 4 people with 16 photos",
        "test: 3 people with 12 photos",
        "this recognizer",
        "step 12/12",
        f"recognizer.weights={out}",
    ):
        assert words in said, said
    assert not list((out.parent / "mine.pretrain" / "checkpoints").glob("**/state.index"))
    lines = [json.loads(line) for line in (out.parent / "mine.pretrain" / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12] and all({"loss", "accuracy"} <= set(line) for line in lines)


def test_the_recognizer_in_the_file_gives_the_measured_numbers(trained, people):
    out, _ = trained
    recognizer = build_recognizer(load_config(None, SMALL), "recognizer")
    load_weights(recognizer, str(out))
    test = read_people(people, "s5-s7")
    photos = np.stack([cv2.resize(photo, (32, 32), interpolation=cv2.INTER_CUBIC) for photo in test.photos])
    vectors = recognizer(photos.astype(np.float32) / 127.5 - 1.0).numpy()
    measured = json.loads(out.with_suffix(".json").read_text())["rank1"]["this recognizer"]["mean"]
    assert rank1_by_gallery_choice(vectors @ vectors.T, test.identities).mean() == pytest.approx(measured, abs=0.06)


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_weights(people, tmp_path):
    def command(folder: str) -> list[str]:
        (tmp_path / folder).mkdir(exist_ok=True)
        options = [people, "--train", "s1-s4", "--test", "s5-s7", "--out", tmp_path / folder / "mine.npz"]
        return [sys.executable, "-m", "iacyclegan_tf.pretrain", *map(str, options), *SMALL]

    killed_when(command("killed"), lambda: saved(tmp_path / "killed/mine.pretrain/checkpoints"))
    assert not (tmp_path / "killed/mine.npz").exists()
    results = [subprocess.run(command(one), capture_output=True, text=True) for one in ("killed", "unbroken")]
    assert [result.returncode for result in results] == [0, 0], results
    assert "goes on from step" in results[0].stdout
    one, two = (arrays(tmp_path / folder / "mine.npz") for folder in ("killed", "unbroken"))
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)
    history = [tmp_path / folder / "mine.pretrain/history.jsonl" for folder in ("killed", "unbroken")]
    assert history[0].read_text() == history[1].read_text()


def test_the_same_command_again_measures_only(trained, people):
    out, _ = trained
    before = out.read_bytes()
    result = run(people, "--train", "s1-s4", "--test", "s6,s7", "--out", out)
    assert result.returncode == 0 and "is trained" in result.stdout and "step 12" not in result.stdout
    assert json.loads(out.with_suffix(".json").read_text())["tested_on"]["people"] == 2
    assert out.read_bytes() == before
    run(people, "--train", "s1-s4", "--test", "s5-s7", "--out", out)


def test_weights_shows_what_is_in_the_file(trained, capsys):
    assert main([str(trained[0])]) == 0
    said = capsys.readouterr().out
    for words in ("pool4", "0.0625", "'people': 4", "fingerprint"):
        assert words in said
    assert main([str(trained[0]), "--write", "other.npz"]) == 2


def test_a_savedmodel_gives_the_measured_numbers(trained, people, tmp_path):
    assert main([str(trained[0]), "--write", str(tmp_path / "served" / "1")]) == 0
    test, served = read_people(people, "s5-s7"), tf.saved_model.load(str(tmp_path / "served" / "1"))
    photos = tf.constant(np.stack(test.photos), tf.float32)
    vectors = served.signatures["tensor"](images=photos)["embedding"].numpy()
    measured = json.loads(trained[0].with_suffix(".json").read_text())["rank1"]["this recognizer"]["choices"]
    assert rank1_by_gallery_choice(vectors @ vectors.T, test.identities).tolist() == measured


@pytest.mark.parametrize(
    "root, out, arguments, words",
    [
        ("faces", "a.npz", ["--test", "s1-s3", "--train", "s3-s7"], ["1 people are both trained and tested on", "s3"]),
        ("faces", "a.npz", ["--test", "s1-s9", "--train", "bob"], ["'bob' names nobody"]),
        ("faces", "a.npz", ["--test", "s1-s9"], ["Nobody is left to train on"]),
        ("faces", "a.npz", ["--train", "s1"], ["at least 2 with 2 photos each"]),
        ("faces", "a.npz", ["recognizer.people.photos=1"], ["recognizer.people", "at least 2"]),
        ("faces", "a.npz", ["recognizer.people.step=1"], ["Did you mean recognizer.people.steps"]),
        ("faces", "a.npz", ["recognizer.weights=vgg.npz"], ["recognizer.weights and recognizer.pretrain_root"]),
        ("faces", "a.npz", ["--config", "no.yaml"], ["no.yaml", "does not exist"]),
        ("nowhere", "a.npz", [], ["nowhere does not exist"]),
        (".", "a.npz", [], ["holds no sub-folders"]),
        ("faces", "a.h5", [], ["must end in .npz"]),
        ("faces", "a\x1bb.npz", [], ["name is 'a\\x1bb.pretrain'"]),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(people, tmp_path, root, out, arguments, words):
    root = people if root == "faces" else tmp_path / root
    in_process.refused(run(root, "--out", tmp_path / out, *arguments), *words)
    assert not (tmp_path / out).exists()


def test_a_run_does_not_go_on_with_other_photos(people, tmp_path):
    config, root = Config(runs_dir=str(tmp_path)), write_people(tmp_path / "faces", people=2, photos=2)
    for _ in range(2):
        same_photos(RunFolder(config), origin(config, read_people(root), Fit("squeeze", 32, 32)))
    (root / "s1" / "2.pgm").write_bytes((root / "s1" / "1.pgm").read_bytes())  # the same name, another picture
    with pytest.raises(UserError, match="was begun with other photos of people"):
        same_photos(RunFolder(config), origin(config, read_people(root), Fit("squeeze", 32, 32)))
    (tmp_path / "quickstart/people.json").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"people\.json cannot be read"):
        same_photos(RunFolder(config), origin(config, read_people(root), Fit("squeeze", 32, 32)))


def test_another_request_for_the_same_file_is_refused(trained, people):
    out, _ = trained
    result = run(people, "--train", "s1-s3", "--test", "s5-s7", "--out", out)
    in_process.refused(result, "recognizer.pretrain_people", "another --out")


# ---------------------------------------------------------------- inside train


def tensors(state: Path) -> dict:
    reader = tf.train.load_checkpoint(str(state))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "_OBJECT_GRAPH" not in name}


def until_the_first_recognizer(folder: Path, *more: str) -> tuple[str, Path]:
    """Trains until Φ0 is there, then kills the run; what it said, and Φ0's folder."""
    first = folder / "runs/tiny/recognizer_0"
    return killed_when(tiny.command(folder, *more), first.exists), first


@pytest.mark.slow
def test_train_pretrains_on_the_folder_and_goes_on_after_a_kill(people, tmp_path):
    more = [
        f"recognizer.pretrain_root={people}",
        "recognizer.pretrain_people=s1-s5",
        "recognizer.people.steps=6",
        "recognizer.people.people=3",
    ]
    said, unbroken = until_the_first_recognizer(tmp_path / "one", *more)
    assert "5 people with 20 photos" in said and "recognizer_0/people: step 6/6" in said
    assert "recognizer_0/classification: step" in said
    made_from = json.loads((unbroken / "extra.json").read_text())
    assert made_from["people"]["photos"] == 20 and "kept" in made_from
    killed_when(
        tiny.command(tmp_path / "two", *more), lambda: saved(tmp_path / "two/runs/tiny/checkpoints/recognizer_0/people")
    )
    said, resumed = until_the_first_recognizer(tmp_path / "two", *more)
    assert "recognizer_0/people: goes on from step" in said
    one, two = tensors(unbroken / "state"), tensors(resumed / "state")
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.slow
def test_train_takes_the_weights(trained, tmp_path):
    _, first = until_the_first_recognizer(
        tmp_path, f"recognizer.weights={trained[0]}", "recognizer.pretrain.triplet_steps=0"
    )
    saved, file = tensors(first / "state"), arrays(trained[0])
    assert any(np.array_equal(value, file["conv1_1/kernel"]) for value in saved.values() if value.shape == (3, 3, 3, 8))


@pytest.mark.slow
def test_with_the_papers_order_the_weights_stay_as_they_are_and_get_centres(trained, tmp_path):
    _, first = until_the_first_recognizer(
        tmp_path, f"recognizer.weights={trained[0]}", "rounds.schedule=generator_first", "recognizer.centred=true"
    )
    saved, file = tensors(first / "state"), arrays(trained[0])
    kernels = {f"{name}/kernel" for name in ("conv1_1", "conv2_2", "conv3_3")}
    assert all(any(np.array_equal(value, file[name]) for value in saved.values()) for name in kernels)
    (centres,) = [value for name, value in saved.items() if "/centres/" in name]
    assert centres.shape[0] == 4 and all(np.any(centre) for centre in centres)
    assert json.loads((first / "extra.json").read_text()) == {"weights": str(trained[0])}


def in_train(folder: Path, *more: str) -> subprocess.CompletedProcess:
    return in_process.run(
        "train", *tiny.arguments(folder, "train.intra_op_threads=0", "train.deterministic=false", *more)
    )


def test_train_names_the_settings_that_the_weights_need(trained, tmp_path):
    result = in_train(tmp_path, f"recognizer.weights={trained[0]}", "recognizer.embedding=pool5")
    in_process.refused(result, "recognizer.embedding is pool5, the file's is pool4")


def test_dry_run_reads_the_people(people, tmp_path):
    people = [f"recognizer.pretrain_root={people}", "recognizer.pretrain_people=s2-s4"]
    result = in_train(tmp_path, *people, "--dry-run", "--no-timing")
    assert result.returncode == 0 and "3 people with 12 photos" in result.stdout, result.stderr
