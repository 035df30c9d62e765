"""The evaluator refuses poor models, and measures changes against the newest blessed version."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.load_faces import load_faces
from iacyclegan_tf.evaluation.image_quality import SSIM, means, trivial_measures
from iacyclegan_tf.evaluation.matching import from_servables
from iacyclegan_tf.evaluation.round_metrics import evaluate_round
from iacyclegan_tf.serving.modules_of_run import ServedNetworks
from iacyclegan_tf.serving.publishing.evaluator import evaluate
from iacyclegan_tf.serving.signatures import SERVABLES

RULES = vars(Config().export.thresholds)
# Round 1 of the first quickstart, README.md
GOOD = {
    "round": 1,
    "protocol": {"split_sha256": "0"},
    "photo_to_sketch": {"ssim": 0.456},
    "sketch_to_photo": {"ssim": 0.500},
    "retrieval": {"photo": {"rank1": 0.688}, "sketch": {"rank1": 0.708}},
    "trivial_baselines": {side: {"ssim": {"input": 0.387}} for side in ("photo_to_sketch", "sketch_to_photo")},
}


def with_rank1(value: float) -> dict:
    metrics = copy.deepcopy(GOOD)
    metrics["retrieval"]["photo"]["rank1"] = value
    return metrics


def marks(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def untrained() -> dict:
    """Metrics of networks as they are initialized, of the quickstart's sizes, on drawn faces."""
    config = Config()
    config.data.source, config.data.drawn.train_people, config.data.drawn.test_people = "drawn", 8, 24
    config.data.drawn.renderings = 1
    faces = load_faces(config.data, seed=0)
    modules = ServedNetworks(config, faces.image_shape, faces.fit).modules
    matcher = from_servables(
        modules["photo_to_sketch"],
        modules["sketch_to_photo"],
        modules["initial_recognizer"],
        modules["photo_recognizer"],
        modules["sketch_recognizer"],
    )
    trivial = means(trivial_measures(faces, measures=SSIM))
    return evaluate_round(1, config, faces, matcher) | {"trivial_baselines": trivial}


@pytest.mark.parametrize("servable", SERVABLES)
def test_untrained_networks_are_refused_by_the_default_thresholds(servable, untrained, tmp_path):
    reasons = evaluate(servable, untrained, RULES[servable], tmp_path, 1)
    assert len(reasons) == 1 and ">=" in reasons[0]
    assert marks(tmp_path / "1") == {"NOT_BLESSED", "evaluation.json"}
    written = json.loads((tmp_path / "1/evaluation.json").read_text())
    assert written["reasons"] == reasons and written["baseline"] is None
    value, change = written["results"]
    assert value["passed"] is False and change["passed"] is None
    assert value["value"] < 0.5 * float(value["rule"].split()[-1]), "an untrained model should fail by far"


@pytest.mark.parametrize("servable", SERVABLES)
def test_a_trained_round_is_blessed_and_a_copy_of_the_input_is_not(servable, tmp_path):
    assert evaluate(servable, GOOD, RULES[servable], tmp_path, 1) == []
    assert marks(tmp_path / "1") == {"BLESSED", "evaluation.json"}
    copied = copy.deepcopy(GOOD)
    for side in ("photo_to_sketch", "sketch_to_photo"):
        copied[side]["ssim"] = copied["trivial_baselines"][side]["ssim"]["input"]
    if servable in copied:
        assert evaluate(servable, copied, RULES[servable], tmp_path / "copy", 1)


def test_changes_are_against_the_newest_blessed_version(tmp_path):
    """0.688 blessed; 0.60 fell too far; 0.66 is within 0.05 of the first; 0.9 rose; 0.84 fell too far from that."""
    verdicts = []
    for version, rank1 in enumerate([0.688, 0.60, 0.66, 0.9, 0.84], 1):
        evaluate("photo_recognizer", with_rank1(rank1), RULES["photo_recognizer"], tmp_path, version)
        written = json.loads((tmp_path / f"{version}/evaluation.json").read_text())
        verdicts.append(("BLESSED" in marks(tmp_path / str(version)), written["baseline"]))
    assert verdicts == [(True, None), (False, 1), (True, 1), (True, 3), (False, 4)]
    # a later version is no baseline for an earlier one
    evaluate("photo_recognizer", with_rank1(0.66), RULES["photo_recognizer"], tmp_path / "again", 9)
    evaluate("photo_recognizer", with_rank1(0.5), RULES["photo_recognizer"], tmp_path / "again", 8)
    assert json.loads((tmp_path / "again/8/evaluation.json").read_text())["baseline"] is None


@pytest.mark.parametrize("rules", [(), ("retrieval.photo.rank1 change >= -0.05",)])
def test_without_a_threshold_that_counts_nothing_is_blessed(rules, tmp_path):
    assert evaluate("photo_recognizer", GOOD, rules, tmp_path, 1) == [
        "no threshold that counts; without one nothing is blessed"
    ]
    assert "NOT_BLESSED" in marks(tmp_path / "1")


def test_a_measure_that_is_missing_or_not_a_number_is_no_blessing(tmp_path):
    reasons = evaluate("photo_recognizer", GOOD, ("retrieval.photo.rank2 >= 0",), tmp_path, 1)
    assert "no such finite number" in reasons[0]
    assert evaluate("photo_recognizer", with_rank1(float("nan")), RULES["photo_recognizer"], tmp_path, 2)
    assert not np.isnan(json.loads((tmp_path / "2/evaluation.json").read_text())["results"][0]["value"] or 0)
