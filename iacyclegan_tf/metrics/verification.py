"""Verification ("is this the person?") from a score matrix: ROC, rate at a false accept rate, threshold, d'.

A pair is accepted where its score is **greater than** the threshold. The threshold at a false accept rate
(FAR) f is ``numpy.quantile(impostor scores, 1 - f)``, interpolated linearly between two scores; of N
impostors it accepts up to one more than N f.

Few impostor pairs make a threshold worthless: f needs at least 10 / f of them. ``threshold_at_far``, whose
result decides about people, refuses fewer. ``verification_rate`` always gives its number (48 people have 2,256
impostor pairs, and the field prints FAR 0.1 % all the same): hold ``needed_impostor_pairs`` against it.
"""

from collections.abc import Sequence
from math import ceil

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics.score_matrix import checked_scores, genuine_pairs


def genuine_and_impostor_scores(
    scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a score matrix [probes, gallery] in two float64 lists: genuine, impostor.

    Raises UserError as ``rank_of_match`` does, and where there is no impostor pair.
    """
    scores = checked_scores(scores)
    genuine = genuine_pairs(scores, probe_ids, gallery_ids)
    if genuine.all():
        raise UserError("Verification needs impostor pairs; all probes and gallery images show one person.")
    return scores[genuine], scores[~genuine]


def roc(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """False and true accept rates over all pairs, a point per distinct score: none to all accepted.

    Raises UserError as ``genuine_and_impostor_scores`` does.
    """
    genuine, impostor = genuine_and_impostor_scores(scores, probe_ids, gallery_ids)
    thresholds = np.append(np.unique(np.concatenate([genuine, impostor]))[::-1], -np.inf)
    return tuple(1 - np.searchsorted(np.sort(some), thresholds, "right") / len(some) for some in (impostor, genuine))


def verification_rate(scores: np.ndarray, probe_ids: Sequence, gallery_ids: Sequence, far: float) -> float:
    """Share (0..1) of genuine pairs accepted at FAR ``far`` (0.01 is 1 %).

    Raises UserError as ``genuine_and_impostor_scores`` does.
    """
    genuine, impostor = genuine_and_impostor_scores(scores, probe_ids, gallery_ids)
    return float((genuine > np.quantile(impostor, 1 - far)).mean())


def threshold_at_far(impostor_scores: np.ndarray, far: float) -> float:
    """Threshold above which a share ``far`` of the impostor scores (a list [N]) lies.

    Raises UserError for fewer than 10 / far scores, or scores that are not finite.
    """
    impostor = checked_scores(np.asarray(impostor_scores)[None], "The list of impostor scores")
    if impostor.size < needed_impostor_pairs(far):
        raise UserError(
            f"A verification threshold at FAR {far:g} needs at least "
            f"{needed_impostor_pairs(far)} impostor pairs (10 / FAR); there are {impostor.size}."
        )
    return float(np.quantile(impostor, 1 - far))


def needed_impostor_pairs(far: float) -> int:
    """10 / far, rounded up."""
    return ceil(10 / far)


def d_prime(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """d' = (mean genuine - mean impostor) / sqrt((variance genuine + variance impostor) / 2), of two lists of scores.

    In signal detection the distance of the two distributions in their common spread (Green and Swets 1966). It does
    not depend on the scale of the scores, and still moves where rank-1 is 100 %. 0 for scores that are all equal.
    """
    spread = np.sqrt((np.var(genuine) + np.var(impostor)) / 2)
    return float((np.mean(genuine) - np.mean(impostor)) / max(spread, 1e-12))
