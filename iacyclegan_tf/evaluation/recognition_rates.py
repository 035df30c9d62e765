"""What is measured on recognition: four ways of matching, learned and by HOG, on the whole crop and the face alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.evaluation.identity_judge import DLIB, HOG
from iacyclegan_tf.evaluation.matching import Matcher, match
from iacyclegan_tf.metrics import (
    d_prime,
    face_crop,
    fuse,
    genuine_and_impostor_scores,
    hog_scores,
    luminance,
    margins,
    mean_reciprocal_rank,
    rank_k,
    rank_of_match,
    threshold_at_far,
)
from iacyclegan_tf.serving.calling import Images

FARS = {"vr_far_1": 0.01, "vr_far_0.1": 0.001}  # the names say per cent
TABLES = {"learned.whole": "retrieval", "learned.face": "retrieval_face", "hog.whole": "hog", "hog.face": "hog_face"}
PROTOCOL = {
    "retrieval": "probes are sketches, the gallery is all test photos; ties count against the system; rank-k, CMC, "
    "mean reciprocal rank; margin: mean of genuine score - best impostor score, in the scores' unit",
    "verification": "share of genuine pairs above the linear quantile of all impostor scores; refused under 10 / FAR "
    "impostor pairs",
    "d_prime": "(mean genuine - mean impostor score) / square root of the mean of both variances, over all pairs",
    "face_crop": "columns 40-160 and rows 70-220 of 200x250, in proportion, of all four images; recognizers get the "
    "crop as an image of its own; what they were trained on is recognizer.views",
    "chips": "dlib's network is shown chips of 150x150, by the landmarks of each image as it is (a synthesized image: "
    "by those of the image it was made from); the fixed place in an aligned crop where no face was found",
    "hog": "9 orientations, 10x10 cells at 200x250 (in proportion to the width elsewhere), 2x2 blocks, mean-centered, "
    "cosine",
    "identity_kept": "synthesized images against the real ones of all test people, judged by what took no part in "
    "training (identity_judge.py)",
    "by_subset": "probes and pairs of one subset; searched in the gallery of all test photos, with the fusion's scale "
    "of all",
}


def score_matrices(
    matcher: Matcher,
    sketches: Images,
    photos: Images,
    fake_photos: Images,
    fake_sketches: Images,
    chips: tuple[Images, Images, Images, Images] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Scores ``[probes, gallery]`` by ``<kind>.<way>``, e.g. ``learned.whole.fusion``; and why a kind is left out.

    ``fake_photos`` belong to ``sketches``, ``fake_sketches`` to ``photos``, by index. ``chips``: of all four, where the
    recognizers are shown these (``matching.shown``).
    """
    whole = (sketches, photos, fake_photos, fake_sketches)
    scores, left_out = {}, {}
    for crop in ("whole", "face"):
        try:
            images = whole if crop == "whole" else tuple([face_crop(image) for image in side] for side in whole)
        except UserError as error:
            left_out |= {f"learned.{crop}": str(error), f"hog.{crop}": str(error)}
            continue
        if chips and crop == "face":
            left_out["learned.face"] = "the recognizers see the face alone already, cut out by its landmarks"
        else:
            scores |= {f"learned.{crop}.{way}": matrix for way, matrix in match(matcher, *(chips or images)).items()}
        try:
            scores |= {f"hog.{crop}.{way}": matrix for way, matrix in hog_ways(*images, hog_cell(photos[0])).items()}
        except UserError as error:
            left_out[f"hog.{crop}"] = str(error)
    return scores, left_out


def hog_cell(whole: np.ndarray) -> int:
    """10 pixels at 200×250, on the face crop too; in proportion to the width elsewhere."""
    return max(1, round(10 * whole.shape[1] / 200))


def hog_ways(
    sketches: Images, photos: Images, fake_photos: Images, fake_sketches: Images, cell: int
) -> dict[str, np.ndarray]:
    """As ``matching.match``, without any training: ``none`` is sketch against photo, the others use the synthesized."""
    sides = (sketches, photos, fake_photos, fake_sketches)
    if len({image.shape for side in sides for image in side}) > 1:
        raise UserError("HOG needs images of one size; the test images have several.")
    sketches, photos, fake_photos, fake_sketches = (luminance(np.stack(side)) for side in sides)
    by_photo, by_sketch = hog_scores(fake_photos, photos, cell), hog_scores(sketches, fake_sketches, cell)
    none = hog_scores(sketches, photos, cell)
    return {"none": none, "photo": by_photo, "sketch": by_sketch, "fusion": fuse([by_photo, by_sketch])}


def recognition(scores: np.ndarray, probes: Sequence[str], gallery: Sequence[str]) -> dict:
    """``rank1``, ``rank5``, ``rank10``, ``mrr``, ``margin``, ``d_prime``, ``impostor_pairs`` and the rates of ``FARS``.

    A rate is None where the impostors are too few; ``refused`` then says why.
    """
    genuine, impostors = genuine_and_impostor_scores(scores, probes, gallery)
    ranks = rank_of_match(scores, probes, gallery)
    result: dict = {f"rank{k}": rank_k(ranks, k) for k in (1, 5, 10)} | {
        "mrr": mean_reciprocal_rank(ranks),
        "margin": float(margins(scores, probes, gallery).mean()),
        "d_prime": d_prime(genuine, impostors),
        "impostor_pairs": len(impostors),
    }
    for name, far in FARS.items():
        try:
            result[name] = float((genuine > threshold_at_far(impostors, far)).mean())
        except UserError as error:
            result[name] = None
            result.setdefault("refused", {})[name] = str(error)
    return result


def recognition_tables(
    scores: dict[str, np.ndarray],
    left_out: dict[str, str],
    probes: Sequence[str],
    gallery: Sequence[str],
    judged: dict[str, np.ndarray] | None = None,
) -> dict:
    """``{"retrieval": {way: …}, "retrieval_face": …, "hog": …, "hog_face": …, "identity_kept": …}``.

    What ``left_out`` names is ``{"not_measured": why}``. ``identity_kept`` is how well synthesized images are told to
    show their person by a judge that no training knew: ``judged`` are dlib's scores, ``photos`` and ``sketches``;
    without them HOG judges.
    """
    tables: dict = {key: {} for key in TABLES.values()}
    for name, matrix in scores.items():
        kind, way = name.rsplit(".", 1)
        tables[TABLES[kind]][way] = recognition(matrix, probes, gallery)
    tables |= {TABLES[kind]: {"not_measured": why} for kind, why in left_out.items()}
    if judged:
        kept = {side: recognition(matrix, probes, gallery) for side, matrix in judged.items()}
        return tables | {"identity_kept": {"judge": DLIB, **kept}}
    hog = tables["hog"]
    kept = {"photos": hog["photo"], "sketches": hog["sketch"]} if "not_measured" not in hog else hog
    return tables | {"identity_kept": {"judge": HOG, **kept}}
