"""Recognition of people with several photos: one photo each in the gallery, all others as probes, every choice once."""

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.metrics.retrieval import rank_k, rank_of_match
from iacyclegan_tf.metrics.score_matrix import checked_scores


def rank1_by_gallery_choice(scores: np.ndarray, identities: Sequence[str]) -> np.ndarray:
    """Rank-1, 0..1, of each choice of gallery; float64 [choices]. Its mean is the number to report.

    ``scores`` [N, N]: photo against photo, higher for the more alike. Choice j takes the j-th photo of every person (in
    the given order) as gallery and all other photos as probes; there are as many choices as the person with the
    fewest photos has. Ties count against the system.

    Raises UserError for a matrix that is not finite, not square or does not fit ``identities``, for fewer than two
    people, and for a person with one photo only.
    """
    scores, identities = checked_scores(scores), np.array(list(identities))
    if scores.shape != (len(identities),) * 2:
        raise UserError(f"{len(identities)} photos need scores of {len(identities)} x {len(identities)}; "
                        f"these are of shape {list(scores.shape)}.")
    places = [np.flatnonzero(identities == person) for person in np.unique(identities)]
    choices = min(map(len, places))
    if len(places) < 2 or choices < 2:
        raise UserError(f"A gallery of one photo each needs at least 2 people with 2 photos each; there are {len(places)} "
                        f"people, the fewest photos of one are {choices}.")
    results = []
    for choice in range(choices):
        gallery = np.array([some[choice] for some in places])
        probes = np.setdiff1d(np.arange(len(identities)), gallery)
        ranks = rank_of_match(scores[np.ix_(probes, gallery)], identities[probes], identities[gallery])
        results.append(rank_k(ranks, 1))
    return np.array(results)
