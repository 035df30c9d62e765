"""Rank-k against the size of the gallery: the people enrolled, and more and more distractors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.metrics.retrieval import rank_of_match
from iacyclegan_tf.metrics.score_matrix import best_score, checked_scores, genuine_pairs


class GallerySizeCurve(NamedTuple):
    """Rank-k (0..1) at each gallery size: mean and standard deviation over the random sub-galleries."""

    size: np.ndarray  # int64 [S], ascending
    mean: np.ndarray  # float64 [S]
    deviation: np.ndarray  # float64 [S]; 0 without and with all distractors
    protocol: str


def rank_k_by_gallery_size(scores: np.ndarray, distractor_scores: np.ndarray, probe_ids: Sequence,
                           gallery_ids: Sequence, sizes: Sequence[int] | None = None, k: int = 1,
                           repeats: int = 20, seed: int = 0) -> GallerySizeCurve:
    """Rank-k of a closed-set search in growing galleries.

    ``scores`` [probes, gallery] are those of the enrolled images, ``distractor_scores`` [probes, distractors]
    those of images of other people. A gallery of size s holds all enrolled images and the first s - gallery
    of a random order of the distractors, so that in each of the ``repeats`` orders the galleries grow and
    rank-k falls or stays. Default sizes double from the enrolled images alone to all images. Ties count
    against the system.

    Raises UserError as ``rank_of_match`` does, for unequal numbers of probes, sizes outside enrolled..all, or
    k or repeats below 1.
    """
    scores = checked_scores(scores)
    distractor_scores = checked_scores(distractor_scores, "The distractor score matrix")
    if len(scores) != len(distractor_scores):
        raise UserError(f"The distractor score matrix has {len(distractor_scores)} probes, the score matrix "
                        f"{len(scores)}; they must be the same probes.")
    if k < 1 or repeats < 1:
        raise UserError("Rank-k against gallery size needs k and repeats of at least 1; "
                        f"they are {k} and {repeats}.")
    added = _checked_sizes(sizes, scores.shape[1], distractor_scores.shape[1]) - scores.shape[1]
    match = best_score(scores, genuine_pairs(scores, probe_ids, gallery_ids))[:, None]
    ranks = rank_of_match(scores, probe_ids, gallery_ids)
    runs = _runs(ranks, distractor_scores >= match, added, k, repeats, seed)
    protocol = (f"rank-{k}, {scores.shape[1]} enrolled images and up to {added.max()} of "
                f"{distractor_scores.shape[1]} distractors, {repeats} random orders, seed {seed}")
    return GallerySizeCurve(added + scores.shape[1], runs.mean(axis=0), runs.std(axis=0), protocol)


def _runs(ranks: np.ndarray, beaten: np.ndarray, added: np.ndarray, k: int, repeats: int,
          seed: int) -> np.ndarray:
    """Rank-k in each random order at each number of added distractors; [repeats, S]."""
    rng = np.random.default_rng(seed)
    runs = np.empty((repeats, len(added)))
    for run in runs:
        order = rng.permutation(beaten.shape[1])
        before = np.concatenate([np.zeros((len(ranks), 1), int), np.cumsum(beaten[:, order], axis=1)], axis=1)
        run[:] = (ranks[:, None] + before[:, added] < k).mean(axis=0)
    return runs


def _checked_sizes(sizes: Sequence[int] | None, enrolled: int, distractors: int) -> np.ndarray:
    total = enrolled + distractors
    if sizes is None:
        doubling = enrolled * 2 ** np.arange(int(np.log2(total / enrolled)) + 1)
        return np.unique(np.append(doubling, total))
    sizes = np.unique(np.asarray(sizes))
    if sizes.size == 0 or sizes.dtype.kind not in "iu" or sizes[0] < enrolled or sizes[-1] > total:
        raise UserError(f"Gallery sizes must be whole numbers from {enrolled} (all enrolled) to {total} "
                        f"(with all distractors); these are {sizes.tolist()}.")
    return sizes.astype(np.int64)
