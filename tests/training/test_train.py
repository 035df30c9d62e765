"""The real command on tiny settings: runs through, is watched, goes on after every kind of stop, bit for bit."""

import json
import signal
import subprocess
import time
from pathlib import Path

import in_process
import numpy as np
import pytest
import tiny
from kill_training import PHASES, kill_again_and_again
from same_run import assert_same_run, tensors

ONE_ROUND = ["rounds.count=1", "train.checkpoint_steps=1000"]


@pytest.fixture(scope="module")
def unbroken(tiny_run) -> Path:
    output = (tiny_run / "output.txt").read_text()
    assert "round 2" in output and "peak memory after step 2" in output
    return tiny_run


def test_metrics_have_the_documented_form(unbroken):
    for number in (1, 2):
        metrics = json.loads((unbroken / f"runs/tiny/round_{number}/metrics.json").read_text())
        assert metrics["round"] == number and metrics["protocol"]["split_sha256"]
        assert -1 <= metrics["photo_to_sketch"]["ssim"] <= 1 and -1 <= metrics["sketch_to_photo"]["ssim"] <= 1
        assert set(metrics["retrieval"]) == {"none", "photo", "sketch", "fusion"}
        assert all({"rank1", "rank5"} <= set(values) for values in metrics["retrieval"].values())


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
    rounds = {f"round_{number}/{side}_recognizer" for number in (1, 2) for side in ("photo", "sketch")}
    assert set(of) == {"recognizer_0"} | rounds
    assert all(value.shape == (4, 4 * 4 * 16) and np.any(value) for value in of.values())
    # Φ0's are of photos and sketches, Φp's of real and synthesized photos: other centres, even if weights were not kept
    assert not np.array_equal(of["recognizer_0"], of["round_1/photo_recognizer"])


def test_pre_training_learns_to_match(unbroken):
    steps = [json.loads(line) for line in (unbroken / "runs/tiny/history.jsonl").read_text().splitlines()]
    matching = [step for step in steps if step.get("phase") == "recognizer_0/matching"]
    assert matching and all({"loss", "accuracy"} <= set(step.get("values", step)) for step in matching)


def test_tensorboards_own_reader_finds_what_is_promised(unbroken):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def tags(phase: str) -> dict:
        events = EventAccumulator(str(unbroken / "runs/tiny/tensorboard" / phase), size_guidance={"tensors": 0})
        events.Reload()
        return {tag: events.Tensors(tag) for tag in events.Tags()["tensors"]}

    synthesis = tags("round_2/synthesis")
    for loss in ("adversarial", "cycle", "identity_mapping", "identity_perception"):
        assert f"loss/{loss}" in synthesis and f"weighted/{loss}" in synthesis
    for tag in (
        "D_photo/real",
        "D_photo/fake",
        "D_sketch/real",
        "D_sketch/fake",
        "learning_rate",
        "perception_weight",
        "images_per_second",
    ):
        assert tag in synthesis, tag
    assert any(tag.startswith("grid/") for tag in synthesis)
    assert [event.step for event in synthesis["loss/cycle"]] == [3, 6, 9, 12]
    tuning = tags("round_1/photo_recognizer")
    assert {"active_triplets", "positive_distance", "negative_distance"} <= set(tuning)
    measures = tags("measures")
    assert {"photo_to_sketch/ssim", "retrieval/fusion/rank1"} <= set(measures)
    assert [event.step for event in measures["retrieval/fusion/rank1"]] == [1, 2]


def test_a_finished_run_says_so_at_once(unbroken):
    result = in_process.run("train", *tiny.arguments(unbroken))
    assert result.returncode == 0 and "is finished" in result.stdout and "round 2" in result.stdout


def test_other_settings_on_the_same_run_are_refused(unbroken):
    in_process.refused(
        in_process.run("train", *tiny.arguments(unbroken, "train.learning_rate=5e-3")), "train.learning_rate"
    )


def stopped(folder: Path, number: int) -> tuple[subprocess.Popen, int]:
    """A run of one round that got the signal ``number`` in its synthesis: its process, and the step that it saved."""
    process = subprocess.Popen(
        tiny.command(folder, *ONE_ROUND), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    history = folder / "runs/tiny/history.jsonl"
    while process.poll() is None and not (history.exists() and "round_1/synthesis" in history.read_text()):
        time.sleep(0.005)
    process.send_signal(number)
    _, errors = process.communicate(timeout=240)
    said = tiny.without_tensorflows(errors)
    assert "Traceback" not in errors and len(said) == 1, errors
    saved = json.loads(next((folder / "runs/tiny/checkpoints/round_1/synthesis").glob("*/extra.json")).read_text())
    assert saved["step"] >= 3
    return process, saved["step"]


def test_asked_to_stop_it_saves_and_goes_on_bit_for_bit(unbroken, tmp_path):
    process, step = stopped(tmp_path, signal.SIGTERM)
    assert process.returncode == 143
    result = tiny.train(tmp_path, *ONE_ROUND)
    assert result.returncode == 0 and f"goes on from step {step}" in result.stdout, result.stderr
    assert_same_run(unbroken, tmp_path, rounds=1)
    fewer = in_process.run("train", *tiny.arguments(tmp_path, *ONE_ROUND, "rounds.count=2", "seed=3"))
    in_process.refused(fewer, "seed: 0 -> 3")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_interrupted_it_saves_and_a_finished_run_gets_more_rounds_under_any_name(unbroken, tmp_path):
    """In the end as the run that was not stopped, and had two rounds from the first; its folder's name is a pattern."""
    folder = tmp_path / "lr[1e-4]*?"
    process, step = stopped(folder, signal.SIGINT)
    assert process.returncode == 130
    first = tiny.train(folder, *ONE_ROUND)
    assert first.returncode == 0 and f"goes on from step {step}" in first.stdout and "round 2" not in first.stdout, (
        first.stderr
    )
    assert not list(folder.rglob("damaged-*")) and "cannot be run" not in first.stdout
    more = tiny.train(folder, *ONE_ROUND, "rounds.count=2")
    assert more.returncode == 0 and "1 of 2 rounds done" in more.stdout, more.stderr
    assert_same_run(unbroken, folder)
    in_process.refused(in_process.run("train", *tiny.arguments(folder, *ONE_ROUND)), "rounds.count: 2 -> 1")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_in_each_phase_it_ends_as_the_unbroken_run(unbroken, tmp_path):
    """SIGKILL at a random moment of each phase, half within writes, each start with another wrong clock.

    ``make soak`` kills forty times, anywhere.
    """
    found = kill_again_and_again(tmp_path, len(PHASES), 20261125, unbroken, [], 4, PHASES)
    print(found)
    assert found["kills"] == len(PHASES) and found["runs finished"] == 1, found  # all of them struck, in one run
    assert found["bytes compared"] > 1_000_000
