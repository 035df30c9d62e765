"""The evaluate command on a tiny run: its files, its report, TensorBoard, other pairs, and users' mistakes."""

import contextlib
import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from in_process import refused
from in_process import run as in_process

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.evaluate import evaluate as command
from iacyclegan_tf.evaluate import parse
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.result_files import read_round
from iacyclegan_tf.inference.runs import finished_rounds, open_run
from iacyclegan_tf.serving.signatures import SERVABLES


def evaluate(*arguments) -> str:
    """The command in this process; returns what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        command(parse([str(argument) for argument in arguments]))
    return said.getvalue()


@pytest.fixture(scope="module")
def work(tiny_run, tmp_path_factory) -> Path:
    """A copy of the tiny run that tests may write to; its exports stay where they are."""
    folder = tmp_path_factory.mktemp("evaluate")
    shutil.copytree(tiny_run / "runs", folder / "runs")
    return folder


@pytest.fixture(scope="module")
def evaluated(work) -> tuple[Path, str]:
    return work / "runs/tiny", evaluate(work / "runs/tiny")


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    """Pairs of 12 other people at 60×75, the proportions of 200×250, and photos of 5 more in a folder of their own."""
    from iacyclegan_tf.data.drawn.faces import draw_pair

    root = tmp_path_factory.mktemp("others")
    for i in range(21):
        photo, sketch = draw_pair(i, 0, seed=40, height=75, width=60)
        images = (
            {f"crowd/{i}.png": photo}
            if i >= 16
            else {
                f"pairs/{'train' if i < 4 else 'test'}/{side}/p{i}.png": image
                for side, image in (("photos", photo), ("sketches", sketch))
            }
        )
        for name, image in images.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / name), image[..., ::-1])
    return root


# ---------------------------------------------------------------- the run's own test people


def test_the_documented_keys_stay_and_have_the_values_of_training(evaluated, tiny_run):
    """What is served is what training measured: same keys, same numbers."""
    for number in (1, 2):
        before = json.loads((tiny_run / f"runs/tiny/round_{number}/metrics.json").read_text())
        after = json.loads((evaluated[0] / f"round_{number}/metrics.json").read_text())
        assert after["round"] == number
        for direction in ("photo_to_sketch", "sketch_to_photo"):
            assert after[direction]["ssim"] == pytest.approx(before[direction]["ssim"], abs=1e-4)
            for name in ("input", "mean_training_image"):
                assert after["trivial_baselines"][direction]["ssim"][name] == pytest.approx(
                    before["trivial_baselines"][direction]["ssim"][name], abs=1e-9
                )
        for way in WAYS:
            for name in ("rank1", "rank5", "mrr"):
                one, two = (metrics["retrieval"][way][name] for metrics in (before, after))
                assert two == pytest.approx(one, abs=1e-9), (way, name)
        assert before["protocol"].items() <= after["protocol"].items()


def test_every_measure_is_there(evaluated):
    metrics = json.loads((evaluated[0] / "round_2/metrics.json").read_text())
    assert set(metrics["photo_to_sketch"]) == {"ssim", "fsim", "sharpness"}
    assert set(metrics["sketch_to_photo"]) == {"ssim", "fsim", "sharpness", "fsimc"}
    for kind in ("retrieval", "hog"):
        assert set(metrics[kind]) == set(WAYS)
        for values in metrics[kind].values():
            assert {"rank1", "rank5", "rank10", "mrr", "margin", "d_prime", "vr_far_1", "vr_far_0.1"} <= set(values)
            assert values["vr_far_1"] is None and "at least 1000 impostor pairs" in values["refused"]["vr_far_1"]
    assert "32x32" in metrics["retrieval_face"]["not_measured"]  # drawn as squares, so there is no face-only crop
    assert 0 <= metrics["nlda"]["mean"] <= 1
    protocol = metrics["protocol"]
    assert protocol["settings"]["name"] == "tiny" and protocol["versions"]["tensorflow"] == version("tensorflow")
    # not the package keras, which is Keras 3 beside TensorFlow 2.21
    assert protocol["versions"]["keras"] == version("tf_keras" if find_spec("tf_keras") else "keras")
    for word in (
        "color",
        "fsim",
        "sharpness",
        "hog",
        "face_crop",
        "verification",
        "retrieval",
        "networks",
        "split_sha256",
    ):
        assert protocol[word]


def test_values_of_each_person_are_kept(evaluated):
    run, _ = evaluated
    with open(run / "round_1/people.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = json.loads((run / "round_1/metrics.json").read_text())
    assert len(rows) == len({row["identity"] for row in rows}) == metrics["protocol"]["test_people"] == 4
    for direction in ("photo_to_sketch", "sketch_to_photo"):
        for name, mean in metrics[direction].items():
            assert np.mean([float(row[f"{direction}.{name}"]) for row in rows]) == pytest.approx(mean)
    for kind, key in (("learned", "retrieval"), ("hog", "hog")):
        for way in WAYS:
            ranks = [int(row[f"rank.{kind}.whole.{way}"]) for row in rows]
            assert np.mean([rank == 1 for rank in ranks]) == metrics[key][way]["rank1"] and min(ranks) >= 1


class Pictures(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.sources, self.tags, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == "src":
                self.sources.append(value)
            elif name in ("href", "action", "data", "srcset"):
                self.links.append(value)


def test_the_report_is_one_file_that_needs_nothing_else(evaluated):
    text = (evaluated[0] / "report.html").read_text(encoding="utf-8")
    found = Pictures(text)
    beside = {link: evaluated[0] / link for link in found.links}
    assert {"round_2/people.csv", "config.yaml", "round_1/grid.png"} <= set(beside)
    assert all(path.is_file() for path in beside.values()) and not {"script", "link", "iframe", "object"} & set(
        found.tags
    )
    assert "url(" not in text and "@import" not in text and "http" not in re.sub(r"base64,[^']*", "", text)
    assert all(source.startswith(("data:image/png;base64,", "data:image/jpeg;base64,")) for source in found.sources)
    assert len(found.sources) > 30
    metrics = json.loads((evaluated[0] / "round_2/metrics.json").read_text())
    for words in (
        "<title>Evaluation of tiny</title>",
        metrics["protocol"]["split_sha256"],
        "round 1",
        "round 2",
        f"{metrics['photo_to_sketch']['fsim']:.4f}",
        "Cumulative match",
        "Receiver operating",
        "HOG, none",
        "Are the synthesized sketches better than what costs nothing?",
        "Did the rounds after round 1 help?",
        "Settings that are not the defaults",
        "Worst photos by SSIM",
        "Hardest searches",
        "face network (level2 of chips by landmarks",
        "class='tile true'",
        "prefers-color-scheme: dark",
    ):
        assert words in text, words


def test_the_same_goes_to_tensorboard_and_only_once(evaluated):
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, _ = evaluated
    evaluate(run, "--round", 2)
    events = EventAccumulator(str(run / "tensorboard/evaluation"), size_guidance={"tensors": 0})
    events.Reload()
    tags = events.Tags()["tensors"]
    metrics = [json.loads((run / f"round_{number}/metrics.json").read_text()) for number in (1, 2)]
    points = events.Tensors("photo_to_sketch/fsim")
    assert [point.step for point in points] == [1, 2]
    values = [float(tf.make_ndarray(point.tensor_proto)) for point in points]
    assert values == pytest.approx([one["photo_to_sketch"]["fsim"] for one in metrics])
    assert {
        "retrieval/fusion/d_prime",
        "identity_kept/photos/rank1",
        "nlda/mean",
        "Cumulative match characteristic",
    } <= set(tags)
    assert (run / "round_2/report.html").is_file()


def test_the_console_names_the_protocol_and_the_report(evaluated):
    for words in (
        "Synthesis",
        "Recognition, whole crop",
        "mean image",
        "since round 1",
        "optimistic by design",
        "report.html",
        "tensorboard --logdir",
        "too few pairs",
    ):
        assert words in evaluated[1], words


# ---------------------------------------------------------------- other pairs


def test_other_pairs_and_distractors_go_to_a_folder_of_their_own(work, evaluated, others):
    run, _ = evaluated
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = evaluate(
        run, "--data", others / "pairs", "--name", "elsewhere", "--distractors", others / "crowd", "--round", 2
    )
    assert all(path.read_bytes() == content for path, content in before.items())
    folder = run / "evaluations/elsewhere"
    metrics = json.loads((folder / "round_2/metrics.json").read_text())
    assert metrics["protocol"]["test_pairs"] == 12 and metrics["protocol"]["measured_at"] == ["60x75"]
    own = json.loads((run / "round_2/metrics.json").read_text())
    assert metrics["protocol"]["split_sha256"] != own["protocol"]["split_sha256"]
    assert set(metrics["retrieval_face"]) == set(metrics["hog_face"]) == set(WAYS)
    for way in WAYS:
        for k in (1, 5, 10):
            curve = metrics["gallery_size"][way][f"rank{k}"]
            assert curve["size"] == [12, 17]
            assert curve["mean"][0] == pytest.approx(metrics["retrieval"][way][f"rank{k}"])
            assert curve["mean"][1] <= curve["mean"][0]
    assert "Rank-1 against the gallery" in said and "face only" in said
    html = (folder / "round_2/report.html").read_text()
    assert "Evaluation of tiny on elsewhere" in html and "Rank-k against the gallery&#x27;s size" in html
    files = read_round(folder / "round_2", "")
    assert len(files.identities) == 12 and files.scores["learned.face.fusion"].shape == (12, 12)


def test_one_name_is_for_one_set_of_pairs(evaluated, others, tmp_path):
    shutil.copytree(others / "pairs", tmp_path / "pairs")
    for side in ("photos", "sketches"):
        (tmp_path / f"pairs/test/{side}/p15.png").unlink()
    with pytest.raises(UserError, match=r"holds an evaluation on other pairs .* --name"):
        evaluate(evaluated[0], "--data", tmp_path / "pairs", "--name", "elsewhere", "--round", 2)
    about = evaluated[0] / "evaluations/elsewhere/data.json"
    whole = about.read_bytes()
    for damage in (b"{", b"\xff", b"[]"):
        about.write_bytes(damage)
        with pytest.raises(UserError, match=r"data\.json cannot be read"):
            evaluate(evaluated[0], "--data", tmp_path / "pairs", "--name", "elsewhere", "--round", 2)
    about.write_bytes(whole)
    with pytest.raises(UserError, match="plain folder name"):
        evaluate(evaluated[0], "--data", tmp_path / "pairs", "--name", "../x", "--round", 2)


# ---------------------------------------------------------------- mistakes


def test_mistakes_are_one_sentence_each(work, others, tmp_path, monkeypatch):
    run = work / "runs/tiny"
    monkeypatch.chdir(work)
    with pytest.raises(UserError, match=r"There is no run 'tinny': .*Runs in runs/: tiny"):
        evaluate("tinny")
    with pytest.raises(UserError, match="has no round 3; its rounds are 1 to 2"):
        evaluate(run, "--round", 3)
    with pytest.raises(UserError, match=r"has no SavedModel .*photo_to_sketch/1.*--savedmodels"):
        evaluate("tiny", "--savedmodels", tmp_path)
    with pytest.raises(UserError, match=r"needs train .* and one split to test on.*--split-file"):
        evaluate(run, "--data", others / "pairs/test")
    with pytest.raises(UserError, match="nowhere is not there"):
        evaluate(run, "--distractors", tmp_path / "nowhere")


def test_an_unfinished_round_is_named(work, tmp_path):
    shutil.copytree(work / "runs/tiny", tmp_path / "runs/tiny")
    (tmp_path / "runs/tiny/round_2/metrics.json").unlink()
    with pytest.raises(UserError, match=r"Round 2 of the run .* is not finished \(finished are: 1\)"):
        evaluate(tmp_path / "runs/tiny", "--round", 2)


def test_a_later_round_can_be_measured_where_an_earlier_export_was_removed(tmp_path):
    for path in ("runs/x/round_1", "runs/x/round_2", *(f"savedmodels/x/{name}/2" for name in SERVABLES)):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "runs/x/config.yaml").write_text(f"name: x\nsavedmodels_dir: {tmp_path / 'savedmodels'}\n")
    for number in (1, 2):
        (tmp_path / f"runs/x/round_{number}/metrics.json").write_text("{}")
    run = open_run(tmp_path / "runs/x")
    assert run.rounds() == run.rounds(2) == [2] and finished_rounds(run, run.config) == []
    with pytest.raises(UserError, match=r"has no SavedModel .*photo_to_sketch/1"):
        run.rounds(1)


def test_a_damaged_savedmodel_is_named(tiny_run, work, tmp_path):
    shutil.copytree(tiny_run / "savedmodels/tiny", tmp_path / "tiny")
    (tmp_path / "tiny/sketch_to_photo/1/saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(UserError, match="sketch_to_photo/1 cannot be loaded"):
        evaluate(work / "runs/tiny", "--savedmodels", tmp_path, "--round", 1)


def test_the_command_ends_with_2_and_no_trace(tmp_path):
    done = in_process("evaluate", tmp_path / "nothing")
    refused(done, "There is no run")
    assert done.stdout == "" and done.stderr.count("\n") == 1
