"""Score matrices [probes, gallery]: their checks, which of their pairs are genuine, and the fusion of several."""

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError


def checked_scores(scores: np.ndarray, what: str = "The score matrix") -> np.ndarray:
    """Scores as float64 [probes, gallery]; raises UserError unless it is a finite, real, non-empty matrix."""
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.size == 0 or scores.dtype.kind not in "iuf":
        raise UserError(
            f"{what} must be a non-empty matrix of numbers [probes, gallery]; "
            f"this is {scores.dtype} of shape {list(scores.shape)}."
        )
    if not np.isfinite(scores).all():
        broken = int((~np.isfinite(scores)).sum())
        raise UserError(
            f"{what} has {broken} values of {scores.size} that are not finite; every score must be a finite number."
        )
    return scores.astype(np.float64)


def genuine_pairs(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence) -> np.ndarray:
    """Boolean [probes, gallery]: True where probe and gallery image show one person.

    Labels are of one kind, one a row and one a column. Raises UserError where a probe's identity is not in the gallery
    (every measure here is closed-set).
    """
    probe_ids, gallery_ids = np.array(list(probe_ids)), np.array(list(gallery_ids))
    genuine = probe_ids[:, None] == gallery_ids
    missing = ~genuine.any(axis=1)
    if missing.any():
        raise UserError(
            f"{int(missing.sum())} probe identities are not in the gallery, the first is "
            f"{probe_ids[missing][0]}; every probe must have its person in the gallery."
        )
    return genuine


def best_score(scores: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Each probe's highest score among the pairs marked True (one at least in each row); [probes]."""
    return np.where(among, scores, -np.inf).max(axis=1)


def z_normalize(scores: np.ndarray, what: str = "The score matrix") -> np.ndarray:
    """(scores - mean) / population standard deviation over the whole matrix; float64 [probes, gallery].

    Raises UserError where all scores are equal: such a matrix says nothing, and its deviation is 0.
    """
    scores = checked_scores(scores, what)
    if scores.min() == scores.max():
        raise UserError(f"{what} holds one value only ({scores.flat[0]:g}) and cannot be z-normalized.")
    return (scores - scores.mean()) / scores.std()


def fuse(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Sum of the z-normalized matrices; float64 [probes, gallery].

    Raises UserError for a constant or non-finite matrix.
    """
    return sum(z_normalize(m, f"Score matrix {i + 1} of the fusion") for i, m in enumerate(matrices))
