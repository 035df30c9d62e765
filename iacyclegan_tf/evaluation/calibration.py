"""Verification thresholds from the validation people of a run: what a score in a gallery means.

A search's fused score is z-normalised over its gallery, so that it ranks, and means something else in each gallery. A threshold
needs one scale for all: the **calibrated fusion** takes mean and deviation from the impostor scores of the validation
people instead. The thresholds of photo and sketch matching are cosines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.face_pairs import FacePairs
from iacyclegan_tf.evaluation.matching import Matcher, recognizer_scores
from iacyclegan_tf.metrics import threshold_at_far
from iacyclegan_tf.metrics.verification import genuine_and_impostor_scores
from iacyclegan_tf.serving.contract import EXTRA, FILE

WAYS = ("photo", "sketch", "fusion")
FARS = (0.01, 0.001)
PROTOCOL = (
    "all validation sketches against all validation photos, at the network's size, with the served modules; thresholds: "
    "linear quantile of the impostor scores, refused under 10 / FAR impostor pairs; fusion: cosines minus the mean, over "
    "the population deviation, of the validation impostors, added. The same people decided whether recognizers were "
    "kept, which makes the rates a little optimistic."
)


def calibrate(matcher: Matcher, held: FacePairs) -> dict:
    """The content of ``calibration.json``, from a round's models and its validation people.

    ``thresholds[way][far]`` holds ``threshold`` and ``true_accept_rate``, or ``refused``: why there is none.
    """
    photos, sketches = list(held.photos), list(held.sketches)
    scores = recognizer_scores(matcher, sketches, photos, matcher.to_photo(sketches), matcher.to_sketch(photos))
    sides = {
        way: genuine_and_impostor_scores(matrix, held.identities, held.identities) for way, matrix in scores.items()
    }
    statistics = {
        way: {"mean": float(impostor.mean()), "deviation": float(impostor.std())}
        for way, (_, impostor) in sides.items()
    }
    try:
        fused = calibrated_fusion(statistics, scores)
        sides["fusion"] = genuine_and_impostor_scores(fused, held.identities, held.identities)
    except UserError as error:
        refused = dict.fromkeys(map(str, FARS), {"refused": str(error)})
    thresholds = {
        way: {str(far): _threshold(*sides[way], far) for far in FARS} if way in sides else refused for way in WAYS
    }
    return {
        "people": held.people,
        "pairs": len(held),
        "impostor_pairs": len(sides["photo"][1]),
        "statistics": statistics,
        "thresholds": thresholds,
        "protocol": PROTOCOL,
    }


def calibrated_fusion(statistics: Mapping[str, Mapping[str, float]], scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """float64, of the shape of ``scores[way]``; ``UserError`` where the impostors of a way all scored the same."""
    for way, values in statistics.items():
        if not values["deviation"] > 0:
            raise UserError(
                f"All validation impostors have the same {way} score, so that fused scores cannot be calibrated."
            )
    return sum(
        (np.asarray(scores[way], np.float64) - values["mean"]) / values["deviation"]
        for way, values in statistics.items()
    )


def _threshold(genuine: np.ndarray, impostor: np.ndarray, far: float) -> dict:
    try:
        threshold = threshold_at_far(impostor, far)
    except UserError as error:
        return {"refused": str(error)}
    return {"threshold": threshold, "true_accept_rate": float((genuine > threshold).mean())}


@dataclass(frozen=True)
class Calibration:
    """A ``calibration.json``, read."""

    values: dict

    def fusion(self, scores: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The calibrated fusion of cosines, by way; None where it has no scale."""
        try:
            return calibrated_fusion(self.values["statistics"], scores)
        except UserError:  # said by ``refusals``
            return None

    def far(self, way: str, score: float) -> float | None:
        """The lowest false accept rate whose threshold the score is above; None where it is above none.

        ``way`` ``fusion`` takes the calibrated fusion.
        """
        passed = [
            float(far)
            for far, found in self.values["thresholds"][way].items()
            if "threshold" in found and score > found["threshold"]
        ]
        return min(passed, default=None)

    def known(self, way: str) -> dict[float, float]:
        """Thresholds by false accept rate, those that were not refused."""
        return {
            float(far): found["threshold"]
            for far, found in self.values["thresholds"][way].items()
            if "threshold" in found
        }

    def refusals(self, way: str) -> list[str]:
        """Why a threshold is missing, in sentences."""
        return list(
            dict.fromkeys(found["refused"] for found in self.values["thresholds"][way].values() if "refused" in found)
        )


def read_calibration(export: Path) -> Calibration | None:
    """That of an exported recognizer; None for one that was exported before there were any. ``UserError``: not sound."""
    path = export / EXTRA / FILE
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        calibration = Calibration(values)
        for way in WAYS:
            calibration.known(way), calibration.refusals(way)
        for way in ("photo", "sketch"):
            if not np.isfinite([values["statistics"][way][name] for name in ("mean", "deviation")]).all():
                raise ValueError("a number is not finite")
        return calibration
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"The calibration {path} cannot be read: {type(error).__name__} {error}.") from None
