"""Faces for the report: the best and the worst synthesized pairs, and ranked candidates with the true one marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.data.load_faces import FacePairs
from iacyclegan_tf.evaluation.result_files import RoundResult
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
    """Pictures side by side under a title, in a section of the report."""

    section: str
    title: str
    tiles: tuple[Tile, ...]


def strips(
    result: RoundResult, fake_sketches: Sequence[np.ndarray], fake_photos: Sequence[np.ndarray], test: FacePairs
) -> list[Strip]:
    photos, sketches = test.original_photos, test.original_sketches
    return [
        *_extreme_pairs(result, "photo_to_sketch", "sketches", photos, fake_sketches, sketches),
        *_extreme_pairs(result, "sketch_to_photo", "photos", sketches, fake_photos, photos),
        *_candidates(result, fake_photos, test),
    ]


def _extreme_pairs(result: RoundResult, direction: str, words: str, inputs, fakes, truths) -> Iterator[Strip]:
    ssim, fsim = (result.per_pair[f"{direction}.{name}"] for name in ("ssim", "fsim"))
    order = np.argsort(-ssim, kind="stable")
    count = min(PAIRS, len(order) // 2)
    for section, chosen in (("Best", order[:count]), ("Worst", order[::-1][:count])):
        for i in chosen:
            images = ((inputs[i], "input"), (fakes[i], "synthesized"), (truths[i], "true"))
            title = f"{result.identities[i]}: SSIM {ssim[i]:.3f}, FSIM {fsim[i]:.3f}"
            yield Strip(f"{section} {words} by SSIM", title, tuple(Tile(jpeg(image), name) for image, name in images))


def _candidates(result: RoundResult, fake_photos: Sequence[np.ndarray], test: FacePairs) -> Iterator[Strip]:
    """By fusion on the whole crop: the probes that win least or lose most, then those that win most."""
    scores, people = result.scores["learned.whole.fusion"], np.array(result.identities)
    same = people[:, None] == people[None, :]
    lead = np.where(same, scores, -np.inf).max(1) - np.where(same, -np.inf, scores).max(1)
    ranks = rank_of_match(scores, people, people) + 1
    order, half = np.argsort(lead, kind="stable"), min(PROBES, len(people)) // 2
    for section, probes in (("Hardest", order[:half]), ("Easiest", order[::-1][:half])):
        for i in probes:
            tiles = [Tile(jpeg(test.original_sketches[i]), "probe"), Tile(jpeg(fake_photos[i]), "synthesized")]
            for place, j in enumerate(np.argsort(-scores[i], kind="stable")[:CANDIDATES], 1):
                mark = "true" if same[i, j] else "false"
                tiles.append(Tile(jpeg(test.original_photos[j]), f"{place}. {scores[i, j]:.2f}", mark))
            title = f"{people[i]}: true photo at rank {ranks[i]}"
            yield Strip(f"{section} searches, ranked by fusion", title, tuple(tiles))


def jpeg(image: np.ndarray) -> bytes:
    """uint8 ``[h, w, 3]`` -> JPEG."""
    import tensorflow as tf

    return tf.io.encode_jpeg(image, quality=90).numpy()
