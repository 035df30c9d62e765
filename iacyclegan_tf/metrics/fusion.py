"""Score fusion of photo matching and sketch matching: z-normalise each matrix, then add.

The paper (Fang et al. 2020) fuses the two scores without saying how; z-normalised scores of equal weight are
this project's choice.
"""

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.metrics.score_matrix import checked_scores


def z_normalise(scores: np.ndarray, what: str = "The score matrix") -> np.ndarray:
    """(scores - mean) / population standard deviation over the whole matrix; float64 [probes, gallery].

    Raises UserError where all scores are equal: such a matrix says nothing, and its deviation is 0.
    """
    scores = checked_scores(scores, what)
    if scores.min() == scores.max():
        raise UserError(f"{what} holds one value only ({scores.flat[0]:g}) and cannot be z-normalised.")
    return (scores - scores.mean()) / scores.std()


def fuse(matrices: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Weighted sum of the z-normalised matrices (equal weights of 1 by default); float64 [probes, gallery].

    Raises UserError for no matrix, unequal shapes, a constant or non-finite matrix, or weights that are not
    one finite number from 0 per matrix with at least one above 0.
    """
    if not len(matrices):
        raise UserError("Fusion needs at least one score matrix; there is none.")
    shapes = [np.shape(matrix) for matrix in matrices]
    if len(set(shapes)) > 1:
        raise UserError(f"Fusion needs score matrices of one shape; these have {[list(s) for s in shapes]}.")
    weights = np.ones(len(matrices)) if weights is None else np.asarray(weights, np.float64)
    usable = np.isfinite(weights).all() and weights.min(initial=0) >= 0 and weights.max(initial=0) > 0
    if weights.shape != (len(matrices),) or not usable:
        raise UserError(f"Fusion of {len(matrices)} matrices needs as many finite weights from 0, not all 0; "
                        f"these are {weights.tolist()}.")
    normalised = [z_normalise(m, f"Score matrix {i + 1} of the fusion") for i, m in enumerate(matrices)]
    return sum(weight * matrix for weight, matrix in zip(weights, normalised))
