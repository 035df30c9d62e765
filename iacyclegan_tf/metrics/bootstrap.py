"""Confidence intervals over people: the paired percentile bootstrap (Efron and Tibshirani 1993, ch. 13).

People are drawn with replacement, as many as there are, and a measure is computed anew on each draw. Two systems
that were tested on the same people are compared on the **same draws**, so that people who are easy or hard for both
take nothing from the difference. The interval holds the luck of the people, not that of the training's seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics.score_matrix import checked_scores, genuine_pairs

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its percentile interval."""

    value: float
    low: float
    high: float


def draw_people(people: int, resamples: int, seed: int) -> np.ndarray:
    """How often each person is drawn: int64 [resamples, people], each row adds up to ``people``."""
    if people < 2:
        raise UserError(f"The bootstrap needs at least 2 people; there are {people}.")
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=resamples)


def resampled_means(values: np.ndarray, identities: Sequence[str], draws: np.ndarray) -> np.ndarray:
    """Mean of one value an image [N] on each draw of the people that the images show; float64 [resamples].

    A person with several images brings all of them as often as drawn.
    """
    people = np.unique(list(identities), return_inverse=True)[1]  # in alphabetical order, as ``draws`` counts them
    weights = draws[:, people]
    return weights @ np.asarray(values, np.float64) / weights.sum(axis=1)


def resampled_verification(
    scores: np.ndarray, probe_ids: Sequence[str], gallery_ids: Sequence[str], far: float, draws: np.ndarray
) -> np.ndarray:
    """Verification rate at FAR ``far`` on each draw of people, taken on both sides; float64 [resamples].

    A genuine pair counts as often as its person is drawn, an impostor pair as often as both are drawn together; the
    threshold is the linear quantile of the impostor scores so repeated, as in ``verification_rate``. NaN for a draw of
    one person only, which has no impostor pair (with 10 people one in 100 million).
    """
    scores, same, probes, gallery = _numbered(scores, probe_ids, gallery_ids)
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


def resampled_d_prime(
    scores: np.ndarray, probe_ids: Sequence[str], gallery_ids: Sequence[str], draws: np.ndarray
) -> np.ndarray:
    """d' (``verification.d_prime``) on each draw of people, pairs repeated as in ``resampled_verification``.

    float64 [resamples]; NaN for a draw of one person only.
    """
    scores, same, probes, gallery = _numbered(scores, probe_ids, gallery_ids)
    by_probe, by_gallery = draws[:, probes].astype(np.float64), draws[:, gallery].astype(np.float64)
    scores = scores - scores.mean()  # smaller squares, less rounding

    def moments(pairs: np.ndarray, repeated: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        count, total, squares = (repeated(np.where(pairs, scores**power, 0)) for power in (0, 1, 2))
        mean = np.divide(total, count, out=np.full(len(draws), np.nan), where=count > 0)
        return mean, np.maximum(np.divide(squares, count, out=mean.copy(), where=count > 0) - mean**2, 0)

    genuine, genuine_variance = moments(same, lambda values: by_probe @ values.sum(axis=1))
    impostor, impostor_variance = moments(~same, lambda values: ((by_probe @ values) * by_gallery).sum(axis=1))
    return (genuine - impostor) / np.maximum(np.sqrt((genuine_variance + impostor_variance) / 2), 1e-12)


def _numbered(scores: np.ndarray, probe_ids: Sequence[str], gallery_ids: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Checked scores, their genuine pairs, and the number of each probe's and gallery image's person in ``draws``."""
    scores = checked_scores(scores)
    everyone = np.unique([*probe_ids, *gallery_ids])
    numbers = (np.searchsorted(everyone, list(ids)) for ids in (probe_ids, gallery_ids))
    return scores, genuine_pairs(scores, probe_ids, gallery_ids), *numbers


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
