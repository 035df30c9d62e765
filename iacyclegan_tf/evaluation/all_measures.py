"""Every measure of one round on the test people (docs/evaluation.md); ``round_metrics.py`` has the few of training."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from iacyclegan_tf import __version__
from iacyclegan_tf.common import keras_door
from iacyclegan_tf.config.settings import Config, as_dict
from iacyclegan_tf.data.alignment.chips import Landmarks
from iacyclegan_tf.data.load_faces import FacePairs, Faces
from iacyclegan_tf.evaluation import distractors, image_quality, recognition_rates
from iacyclegan_tf.evaluation.identity_judge import DlibJudge, judge_for
from iacyclegan_tf.evaluation.matching import Matcher, shown
from iacyclegan_tf.evaluation.result_files import RoundResult
from iacyclegan_tf.evaluation.round_metrics import protocol
from iacyclegan_tf.metrics import rank_of_match
from iacyclegan_tf.serving.calling import BATCH, Images

PACKAGES = {name: name for name in ("tensorflow", "numpy", "scipy", "scikit-image")} | {"keras": keras_door.PACKAGE}


def evaluate_fully(
    number: int,
    matcher: Matcher,
    config: Config,
    faces: Faces,
    trivial: dict,
    progress: Callable,
    nlda_protocol: str = "cufs",
    others: Sequence[Path] = (),
    landmarks: Landmarks | None = None,
    judge: DlibJudge | None = None,
) -> tuple[RoundResult, list[np.ndarray], list[np.ndarray]]:
    """What round ``number`` was found to be, and its synthesized sketches and photos in the test pairs' order.

    Args:
        trivial: from ``image_quality.trivial_measures``, the same for all rounds.
        others: photos of distractors; with them rank-k against the gallery's size is measured too.
        landmarks: where the recognizers are shown chips; ``faces`` come with theirs.
        judge: of identity, from the same test pairs, for those who evaluate several rounds.
    """
    test, identities = faces.test, np.array(faces.test.identities)
    sketches, photos = test.original_sketches, test.original_photos
    fake_sketches = _translated(matcher.to_sketch, photos, f"round {number}: synthesizing sketches", progress)
    fake_photos = _translated(matcher.to_photo, sketches, f"round {number}: synthesizing photos", progress)
    columns = {
        direction: image_quality.image_measures(
            fakes, truths, image_quality.MEASURES[direction], progress, f"round {number}, {side}"
        )
        for direction, fakes, truths, side in (
            ("photo_to_sketch", fake_sketches, sketches, "sketches"),
            ("sketch_to_photo", fake_photos, photos, "photos"),
        )
    }
    seen = shown(test, fake_photos, fake_sketches)
    chips = None if landmarks is None else seen
    scores, left_out = recognition_rates.score_matrices(matcher, sketches, photos, fake_photos, fake_sketches, chips)

    judge = judge or judge_for(config.recognizer, test)
    judged = judge.scores(fake_photos, fake_sketches) if judge else {}

    def measured(rows: np.ndarray) -> dict:
        real, fake = ([side[row] for row in rows] for side in (sketches, fake_sketches))
        return {
            **image_quality.means(columns, rows),
            **recognition_rates.recognition_tables(
                part(scores, rows), left_out, identities[rows], identities, part(judged, rows)
            ),
            "nlda": image_quality.nlda_of_sketches(real, fake, identities[rows], nlda_protocol),
            "trivial_baselines": image_quality.means(trivial, rows),
        }

    metrics = {"round": number, "protocol": full_protocol(config, faces), **measured(np.arange(len(test)))}
    if subsets := rows_by_subset(test):
        metrics["by_subset"] = {name: {"pairs": len(rows), **measured(rows)} for name, rows in subsets.items()}
    if others:
        enrolled = {name.split(".")[2]: matrix for name, matrix in scores.items() if name.startswith("learned.whole.")}
        added = distractors.distractor_scores(matcher, others, seen[0], seen[2], enrolled, progress, landmarks)
        metrics["gallery_size"] = distractors.gallery_size_curves(enrolled, added, test.identities)
    per_pair = {f"{direction}.{name}": values for direction, some in columns.items() for name, values in some.items()}
    per_pair |= {f"rank.{name}": rank_of_match(matrix, identities, identities) + 1 for name, matrix in scores.items()}
    return RoundResult(metrics, test.identities, per_pair, scores), fake_sketches, fake_photos


def part(scores: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of each score matrix that belong to these probes."""
    return {name: matrix[rows] for name, matrix in scores.items()}


def rows_by_subset(test: FacePairs) -> dict[str, np.ndarray]:
    """The places of each subset's pairs, by its name; empty where the pairs carry none, or all the same."""
    subsets = np.array(getattr(test, "subsets", None) or [])
    names = sorted(set(subsets.tolist()))
    return {name or "no subset": np.flatnonzero(subsets == name) for name in names} if len(names) > 1 else {}


def _translated(translate: Callable[[Images], list], inputs: Images, words: str, progress: Callable) -> list:
    batches = (translate(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH))
    return list(progress((image for batch in batches for image in batch), words, len(inputs)))


def full_protocol(config: Config, faces: Faces) -> dict:
    """What the numbers depend on besides the networks: data, sizes, settings of the measures, settings, versions."""
    return protocol(config, faces) | {
        "networks": "the exported SavedModels; for none the run's recognizer_0",
        **image_quality.PROTOCOL,
        **recognition_rates.PROTOCOL,
        "distractors": distractors.PROTOCOL,
        "settings": as_dict(config),
        "versions": {"iacyclegan_tf": __version__, "python": platform.python_version()}
        | {name: version(package) for name, package in PACKAGES.items()},
    }
