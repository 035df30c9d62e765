"""What a reader wants to know first: a question, a verdict and a sentence with numbers, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.evaluation.image_quality import SHARP_ENOUGH
from iacyclegan_tf.evaluation.result_files import RoundResult
from iacyclegan_tf.metrics.bootstrap import LEVEL, Interval, draw_people, percentile_interval, resampled_means

RESAMPLES, SEED = 2000, 0
NOTE = (
    f"In brackets: {100 * LEVEL:.0f} % intervals of a paired bootstrap over the test people ({RESAMPLES} resamples). A "
    "difference whose interval holds 0 may be the luck of who was tested."
)
_TRIVIAL = {"input": "the input taken as it is", "mean_training_image": "the mean training image"}
_FUSION, _HOG = "rank.learned.whole.fusion", "rank.hog.whole.none"


@dataclass(frozen=True)
class Answer:
    """``verdict``: ``yes``, ``no`` or ``unclear``."""

    question: str
    verdict: str
    sentence: str


class _Difference(Interval):
    @property
    def verdict(self) -> str:
        return "yes" if self.low > 0 else "no" if self.high < 0 else "unclear"

    def words(self, form: str = ".3f", factor: float = 1, unit: str = "") -> str:
        value, low, high = (format(factor * one, f"+{form}") for one in (self.value, self.low, self.high))
        return f"{value}{unit} [{low}, {high}]"


def summary(rounds: list[RoundResult], trivial: Mapping) -> list[Answer]:
    """Of the last round; ``trivial`` from ``image_quality.trivial_measures`` of the same test pairs."""
    last = rounds[-1]
    draws = draw_people(len(set(last.identities)), RESAMPLES, SEED)

    def difference(values: np.ndarray) -> _Difference:
        samples = resampled_means(values, last.identities, draws)
        return _Difference(float(values.mean()), *percentile_interval(samples))

    return [
        *_against_trivial(last, trivial, difference),
        *([_against_first(rounds[0], last, difference)] if len(rounds) > 1 else []),
        _against_hog(last, difference),
    ]


def _against_trivial(last: RoundResult, trivial: Mapping, difference: Callable) -> Iterator[Answer]:
    for direction, what in (("photo_to_sketch", "sketches"), ("sketch_to_photo", "photos")):
        ours, costless = last.per_pair[f"{direction}.ssim"], trivial[direction]["ssim"]
        best = max(costless, key=lambda kind: costless[kind].mean())
        found, sharp = difference(ours - costless[best]), last.per_pair[f"{direction}.sharpness"].mean()
        low, high = SHARP_ENOUGH
        verdict, blurred = found.verdict, ""
        if not low <= sharp <= high:
            blurred = f" But they are {'blurred' if sharp < low else 'too sharp'} (sharpness {sharp:.2f} of the real)"
            blurred += ", so that SSIM flatters them." if verdict == "yes" else "."
            verdict = "unclear" if verdict == "yes" else verdict
        yield Answer(
            f"Are the synthesized {what} better than what costs nothing?",
            verdict,
            f"SSIM {ours.mean():.3f}; {_TRIVIAL[best]} has {costless[best].mean():.3f}: {found.words()}.{blurred}",
        )


def _against_first(first: RoundResult, last: RoundResult, difference: Callable) -> Answer:
    parts = {
        "fused rank-1": (difference(_found(last, _FUSION) - _found(first, _FUSION)), (".1f", 100, " %")),
        "sketch SSIM": (_ssim_change(first, last, "photo_to_sketch", difference), (".4f",)),
        "photo SSIM": (_ssim_change(first, last, "sketch_to_photo", difference), (".4f",)),
    }
    verdicts = {found.verdict for found, _ in parts.values()} - {"unclear"}
    words = {"yes": "better", "no": "worse", "unclear": "no clear difference"}
    changes = "; ".join(f"{name} {found.words(*form)}: {words[found.verdict]}" for name, (found, form) in parts.items())
    return Answer(
        f"Did the rounds after round {first.number} help?",
        verdicts.pop() if len(verdicts) == 1 else "unclear",
        f"Round {last.number} against round {first.number}: {changes}.",
    )


def _ssim_change(first: RoundResult, last: RoundResult, direction: str, difference: Callable) -> _Difference:
    return difference(last.per_pair[f"{direction}.ssim"] - first.per_pair[f"{direction}.ssim"])


def _against_hog(last: RoundResult, difference: Callable) -> Answer:
    question = "Are the recognizers ahead of HOG, which nobody trained?"
    ours = _found(last, _FUSION)
    if _HOG not in last.per_pair:
        return Answer(question, "unclear", f"Fused rank-1 {100 * ours.mean():.1f} %; HOG was not measured.")
    hog = _found(last, _HOG)
    found = difference(ours - hog)
    return Answer(
        question,
        found.verdict,
        f"Of the sketches, fusion finds {100 * ours.mean():.1f} % at rank 1 and HOG features of the real images "
        f"{100 * hog.mean():.1f} %: {found.words('.1f', 100, ' %')}.",
    )


def _found(one: RoundResult, ranks: str) -> np.ndarray:
    """1.0 for each probe whose person comes first, else 0.0."""
    return (one.per_pair[ranks] <= 1).astype(np.float64)
