"""Exact search: every photo of the gallery is scored, by one float32 matrix product for each way.

Measured against faiss-cpu's flat index on the same vectors the product was faster (docs/gallery.md,
``benchmarks/gallery.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import fuse
from iacyclegan_tf.search.store import LONGEST, Snapshot


def cosines(snapshot: Snapshot, probes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By way, the cosine of the probe with every photo: float32 ``[N]``, in the order of ``snapshot.entries``.

    Args:
        probes: by way, float32 ``[D]`` of length 1, as the vectors are.

    Raises ``UserError`` where one is no cosine: not finite, or beyond 1.
    """
    found = {way: snapshot.vectors[way] @ probe for way, probe in probes.items()}
    for way, scores in found.items():
        if not (np.abs(scores) <= LONGEST).all():  # also NaN
            words = f"The {way} recognizer's embedding of the sketch, or one of the gallery's, is damaged"
            raise UserError(f"{words}: a cosine is between -1 and 1, and one of theirs is not.")
    return found


def fused(ways: Sequence[np.ndarray]) -> np.ndarray:
    """Scores of one probe ``[N]`` each, z-normalized over the whole gallery and added; float64 ``[N]``.

    As ``metrics.fuse``, but a way in which all photos score the same (one photo alone does) adds nothing.
    """
    varied = [scores[None] for scores in ways if scores.min() < scores.max()]
    return fuse(varied)[0] if varied else np.zeros(len(ways[0]))


def best(scores: np.ndarray, names: Sequence[str], top: int) -> np.ndarray:
    """Places of the ``top`` highest scores (fewer where there are fewer), best first; equal scores by name.

    >>> best(np.array([0.1, 0.9, 0.5, 0.9]), ["a", "d", "b", "c"], 3).tolist()
    [3, 1, 2]
    """
    places = np.arange(len(scores))
    if top < len(scores):
        places = np.flatnonzero(scores >= np.partition(scores, -top)[-top])
    return np.array(sorted(places, key=lambda place: (-scores[place], names[place]))[:top], np.int64)
