"""The report's answers against values by hand."""

import numpy as np

from iacyclegan_tf.evaluation.report.summary import summary
from iacyclegan_tf.evaluation.result_files import RoundResult

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
