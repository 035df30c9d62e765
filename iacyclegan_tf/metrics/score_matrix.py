"""The one check of score matrices [probes, gallery] and identity labels, and which pairs are genuine."""

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.errors import UserError


def checked_scores(scores: np.ndarray, what: str = "The score matrix") -> np.ndarray:
    """Scores as float64 [probes, gallery]; raises UserError unless it is a finite, real, non-empty matrix."""
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.size == 0 or scores.dtype.kind not in "iuf":
        raise UserError(f"{what} must be a non-empty matrix of numbers [probes, gallery]; "
                        f"this is {scores.dtype} of shape {list(scores.shape)}.")
    if not np.isfinite(scores).all():
        broken = int((~np.isfinite(scores)).sum())
        raise UserError(f"{what} has {broken} values of {scores.size} that are not finite; "
                        "every score must be a finite number.")
    return scores.astype(np.float64)


def genuine_pairs(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence) -> np.ndarray:
    """Boolean [probes, gallery]: True where probe and gallery image show one person.

    Labels are strings or integers, one a row and one a column. Raises UserError where their number is wrong
    or a probe's identity is not in the gallery (every measure here is closed-set).
    """
    probe_ids, gallery_ids = np.asarray(probe_ids), np.asarray(gallery_ids)
    if probe_ids.shape != scores.shape[:1] or gallery_ids.shape != scores.shape[1:]:
        raise UserError(f"A score matrix of shape {list(scores.shape)} needs {scores.shape[0]} probe identities "
                        f"and {scores.shape[1]} gallery identities; there are {probe_ids.size} and "
                        f"{gallery_ids.size}.")
    genuine = np.equal(probe_ids[:, None].astype(object), gallery_ids[None, :].astype(object)).astype(bool)
    missing = ~genuine.any(axis=1)
    if missing.any():
        raise UserError(f"{int(missing.sum())} probe identities are not in the gallery, the first is "
                        f"{probe_ids[missing][0]!s}; every probe must have its person in the gallery.")
    return genuine
