"""The report's answers, its equal error rate and its training curves against values by hand."""

import json

import numpy as np
import pytest

from iacyclegan_tf.evaluation.files import RoundResult
from iacyclegan_tf.evaluation.report.figures import equal_error_rate
from iacyclegan_tf.evaluation.report.summary import summary
from iacyclegan_tf.evaluation.report.training_curves import read_history
from iacyclegan_tf.metrics import roc

PEOPLE = 40


def result(
    number: int, ssim: float, sharpness: float = 1.0, found: int = PEOPLE, hog: int | None = PEOPLE
) -> RoundResult:
    spread = np.linspace(-0.02, 0.02, PEOPLE)
    columns = {f"{side}.ssim": ssim + spread for side in ("photo_to_sketch", "sketch_to_photo")}
    columns |= {f"{side}.sharpness": np.full(PEOPLE, sharpness) for side in ("photo_to_sketch", "sketch_to_photo")}
    columns["rank.learned.whole.fusion"] = np.where(np.arange(PEOPLE) < found, 1, 2)
    if hog is not None:
        columns["rank.hog.whole.none"] = np.where(np.arange(PEOPLE) < hog, 1, 2)
    return RoundResult({"round": number}, tuple(f"p{i}" for i in range(PEOPLE)), columns, {})


def trivial(value: float) -> dict:
    kinds = {"input": np.full(PEOPLE, value - 0.1), "mean_training_image": np.full(PEOPLE, value)}
    return {side: {"ssim": kinds} for side in ("photo_to_sketch", "sketch_to_photo")}


def verdicts(rounds: list[RoundResult], costless: float) -> list[str]:
    return [one.verdict for one in summary(rounds, trivial(costless))]


def test_clear_differences_are_told_from_chance():
    assert verdicts([result(1, 0.5, hog=20)], 0.4) == ["yes", "yes", "yes"]
    assert verdicts([result(1, 0.5, found=20)], 0.6) == ["no", "no", "no"]
    assert verdicts([result(1, 0.5)], 0.5) == ["unclear", "unclear", "unclear"]
    assert verdicts([result(1, 0.5, found=39)], 0.4)[-1] == "unclear"  # one of 40 may be chance
    assert verdicts([result(1, 0.4), result(2, 0.5)], 0.3)[2] == "yes"
    assert verdicts([result(1, 0.5), result(2, 0.4)], 0.3)[2] == "no"
    assert verdicts([result(1, 0.5), result(2, 0.4), result(3, 0.5)], 0.3)[2] == "unclear"  # the last against the first
    assert verdicts([result(1, 0.5, found=10), result(2, 0.4, found=40)], 0.3)[2] == "unclear"  # one better, one worse


def test_sentences_hold_the_numbers_and_say_what_flatters():
    sketches, _, hog = summary([result(1, 0.5, sharpness=0.5, found=30)], trivial(0.4))
    assert (
        sketches.verdict == "unclear" and "SSIM 0.500; the mean training image has 0.400: +0.100 [" in sketches.sentence
    )
    assert "blurred (sharpness 0.50 of the real), so that SSIM flatters them" in sketches.sentence
    assert "fusion finds 75.0 %" in hog.sentence and "100.0 %: -25.0 % [" in hog.sentence
    assert "HOG was not measured" in summary([result(1, 0.5, hog=None)], trivial(0.4))[-1].sentence


def test_equal_error_rate_is_where_both_rates_meet():
    """On the line between two thresholds; of two normal distributions two deviations apart it is Φ(-1)."""
    accepted, rejected = np.array([0, 0.1, 0.3, 1.0]), np.array([1.0, 0.5, 0.1, 0])
    assert equal_error_rate(accepted, rejected) == pytest.approx(0.1 + 2 / 3 * 0.2)
    random, people = np.random.default_rng(0), [f"p{i}" for i in range(60)]
    scores = random.normal(size=(60, 60)) + 2 * np.eye(60)
    curve = roc(scores, people, people)
    found = equal_error_rate(curve.false_accept_rate, 1 - curve.true_accept_rate)
    assert found == pytest.approx(0.1587, abs=0.05)
    perfect = roc(np.eye(3), "abc", "abc")
    assert equal_error_rate(perfect.false_accept_rate, 1 - perfect.true_accept_rate) == 0


def test_history_is_read_by_round_and_broken_lines_are_passed_over(tmp_path):
    lines = [
        json.dumps({"phase": "round_1/synthesis", "step": 3, "loss/cycle": 0.5, "learning_rate": 1}),
        json.dumps({"phase": "recognizer_0/matching", "step": 3, "loss": 0.5}),
        json.dumps({"phase": "round_2/synthesis", "step": 3, "loss/cycle": 0.25}),
        '{"phase": "round_2/synthesis", "step"',
    ]
    (tmp_path / "history.jsonl").write_text("\n".join(lines))
    found = read_history(tmp_path / "history.jsonl")
    assert {number: dict(losses) for number, losses in found.items()} == {
        1: {"loss/cycle": [(3, 0.5)]},
        2: {"loss/cycle": [(3, 0.25)]},
    }
    assert not read_history(tmp_path / "nothing")
