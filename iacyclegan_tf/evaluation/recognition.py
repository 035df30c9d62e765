"""What is measured on recognition: four ways of matching, learned and by HOG, on the whole crop and the face alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.evaluation.matching import Matcher, match
from iacyclegan_tf.evaluation.round import retrieval
from iacyclegan_tf.metrics import (
    face_crop,
    fuse,
    hog_scores,
    luminance,
    margin,
    rank_k,
    rank_of_match,
    threshold_at_far,
    verification_rate,
)
from iacyclegan_tf.metrics.verification import genuine_and_impostor_scores

FARS = {"vr_far_1": 0.01, "vr_far_0.1": 0.001}  # the names say per cent
KINDS = {"learned.whole": "retrieval", "learned.face": "retrieval_face", "hog.whole": "hog", "hog.face": "hog_face"}
PROTOCOL = {
    "retrieval": "probes are sketches, the gallery is all test photos; ties count against the system; rank-k, CMC, "
    "mean reciprocal rank; margin: mean of genuine score - best impostor score, in the scores' unit",
    "verification": "share of genuine pairs above the linear quantile of all impostor scores; refused under 10 / FAR "
    "impostor pairs",
    "face_crop": "columns 40-160 and rows 70-220 of 200x250, in proportion, of all four images; recognizers get the "
    "crop as an image of its own; what they were trained on is recognizer.views",
    "hog": "9 orientations, 10x10 cells at 200x250 (in proportion to the width elsewhere), 2x2 blocks, mean-centred, "
    "cosine",
}

Images = Sequence[np.ndarray]  # uint8 [h, w, 3] RGB each


def score_matrices(
    matcher: Matcher, sketches: Images, photos: Images, fake_photos: Images, fake_sketches: Images
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Scores ``[probes, gallery]`` by ``<kind>.<way>``, e.g. ``learned.whole.fusion``; and why a kind is left out.

    ``fake_photos`` belong to ``sketches``, ``fake_sketches`` to ``photos``, by index.
    """
    whole = (sketches, photos, fake_photos, fake_sketches)
    scores, left_out = {}, {}
    for crop in ("whole", "face"):
        try:
            images = whole if crop == "whole" else tuple([face_only(image) for image in side] for side in whole)
        except UserError as error:
            left_out |= {f"learned.{crop}": str(error), f"hog.{crop}": str(error)}
            continue
        scores |= {f"learned.{crop}.{way}": matrix for way, matrix in match(matcher, *images).items()}
        try:
            scores |= {f"hog.{crop}.{way}": matrix for way, matrix in hog_ways(*images, hog_cell(photos[0])).items()}
        except UserError as error:
            left_out[f"hog.{crop}"] = str(error)
    return scores, left_out


def face_only(image: np.ndarray) -> np.ndarray:
    """The face crop of an RGB image; ``UserError`` unless it has the proportions of the aligned 200×250."""
    height, width = image.shape[:2]
    if abs(width - 0.8 * height) >= 1:
        raise UserError(f"The face-only crop needs faces aligned as 200x250; an image is {width}x{height}.")
    return np.moveaxis(face_crop(np.moveaxis(image, -1, 0)), 0, -1)


def hog_cell(whole: np.ndarray) -> int:
    """10 pixels at 200×250, on the face crop too; in proportion to the width elsewhere."""
    return max(1, round(10 * whole.shape[1] / 200))


def hog_ways(
    sketches: Images, photos: Images, fake_photos: Images, fake_sketches: Images, cell: int
) -> dict[str, np.ndarray]:
    """As ``matching.match``, without any training: ``none`` is sketch against photo, the others use the synthesised."""
    if len({image.shape for side in (sketches, photos, fake_photos, fake_sketches) for image in side}) > 1:
        raise UserError("HOG needs images of one size; the test images have several.")
    sketches, photos, fake_photos, fake_sketches = (
        luminance(np.stack(side)) for side in (sketches, photos, fake_photos, fake_sketches)
    )
    by_photo, by_sketch = hog_scores(fake_photos, photos, cell), hog_scores(sketches, fake_sketches, cell)
    return {
        "none": hog_scores(sketches, photos, cell),
        "photo": by_photo,
        "sketch": by_sketch,
        "fusion": fuse([by_photo, by_sketch]),
    }


def recognition(scores: np.ndarray, probes: Sequence[str], gallery: Sequence[str]) -> dict:
    """``rank1``, ``rank5``, ``rank10``, ``mrr``, ``margin``, ``vr_far_1``, ``vr_far_0.1``; refused ones are None."""
    _, impostors = genuine_and_impostor_scores(scores, probes, gallery)
    result: dict = retrieval(scores, probes, gallery)
    result |= {
        "rank10": rank_k(rank_of_match(scores, probes, gallery), 10),
        "margin": margin(scores, probes, gallery),
        "impostor_pairs": len(impostors),
    }
    for name, far in FARS.items():
        try:
            threshold_at_far(impostors, far)
            result[name] = verification_rate(scores, probes, gallery, far).rate
        except UserError as error:
            result[name] = None
            result.setdefault("refused", {})[name] = str(error)
    return result


def recognition_tables(scores: dict[str, np.ndarray], left_out: dict[str, str], identities: Sequence[str]) -> dict:
    """``{"retrieval": {way: …}, "retrieval_face": …, "hog": …, "hog_face": …}``; or ``{"not_measured": why}``."""
    tables: dict = {key: {} for key in KINDS.values()}
    for name, matrix in scores.items():
        kind, way = name.rsplit(".", 1)
        tables[KINDS[kind]][way] = recognition(matrix, identities, identities)
    return tables | {KINDS[kind]: {"not_measured": why} for kind, why in left_out.items()}
