"""Faces for the report: the best and the worst synthesised pairs, and ranked candidates with the true one marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.data.faces import FacePairs
from iacyclegan_tf.evaluation.full import RoundEvaluation
from iacyclegan_tf.metrics import rank_of_match

PAIRS = 3  # best and as many worst
PROBES = 6  # half of them the hardest, half the easiest
CANDIDATES = 6


@dataclass(frozen=True)
class Tile:
    """One picture in a strip. ``mark`` is ``""``, ``"true"`` or ``"false"``."""

    jpeg: bytes
    caption: str
    mark: str = ""


@dataclass(frozen=True)
class Strip:
    section: str
    title: str
    tiles: tuple[Tile, ...]


def strips(evaluation: RoundEvaluation, test: FacePairs) -> list[Strip]:
    return [*_extreme_pairs(evaluation, test), *_candidates(evaluation, test)]


def _extreme_pairs(evaluation: RoundEvaluation, test: FacePairs) -> Iterator[Strip]:
    for direction, words, inputs, fakes, truths in (
        ("photo_to_sketch", "sketches", test.original_photos, evaluation.fake_sketches, test.original_sketches),
        ("sketch_to_photo", "photos", test.original_sketches, evaluation.fake_photos, test.original_photos),
    ):
        ssim, fsim = (evaluation.per_pair[f"{direction}.{name}"] for name in ("ssim", "fsim"))
        order = np.argsort(-ssim, kind="stable")
        count = min(PAIRS, len(order) // 2)
        for section, chosen in (("Best", order[:count]), ("Worst", order[::-1][:count])):
            for i in chosen:
                yield Strip(
                    f"{section} {words} by SSIM",
                    f"{test.identities[i]}: SSIM {ssim[i]:.3f}, FSIM {fsim[i]:.3f}",
                    (
                        Tile(jpeg(inputs[i]), "input"),
                        Tile(jpeg(fakes[i]), "synthesised"),
                        Tile(jpeg(truths[i]), "true"),
                    ),
                )


def _candidates(evaluation: RoundEvaluation, test: FacePairs) -> Iterator[Strip]:
    """By fusion on the whole crop: the probes that win least or lose most, then those that win most."""
    scores, people = evaluation.scores["learned.whole.fusion"], np.array(test.identities)
    same = people[:, None] == people[None, :]
    lead = np.where(same, scores, -np.inf).max(1) - np.where(same, -np.inf, scores).max(1)
    ranks = rank_of_match(scores, test.identities, test.identities) + 1
    order, half = np.argsort(lead, kind="stable"), min(PROBES, len(people)) // 2
    for section, probes in (("Hardest", order[:half]), ("Easiest", order[::-1][:half])):
        for i in probes:
            found = np.argsort(-scores[i], kind="stable")[:CANDIDATES]
            yield Strip(
                f"{section} searches, ranked by fusion",
                f"{people[i]}: true photo at rank {ranks[i]}",
                (
                    Tile(jpeg(test.original_sketches[i]), "probe"),
                    Tile(jpeg(evaluation.fake_photos[i]), "synthesised"),
                    *(
                        Tile(
                            jpeg(test.original_photos[j]),
                            f"{place}. {scores[i, j]:.2f}",
                            "true" if same[i, j] else "false",
                        )
                        for place, j in enumerate(found, 1)
                    ),
                ),
            )


def jpeg(image: np.ndarray) -> bytes:
    """uint8 ``[h, w, 3]`` -> JPEG."""
    import tensorflow as tf

    return tf.io.encode_jpeg(image, quality=90).numpy()
