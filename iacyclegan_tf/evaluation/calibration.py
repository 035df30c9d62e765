"""Verification thresholds from the validation people of a run: what a score in a gallery means.

A search's fused score is z-normalized over its gallery, so that it ranks, and means something else in each gallery.
A threshold needs one scale for all: the **calibrated fusion** takes mean and deviation from the impostor scores of the
validation people instead. The thresholds of photo and sketch matching are cosines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.data.face_pairs import FacePairs, Faces
from iacyclegan_tf.evaluation.matching import LEARNED, Matcher, recognizer_scores, shown
from iacyclegan_tf.metrics import genuine_and_impostor_scores, threshold_at_far
from iacyclegan_tf.metrics.face_space import fit_face_space
from iacyclegan_tf.serving.signatures import CALIBRATION, EXTRA

FARS = (0.01, 0.001)
_SPACE_IMAGES = 200
PROTOCOL = (
    "all validation sketches against all validation photos, in their own size, with the served modules; "
    "thresholds: linear quantile of the impostor scores, refused under 10 / FAR impostor pairs; fusion: cosines minus "
    "the mean, over the population deviation, of the validation impostors, added. The same people decided whether "
    "recognizers were kept, which makes the rates a little optimistic."
)


def calibrate(matcher: Matcher, held: FacePairs, training: Mapping[str, Sequence[np.ndarray]]) -> dict:
    """The content of ``calibration.json``, from a round's models and its validation people.

    ``training``: images of the fitting people by side (``training_images``), for the face spaces; empty: none is made.

    ``thresholds[way][far]`` holds ``threshold`` and ``true_accept_rate``, or ``refused``: why there is none.
    """
    fakes = matcher.to_photo(held.original_sketches), matcher.to_sketch(held.original_photos)
    scores = recognizer_scores(matcher, *shown(held, *fakes))
    sides = {
        way: genuine_and_impostor_scores(matrix, held.identities, held.identities) for way, matrix in scores.items()
    }
    statistics = {
        way: {"mean": float(impostor.mean()), "deviation": float(impostor.std())}
        for way, (_, impostor) in sides.items()
    }
    refused = {}
    try:
        fused = calibrated_fusion(statistics, scores)
        sides["fusion"] = genuine_and_impostor_scores(fused, held.identities, held.identities)
    except UserError as error:
        refused["fusion"] = {str(far): {"refused": str(error)} for far in FARS}
    thresholds = {way: {str(far): _threshold(*both, far) for far in FARS} for way, both in sides.items()}
    return {
        "people": held.people,
        "pairs": len(held),
        "impostor_pairs": len(sides["photo"][1]),
        "statistics": statistics,
        "thresholds": thresholds | refused,
        "protocol": PROTOCOL,
        "face_spaces": _face_spaces(training, held),
    }


def training_images(faces: Faces) -> dict[str, list[np.ndarray]]:
    """Some images of the fitting people, by side, in the proportions that pictures have before they are fitted."""
    size = faces.validation.original_photos[0].shape[:2]
    found = {}
    for side, images in (("photo", faces.fitting.photos), ("sketch", faces.fitting.sketches)):
        places = np.unique(np.linspace(0, len(images) - 1, _SPACE_IMAGES).astype(int))
        some = (images[at] if isinstance(images, np.ndarray) else images(at).numpy() for at in places)
        found[side] = [faces.fit.undo(image, size) for image in some]
    return found


def _face_spaces(training: Mapping[str, Sequence[np.ndarray]], held: FacePairs) -> dict:
    validation = {"photo": held.original_photos, "sketch": held.original_sketches}
    spaces = {side: fit_face_space(images, validation[side]) for side, images in training.items()}
    return {side: space.as_json() for side, space in spaces.items() if space is not None}


def calibrated_fusion(statistics: Mapping[str, Mapping[str, float]], scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """The ways' scores added, each z-normalized by the validation impostors' statistics: float64, as ``scores[way]``.

    ``UserError`` where the impostors of a way all scored the same.
    """
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
        """The calibrated fusion of cosines, by way; None where it has no scale, as ``refusals`` says."""
        try:
            return calibrated_fusion(self.values["statistics"], scores)
        except UserError:
            return None

    def known(self, way: str) -> dict[float, float]:
        """Thresholds by false accept rate, those that were not refused."""
        found = self.values["thresholds"][way].items()
        return {float(far): one["threshold"] for far, one in found if "threshold" in one}

    def far(self, way: str, score: float) -> float | None:
        """The lowest false accept rate whose threshold the score is above; None where it is above none.

        ``way`` ``fusion`` takes the calibrated fusion.
        """
        return min((far for far, threshold in self.known(way).items() if score > threshold), default=None)

    def refusals(self, way: str) -> list[str]:
        """Why a threshold is missing, in sentences."""
        found = self.values["thresholds"][way].values()
        return list(dict.fromkeys(one["refused"] for one in found if "refused" in one))


def read_calibration(export: Path) -> Calibration | None:
    """Reads an exported recognizer's; None where it has none, as older exports. ``UserError``: it is not sound."""
    path = export / EXTRA / CALIBRATION
    if not path.exists():
        return None
    calibration = Calibration(read_object(path))
    try:
        numbers = [threshold for way in LEARNED for pair in calibration.known(way).items() for threshold in pair]
        statistics = calibration.values["statistics"]
        numbers += [statistics[way][name] for way in LEARNED[:2] for name in ("mean", "deviation")]
        if not np.isfinite(numbers).all() or not all(
            isinstance(words, str) for way in LEARNED for words in calibration.refusals(way)
        ):
            raise ValueError("a number is not finite, or a refusal no text")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"The calibration {path} cannot be read: {type(error).__name__} {error}.") from None
    return calibration
