"""Thresholds from validation people, against the same worked out by hand."""

import json

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.face_pairs import FacePairs
from iacyclegan_tf.evaluation.calibration import Calibration, calibrate, read_calibration
from iacyclegan_tf.evaluation.matching import Matcher
from iacyclegan_tf.serving.signatures import CALIBRATION, SERVABLES


def embed(noise: float, seed: int):
    """The person (the first pixel) as a vector of 4 numbers, with noise."""
    random = np.random.default_rng(seed)

    def vectors(images):
        found = np.stack([np.random.default_rng(int(image[0, 0, 0])).normal(size=4) for image in images])
        found = found + noise * random.normal(size=found.shape)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    return vectors


def held(people: int, pairs: int = 2) -> FacePairs:
    identities = [person for person in range(people) for _ in range(pairs)]
    images = np.stack([np.full((4, 4, 3), person, np.uint8) for person in identities])
    return FacePairs(images, images, tuple(f"p{person}" for person in identities), tuple(images), tuple(images))


@pytest.fixture(scope="module")
def made() -> tuple[dict, dict[str, np.ndarray]]:
    """The calibration on 25 people with two pairs each, and the score matrices that it saw."""
    pairs, seen = held(25), {}

    def kept(name, function):
        def call(images):
            seen.setdefault(name, []).append(function(images))
            return seen[name][-1]

        return call

    matcher = Matcher(list, list, None, kept("photo", embed(0.3, 1)), kept("sketch", embed(0.5, 2)))
    return calibrate(matcher, pairs, {}), {way: probes @ gallery.T for way, (probes, gallery) in seen.items()}


def test_thresholds_are_quantiles_of_impostors(made):
    values, scores = made
    same = np.equal.outer(np.arange(50) // 2, np.arange(50) // 2)
    assert (values["people"], values["pairs"], values["impostor_pairs"]) == (25, 50, 2400)
    fusion = 0.0
    for way, matrix in scores.items():
        impostors = matrix[~same].astype(np.float64)
        assert values["statistics"][way] == pytest.approx(
            {"mean": impostors.mean(), "deviation": impostors.std()}, abs=1e-6
        )
        fusion = fusion + (matrix - impostors.mean()) / impostors.std()
    for way, matrix in {**scores, "fusion": fusion}.items():
        found = values["thresholds"][way]["0.01"]
        ordered = np.sort(matrix[~same])
        assert ordered[-25] <= found["threshold"] <= ordered[-24]  # 24 of 2,400 are above
        assert found["true_accept_rate"] == pytest.approx((matrix[same] > found["threshold"]).mean())
        assert values["thresholds"][way]["0.001"] == {
            "refused": "A verification threshold at FAR 0.001 needs at least 10000 impostor pairs (10 / FAR); "
            "there are 2400."
        }


def test_a_score_gets_the_lowest_rate_whose_threshold_it_is_above(made):
    calibration = Calibration(json.loads(json.dumps(made[0])))
    limit = made[0]["thresholds"]["photo"]["0.01"]["threshold"]
    assert calibration.far("photo", limit) is None and calibration.far("photo", limit + 1e-9) == 0.01
    assert calibration.known("photo") == {0.01: limit} and "10000" in calibration.refusals("fusion")[0]
    both = Calibration({"thresholds": {"photo": {"0.01": {"threshold": 0.5}, "0.001": {"threshold": 0.7}}}})
    assert [both.far("photo", score) for score in (0.4, 0.6, 0.8)] == [None, 0.01, 0.001] and both.refusals(
        "photo"
    ) == []
    statistics = made[0]["statistics"]
    expected = sum(
        (score - statistics[way]["mean"]) / statistics[way]["deviation"]
        for way, score in (("photo", 0.7), ("sketch", 0.1))
    )
    assert calibration.fusion({"photo": 0.7, "sketch": 0.1, "fusion": 99}) == pytest.approx(expected)


def test_impostors_that_all_score_the_same_refuse_the_fusion_only():
    """Two people who look the same to a recognizer."""

    def constant(images):
        return np.tile(np.float32([[1, 0]]), (len(images), 1))

    values = calibrate(Matcher(list, list, None, embed(0.3, 1), constant), held(24), {})
    assert (
        "threshold" in values["thresholds"]["photo"]["0.01"] and "threshold" in values["thresholds"]["sketch"]["0.01"]
    )
    calibration = Calibration(values)
    assert calibration.fusion({"photo": 0.5, "sketch": 0.5}) is None and calibration.known("fusion") == {}
    assert calibration.refusals("fusion") == [
        "All validation impostors have the same sketch score, so that fused scores cannot be calibrated."
    ]


def test_a_calibration_is_read_from_an_export_or_refused(tmp_path, made):
    assert read_calibration(tmp_path) is None
    path = tmp_path / "assets.extra" / CALIBRATION
    path.parent.mkdir()
    path.write_text(json.dumps(made[0]))
    assert read_calibration(tmp_path) == Calibration(json.loads(json.dumps(made[0])))
    broken = json.loads(json.dumps(made[0]))
    broken["statistics"]["photo"]["mean"] = float("nan")
    unsure = json.loads(json.dumps(made[0]))
    unsure["thresholds"]["photo"]["0.01"]["threshold"] = float("nan")  # which no score would be above
    cases = ["{", "[]", "{}", json.dumps({"thresholds": {}, "statistics": {}}), json.dumps(broken), json.dumps(unsure)]
    for content in [*map(str.encode, cases), b"\xff{}", b"[" * 100_000]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"calibration\.json cannot be read"):
            read_calibration(tmp_path)


def test_each_round_leaves_its_calibration_and_its_recognizers_carry_it(tiny_run):
    for number in (1, 2):
        kept = (tiny_run / f"runs/tiny/round_{number}" / CALIBRATION).read_bytes()
        assert json.loads(kept)["people"] == 2  # so few that every threshold is refused
        assert set(json.loads(kept)["thresholds"]["fusion"]["0.01"]) == {"refused"}
        for servable in SERVABLES:  # the generators' for how unlike the training images a face is
            assert (tiny_run / f"savedmodels/tiny/{servable}/{number}/assets.extra" / CALIBRATION).read_bytes() == kept
