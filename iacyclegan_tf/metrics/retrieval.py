"""Closed-set retrieval from a score matrix: ranks, rank-k, CMC curve, mean reciprocal rank, margin.

Scores are higher for the more alike. **Ties count against the system**: an impostor with the very score of
the match is ranked before it, so that a matcher that gives every image the same score has rank-1 0 and not
100 %.
"""

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.metrics.score_matrix import best_score, checked_scores, genuine_pairs


def rank_of_match(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence) -> np.ndarray:
    """0-based rank of each probe's match: how many impostor images score at least as high. int64 [probes].

    Where the gallery holds several images of a person the best of them is the match. Raises UserError for a
    matrix that is not finite or does not fit its labels, and for a probe whose person is not in the gallery.
    """
    scores = checked_scores(scores)
    genuine = genuine_pairs(scores, probe_ids, gallery_ids)
    return ((scores >= best_score(scores, genuine)[:, None]) & ~genuine).sum(axis=1)


def rank_k(ranks: np.ndarray, k: int) -> float:
    """Share (0..1) of probes whose match is among the first k; ``ranks`` from ``rank_of_match``, k from 1."""
    if k < 1:
        raise UserError(f"Rank-k needs k of at least 1; it is {k}.")
    return float((_checked_ranks(ranks) < k).mean())


def cmc(ranks: np.ndarray, size: int) -> np.ndarray:
    """Cumulative match characteristic: float64 [size], rank-1 to rank-``size`` as shares (0..1)."""
    if size < 1:
        raise UserError(f"A CMC curve needs a size of at least 1; it is {size}.")
    ranks = _checked_ranks(ranks)
    return np.cumsum(np.bincount(ranks[ranks < size], minlength=size)) / len(ranks)


def mean_reciprocal_rank(ranks: np.ndarray) -> float:
    """Mean of 1 / (1 + rank) over the probes, in (0, 1]."""
    return float((1 / (1 + _checked_ranks(ranks))).mean())


def margin(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence) -> float:
    """Mean of ``margins``. It still moves where rank-1 is 100 %."""
    return float(margins(scores, probe_ids, gallery_ids).mean())


def margins(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence) -> np.ndarray:
    """Best genuine score - best impostor score of each probe, in the scores' own unit. float64 [probes].

    Raises UserError as ``rank_of_match`` does, and for a probe without an impostor.
    """
    scores = checked_scores(scores)
    genuine = genuine_pairs(scores, probe_ids, gallery_ids)
    if genuine.all(axis=1).any():
        raise UserError("The margin needs at least one other person in the gallery for each probe; "
                        f"{int(genuine.all(axis=1).sum())} probes of {len(scores)} have none.")
    return best_score(scores, genuine) - best_score(scores, ~genuine)


def _checked_ranks(ranks: np.ndarray) -> np.ndarray:
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or ranks.size == 0 or ranks.dtype.kind not in "iu" or ranks.min() < 0:
        raise UserError("Ranks must be a non-empty list of whole numbers from 0, as rank_of_match gives; "
                        f"these are {ranks.dtype} of shape {list(ranks.shape)}.")
    return ranks.astype(np.int64)
