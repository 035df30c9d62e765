"""The real command on tiny settings: runs through, is watched, goes on after every kind of stop, bit for bit."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny
from kill_training import PHASES, kill_again_and_again
from same_run import assert_same_run

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


def test_exports_load_and_answer_in_a_process_without_this_project(unbroken):
    script = r"""
import sys, numpy as np, tensorflow as tf
base = sys.argv[1]
png = tf.io.encode_png(np.full((50, 40, 3), 128, np.uint8)).numpy()
jpg = tf.io.encode_jpeg(np.full((64, 32, 3), 90, np.uint8)).numpy()
for number in "12":
    for name in ("photo_to_sketch", "sketch_to_photo"):
        signatures = tf.saved_model.load(f"{base}/{name}/{number}").signatures
        out = signatures["serving_default"](image_bytes=tf.constant([png, jpg]))["image_bytes"].numpy()
        assert [tf.io.decode_png(o).shape for o in out] == [(50, 40, 3), (64, 32, 3)]
        assert signatures["tensor"](images=tf.zeros([3, 30, 20, 3]))["images"].shape == (3, 30, 20, 3)
    for name in ("photo_recognizer", "sketch_recognizer"):
        signatures = tf.saved_model.load(f"{base}/{name}/{number}").signatures
        e = signatures["serving_default"](image_bytes=tf.constant([png, jpg]))["embedding"].numpy()
        assert np.allclose(np.linalg.norm(e, axis=1), 1, atol=1e-5)
        scores = signatures["match"](probe_bytes=tf.constant([png]), gallery_bytes=tf.constant([png, jpg]))["scores"].numpy()
        assert scores.shape == (1, 2) and abs(scores[0, 0] - 1) < 1e-5
assert "iacyclegan_tf" not in sys.modules
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(unbroken / "savedmodels/tiny")],
        capture_output=True,
        text=True,
        cwd=unbroken,
        timeout=200,
    )
    assert result.returncode == 0, result.stderr[-3000:]


def test_a_finished_run_says_so_at_once(unbroken):
    before = time.time()
    result = tiny.train(unbroken)
    assert result.returncode == 0 and "is finished" in result.stdout and "round 2" in result.stdout
    assert time.time() - before < 30


def test_other_settings_on_the_same_run_are_refused(unbroken):
    result = tiny.train(unbroken, "train.learning_rate=5e-3")
    assert result.returncode == 2 and "train.learning_rate" in result.stderr and "Traceback" not in result.stderr


def test_killed_in_each_phase_it_ends_as_the_unbroken_run(unbroken, tmp_path):
    """SIGKILL at a random moment of each phase, half within writes, each start with another wrong clock.

    ``make soak`` kills forty times, anywhere.
    """
    found = kill_again_and_again(tmp_path, len(PHASES), 20261125, unbroken, [], 4, PHASES)
    print(found)
    assert found["kills"] == len(PHASES) and found["runs finished"] == 1, found  # all of them struck, in one run
    assert found["bytes compared"] > 1_000_000


def stopped(folder: Path, number: int) -> tuple[subprocess.Popen, int]:
    """A run of one round that got the signal ``number`` in its synthesis; the ended process and the step that it saved."""
    process = subprocess.Popen(
        tiny.command(folder, *ONE_ROUND), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    history = folder / "runs/tiny/history.jsonl"
    while process.poll() is None and not (history.exists() and "round_1/synthesis" in history.read_text()):
        time.sleep(0.005)
    process.send_signal(number)
    _, errors = process.communicate(timeout=240)
    assert "Traceback" not in errors and len(errors.strip().splitlines()) == 1, errors
    saved = json.loads(next((folder / "runs/tiny/checkpoints/round_1/synthesis").glob("*/extra.json")).read_text())
    assert saved["step"] >= 3
    return process, saved["step"]


def test_interrupted_it_saves_and_says_so(tmp_path):
    process, _ = stopped(tmp_path, signal.SIGINT)
    assert process.returncode == 130


def test_asked_to_stop_it_saves_and_goes_on_and_a_finished_run_gets_more_rounds(unbroken, tmp_path):
    """In the end as the run that was not stopped, and had two rounds from the first."""
    process, step = stopped(tmp_path, signal.SIGTERM)
    assert process.returncode == 143
    first = tiny.train(tmp_path, *ONE_ROUND)
    assert first.returncode == 0 and f"goes on from step {step}" in first.stdout and "round 2" not in first.stdout, (
        first.stderr
    )
    more = tiny.train(tmp_path, *ONE_ROUND, "rounds.count=2")
    assert more.returncode == 0 and "1 of 2 rounds done" in more.stdout, more.stderr
    assert_same_run(unbroken, tmp_path)
    fewer = tiny.train(tmp_path, *ONE_ROUND)
    assert fewer.returncode == 2 and "rounds.count: 2 -> 1" in fewer.stderr
