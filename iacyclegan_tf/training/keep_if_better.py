"""Whether a fine-tuned recognizer is kept: judged on people whom it was not trained on, by a paired bootstrap.

The paper keeps every fine-tuned recognizer. With few training people that harms (docs/recognizers.md), so a new
recognizer replaces the old one only where the validation people support it [O].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.metrics import d_prime, genuine_and_impostor_scores, rank_k, rank_of_match
from iacyclegan_tf.metrics.bootstrap import draw_people, resampled_d_prime

RESAMPLES = 1000
CONFIDENCE = 0.8  # share of resamples in which the new recognizer must separate people better


@dataclass(frozen=True)
class Judgment:
    """What the validation people say of one recognizer.

    Attributes:
        rank1: a share for each crop (the whole image and the face alone).
        separation: d′ (``d_prime``) for each crop.
        scores: the cosines ``[crops, N, N]`` of probes (rows) and gallery, paired by index.
    """

    rank1: tuple[float, ...]
    separation: tuple[float, ...]
    scores: np.ndarray

    def as_dict(self) -> dict:
        return {"rank1": list(self.rank1), "separation": list(self.separation)}


def judge(scores: Sequence[np.ndarray], people: Sequence[str]) -> Judgment:
    """From a matrix ``[N, N]`` for each crop; ``people`` names whom row and column i show.

    Raises ``UserError`` for scores that are not finite.
    """
    ranks = [rank_of_match(matrix, people, people) for matrix in scores]
    return Judgment(
        tuple(rank_k(rank, 1) for rank in ranks),
        tuple(d_prime(*genuine_and_impostor_scores(matrix, people, people)) for matrix in scores),
        np.stack(scores),
    )


def supported(old: Judgment, new: Judgment, people: Sequence[str], seed: int = 0) -> float:
    """The share of bootstrap resamples of the validation people in which ``new`` separates better than ``old``.

    By d′ averaged over the crops. Whole people are drawn, and both recognizers are judged on the same draw.
    """
    draws = draw_people(len(set(people)), RESAMPLES, seed)
    before, after = (
        np.mean([resampled_d_prime(scores, people, people, draws) for scores in judged.scores], axis=0)
        for judged in (old, new)
    )
    return float(np.mean(after > before))  # NaN, where one person alone is drawn, supports nothing


def is_better(old: Judgment, new: Judgment, share: float) -> bool:
    """Whether ``new`` takes the place of ``old``; ``share`` from ``supported``.

    It may find one probe fewer at rank 1 on each crop, since a rank-1 that must not fall at all refuses good
    recognizers for one probe in eighty, and has to separate better in ``CONFIDENCE`` of the resamples.
    """
    probes = new.scores.shape[1]
    if not all(after * probes >= before * probes - 1.5 for before, after in zip(old.rank1, new.rank1, strict=True)):
        return False
    return share >= CONFIDENCE
