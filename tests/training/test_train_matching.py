"""The command with recognizers that match pairs, centred embeddings, sharpened outputs: killed, it ends alike."""

import json

import numpy as np
import pytest
import tiny
from kill_training import kill_again_and_again
from same_run import tensors

pytestmark = pytest.mark.slow  # a run of its own, and kills
SETTINGS = [
    "rounds.count=1",
    "train.decay_epochs=0",
    "generator.sharpness=0.9",
    "recognizer.embedding=pool2",
    "recognizer.centred=true",
    "loss.perception_layer=[pool2]",
    "recognizer.views.crop=0.6",
    "recognizer.views.shift=0.03",
    "recognizer.views.light=0.2",
    "export.infra_validation=false",
]
PHASES = tuple(f"runs/tiny/checkpoints/{phase}" for phase in ("recognizer_0/matching", "round_1/photo_recognizer"))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matching")
    result = tiny.train(folder, *SETTINGS)
    assert result.returncode == 0, result.stdout + result.stderr
    (folder / "output.txt").write_text(result.stdout)
    return folder


def test_what_was_sharpened_is_said_and_saved(unbroken):
    said = (unbroken / "output.txt").read_text()
    saved = tensors(unbroken / "runs/tiny")
    for generator in ("photo_to_sketch", "sketch_to_photo"):
        (line,) = [line for line in said.splitlines() if line.startswith(f"round_1/{generator}: sharpened by ")]
        (amount,) = [
            value
            for name, value in saved.items()
            if name.startswith("round_1/networks") and f"{generator}/sharpening/" in name and "OPTIMIZER" not in name
        ]
        assert float(line.split("sharpened by ")[1].split(",")[0]) == pytest.approx(float(amount), abs=0.006)


def test_centres_are_those_of_the_people_trained_on(unbroken):
    saved = tensors(unbroken / "runs/tiny")
    of = {name.split(":")[0]: value for name, value in saved.items() if "/centres/" in name}
    assert set(of) == {"recognizer_0", "round_1/photo_recognizer", "round_1/sketch_recognizer"}
    assert all(value.shape == (4, 8 * 8 * 8) and np.any(value) for value in of.values())
    # Φ0's are of photos and sketches, Φp's of real and synthesized photos: other centres, even if weights were not kept
    assert not np.array_equal(of["recognizer_0"], of["round_1/photo_recognizer"])


def test_pre_training_learns_to_match(unbroken):
    steps = [json.loads(line) for line in (unbroken / "runs/tiny/history.jsonl").read_text().splitlines()]
    matching = [step for step in steps if step.get("phase") == "recognizer_0/matching"]
    assert matching and all({"loss", "accuracy"} <= set(step.get("values", step)) for step in matching)


def test_killed_while_it_matches_it_ends_as_the_unbroken_run(unbroken, tmp_path):
    found = kill_again_and_again(tmp_path, len(PHASES), 20261125, unbroken, SETTINGS, 4, PHASES)
    assert found["kills"] == len(PHASES) and found["runs finished"] == 1, (
        found
    )  # both struck, within writes of these phases
