"""Confidence intervals over people: the paired percentile bootstrap (Efron and Tibshirani 1993, ch. 13).

People are drawn with replacement, as many as there are, and a measure is computed anew on each draw. Two systems
that were tested on the same people are compared on the **same draws**, so that people who are easy or hard for both
take nothing from the difference. The interval holds the luck of the people, not that of the training's seed.
"""

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics.score_matrix import checked_scores, genuine_pairs

LEVEL = 0.95


def draw_people(people: int, resamples: int, seed: int) -> np.ndarray:
    """How often each person is drawn: int64 [resamples, people], each row adds up to ``people``."""
    if people < 2 or resamples < 1:
        raise UserError(
            f"The bootstrap needs at least 2 people and 1 resample; there are {people} people "
            f"and {resamples} resamples."
        )
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=resamples)


def person_numbers(identities: Sequence[str]) -> np.ndarray:
    """int64 [N]: the people numbered in alphabetical order, as the columns of ``draw_people`` count them."""
    return np.unique(np.array(list(identities)), return_inverse=True)[1]


def resampled_means(values: np.ndarray, identities: Sequence[str], draws: np.ndarray) -> np.ndarray:
    """Mean of one value an image [N] on each draw of the people that the images show; float64 [resamples].

    A person with several images brings all of them as often as drawn.
    """
    weights = draws[:, person_numbers(identities)]
    return weights @ np.asarray(values, np.float64) / weights.sum(axis=1)


def resampled_verification(
    scores: np.ndarray, probe_ids: Sequence[str], gallery_ids: Sequence[str], far: float, draws: np.ndarray
) -> np.ndarray:
    """Verification rate at FAR ``far`` on each draw of people, taken on both sides; float64 [resamples].

    A genuine pair counts as often as its person is drawn, an impostor pair as often as both are drawn together; the
    threshold is the linear quantile of the impostor scores so repeated, as in ``verification_rate``. NaN for a draw of
    one person only, which has no impostor pair (with 10 people one in 100 million).
    """
    scores = checked_scores(scores)
    same = genuine_pairs(scores, probe_ids, gallery_ids)
    everyone = np.unique([*probe_ids, *gallery_ids])
    probes, gallery = (np.searchsorted(everyone, list(ids)) for ids in (probe_ids, gallery_ids))
    order = np.argsort(scores[~same], kind="stable")
    impostors = scores[~same][order]
    rows, columns = (index[order] for index in np.nonzero(~same))
    genuine, owner = scores[same], probes[np.nonzero(same)[0]]
    rates = np.full(len(draws), np.nan)
    for number, times in enumerate(draws):
        reached = np.cumsum(times[probes[rows]] * times[gallery[columns]])
        if reached[-1] > 0:
            threshold = _repeated_quantile(impostors, reached, 1 - far)
            rates[number] = times[owner] @ (genuine > threshold) / times[owner].sum()
    return rates


def _repeated_quantile(ascending: np.ndarray, reached: np.ndarray, q: float) -> float:
    """``numpy.quantile`` of values repeated so often that their running count is ``reached``."""
    place = q * (reached[-1] - 1)
    below = int(np.floor(place))
    low, high = ascending[np.searchsorted(reached, [below, min(below + 1, reached[-1] - 1)], side="right")]
    return low + (place - below) * (high - low)


def percentile_interval(samples: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The middle ``level`` of the resampled values (NaN left out), by linear quantiles."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail])
    return float(low), float(high)
