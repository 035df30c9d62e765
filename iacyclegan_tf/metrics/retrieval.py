"""Closed-set retrieval from a score matrix: ranks, rank-k, CMC curve, mean reciprocal rank, margins, larger galleries.

Scores are higher for the more alike. **Ties count against the system**: an impostor with the very score of
the match is ranked before it, so that a matcher that gives every image the same score has rank-1 0 and not
100 %.
"""

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
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
    return float((ranks < k).mean())


def cmc(ranks: np.ndarray, size: int) -> np.ndarray:
    """Cumulative match characteristic: float64 [size], rank-1 to rank-``size`` as shares (0..1)."""
    return np.cumsum(np.bincount(ranks[ranks < size], minlength=size)) / len(ranks)


def mean_reciprocal_rank(ranks: np.ndarray) -> float:
    """Mean of 1 / (1 + rank) over the probes, in (0, 1]."""
    return float((1 / (1 + ranks)).mean())


def margins(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence) -> np.ndarray:
    """Best genuine score - best impostor score of each probe, in the scores' own unit; float64 [probes].

    Their mean still moves where rank-1 is 100 %. Raises UserError as ``rank_of_match`` does, and for a probe without
    an impostor.
    """
    scores = checked_scores(scores)
    genuine = genuine_pairs(scores, probe_ids, gallery_ids)
    if genuine.all(axis=1).any():
        raise UserError(
            "The margin needs at least one other person in the gallery for each probe; "
            f"{int(genuine.all(axis=1).sum())} probes of {len(scores)} have none."
        )
    return best_score(scores, genuine) - best_score(scores, ~genuine)


def rank_k_by_gallery_size(
    scores: np.ndarray,
    distractor_scores: np.ndarray,
    probe_ids: Sequence,
    gallery_ids: Sequence,
    k: int = 1,
    repeats: int = 20,
    seed: int = 0,
) -> dict:
    """Rank-k (0..1) of a closed-set search in growing galleries: ``size``, ``mean``, ``deviation``, ``protocol``.

    ``scores`` [probes, gallery] are those of the enrolled images, ``distractor_scores`` [probes, distractors]
    those of images of other people. A gallery of size s holds all enrolled images and the first s - gallery
    of a random order of the distractors, so that in each of the ``repeats`` orders the galleries grow and
    rank-k falls or stays. Sizes double from the enrolled images alone to all images. Ties count against the system.

    Raises UserError as ``rank_of_match`` does.
    """
    distractor_scores = checked_scores(distractor_scores, "The distractor score matrix")
    enrolled, total = scores.shape[1], scores.shape[1] + distractor_scores.shape[1]
    sizes = np.unique([*(enrolled * 2 ** np.arange(int(np.log2(total / enrolled)) + 1)), total])
    ranks, match = rank_of_match(scores, probe_ids, gallery_ids), genuine_pairs(scores, probe_ids, gallery_ids)
    beaten = distractor_scores >= best_score(scores, match)[:, None]
    shares = np.empty((repeats, len(sizes)))
    rng = np.random.default_rng(seed)
    for row in shares:
        order = rng.permutation(beaten.shape[1])
        before = np.concatenate([np.zeros((len(ranks), 1), int), np.cumsum(beaten[:, order], axis=1)], axis=1)
        row[:] = (ranks[:, None] + before[:, sizes - enrolled] < k).mean(axis=0)
    protocol = (
        f"rank-{k}, {enrolled} enrolled images and up to {total - enrolled} distractors, {repeats} random orders, "
        f"seed {seed}"
    )
    values = {"size": sizes, "mean": shares.mean(axis=0), "deviation": shares.std(axis=0)}
    return {name: value.tolist() for name, value in values.items()} | {"protocol": protocol}
