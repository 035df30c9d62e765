"""Whether a fine-tuned recognizer is kept: judged on people whom it was not trained on, by a paired bootstrap.

The paper keeps every fine-tuned recognizer. With few training people that harms (docs/recognizers.md), so a new
recognizer replaces the old one only where the validation people support it [O].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.metrics import rank_k, rank_of_match

RESAMPLES = 1000
CONFIDENCE = 0.8  # share of resamples in which the new recognizer must separate people better


@dataclass(frozen=True)
class Judgement:
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


def judge(scores: Sequence[np.ndarray], people: Sequence[str]) -> Judgement:
    """From a matrix ``[N, N]`` for each crop; ``people`` names whom row and column i show.

    Raises ``UserError`` for scores that are not finite.
    """
    ranks = [rank_of_match(matrix, people, people) for matrix in scores]
    same = _same(people)
    return Judgement(
        tuple(rank_k(rank, 1) for rank in ranks),
        tuple(d_prime(matrix[same], matrix[~same]) for matrix in scores),
        np.stack(scores),
    )


def d_prime(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """d′ = (mean genuine − mean impostor) / sqrt((var genuine + var impostor) / 2), the distance of the two in
    standard deviations.

    It still moves where rank-1 is 100 % and does not depend on the scale of the scores. 0 where nothing varies.
    """
    spread = np.sqrt((genuine.var() + impostor.var()) / 2)
    return float((genuine.mean() - impostor.mean()) / spread) if spread > 1e-12 else 0.0


def supported(old: Judgement, new: Judgement, people: Sequence[str], seed: int = 0) -> float:
    """The share of bootstrap resamples of the validation people in which ``new`` has a larger d′, averaged over
    crops, than ``old``.

    Whole people are drawn, and both recognizers are judged on the same draw: a person drawn twice counts twice, and
    so does each comparison of that person with another.
    """
    numbers = np.unique(np.asarray(people), return_inverse=True)[1]
    count = numbers.max() + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    draws = draws[(draws > 0).sum(1) > 1][:, numbers]  # one person alone has no impostor
    same = _same(people)
    before, after = (
        np.mean([_weighted_d_prime(scores, same, draws) for scores in judged.scores], axis=0) for judged in (old, new)
    )
    return float(np.mean(after > before)) if len(draws) else 0.0


def _weighted_d_prime(scores: np.ndarray, same: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """d′ for each row of ``weights`` ``[R, N]``: a genuine score counts as often as its person, an impostor's as
    often as both."""
    genuine = np.stack([weights @ (same * power).sum(1) for power in (np.ones_like(scores), scores, scores**2)])
    impostor = np.stack(
        [((weights @ (~same * power)) * weights).sum(1) for power in (np.ones_like(scores), scores, scores**2)]
    )
    (genuine_mean, genuine_var), (impostor_mean, impostor_var) = (
        (sums[1] / sums[0], sums[2] / sums[0] - (sums[1] / sums[0]) ** 2) for sums in (genuine, impostor)
    )
    return (genuine_mean - impostor_mean) / np.sqrt(np.maximum((genuine_var + impostor_var) / 2, 1e-24))


def is_better(old: Judgement, new: Judgement, people: Sequence[str], seed: int = 0) -> bool:
    """``new`` finds at most one probe fewer than ``old`` at rank 1, on each crop, and separates better in
    ``CONFIDENCE`` of the resamples.

    A rank-1 that may not fall at all would refuse good recognizers for one probe in eighty.
    """
    probes = len(people)
    if not all(after * probes >= before * probes - 1.5 for before, after in zip(old.rank1, new.rank1, strict=True)):
        return False
    return supported(old, new, people, seed) >= CONFIDENCE


def _same(people: Sequence[str]) -> np.ndarray:
    names = np.asarray(people)
    return names[:, None] == names[None, :]
