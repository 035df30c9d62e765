"""Runs side by side on the same test people: means, and paired bootstrap intervals of their differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.evaluation.image_quality import MEASURES, silent
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.recognition_rates import FARS
from iacyclegan_tf.evaluation.report.tables import image_words
from iacyclegan_tf.evaluation.result_files import RoundResult, read_round
from iacyclegan_tf.inference.runs import open_run
from iacyclegan_tf.metrics import (
    d_prime,
    genuine_and_impostor_scores,
    margins,
    needed_impostor_pairs,
    verification_rate,
)
from iacyclegan_tf.metrics.bootstrap import (
    Interval,
    draw_people,
    percentile_interval,
    resampled_d_prime,
    resampled_means,
    resampled_verification,
)

SAME = 1e-5  # HOG scores of the same real images agree to this
FACE = ", face only,"  # in the words of measures on that crop
_LEARNED = tuple(f"learned.{crop}.{way}" for crop in ("whole", "face") for way in WAYS)


@dataclass(frozen=True)
class Contender:
    """One round of one run, as it was evaluated. ``label`` names it, e.g. ``quickstart:2``."""

    label: str
    result: RoundResult


@dataclass(frozen=True)
class Row:
    """One measure of all contenders; ``differences`` are against the first, which has none."""

    measure: str
    values: tuple[Interval, ...]
    differences: tuple[Interval | None, ...]


def read_contender(text: str, evaluation: str | None = None) -> Contender:
    """``RUN`` (its last measured round) or ``RUN:N``; ``evaluation`` names one on other pairs (``evaluate --data``)."""
    name, colon, number = text.rpartition(":")
    chosen = bool(colon) and number.isdecimal()
    run = open_run(name if chosen else text)
    base = run.path / "evaluations" / evaluation if evaluation else run.path
    folders = (path.parent.name[6:] for path in base.glob("round_*/metrics.json"))
    measured = sorted(int(number) for number in folders if number.isdecimal())
    if not measured or (chosen and int(number) not in measured):
        which = f"no measured round {number}" if chosen else "no measured round"
        raise UserError(f"{base} holds {which}; measured are: {', '.join(map(str, measured)) or 'none'}.")
    number = int(number) if chosen else measured[-1]
    command = f"python -m iacyclegan_tf.evaluate {name if chosen else text} --round {number}" + (
        f" --data ROOT --name {evaluation}" if evaluation else ""
    )
    return Contender(printable(f"{run.name}:{number}"), read_round(base / f"round_{number}", command))


def check_same_people(contenders: Sequence[Contender]) -> None:
    """``UserError`` unless all were measured on the very same images of the same people."""
    first = contenders[0]
    for other in contenders[1:]:
        for what, of in (
            ("split", lambda one: one.metrics["protocol"]["split_sha256"][:12]),
            ("size", lambda one: ", ".join(map(str, one.metrics["protocol"]["measured_at"]))),
            ("number of test pairs", lambda one: len(one.identities)),
        ):
            if of(first.result) != of(other.result):
                raise UserError(
                    f"{first.label} and {other.label} were measured on different test people or images "
                    f"(their {what}: {of(first.result)} and {of(other.result)}) and cannot be compared."
                )
        real = [contender.result.scores.get("hog.whole.none") for contender in (first, other)]
        measured = [scores is not None for scores in real]  # not where the images are of several sizes
        same_images = np.allclose(*real, rtol=0, atol=SAME) if all(measured) else not any(measured)
        if first.result.identities != other.result.identities or not same_images:
            raise UserError(
                f"{first.label} and {other.label} were measured on different test people or images (the "
                "split's name is one, its people or pictures are not) and cannot be compared."
            )


def compare(contenders: Sequence[Contender], resamples: int, seed: int, progress: Callable = silent) -> list[Row]:
    """Every measure with its intervals, all on the same draws of people."""
    check_same_people(contenders)
    results = [contender.result for contender in contenders]
    identities = results[0].identities
    draws = draw_people(len(set(identities)), resamples, seed)
    rows, means = [], _means(results)
    for measure, of in progress(means.items(), "bootstrap of means", len(means)):
        columns = [of(result) for result in results]
        samples = [resampled_means(values, identities, draws) for values in columns]
        rows.append(_row(measure, [float(values.mean()) for values in columns], samples))
    matrices = _of_matrices(results)
    for measure, (name, value, resampled) in progress(matrices.items(), "bootstrap of score matrices", len(matrices)):
        scores = [(result.scores[name], identities, identities) for result in results]
        rows.append(_row(measure, [value(*one) for one in scores], [resampled(*one, draws=draws) for one in scores]))
    return rows


def _means(results: Sequence[RoundResult]) -> dict[str, Callable[[RoundResult], np.ndarray]]:
    """By measure, its value for each test pair: images, ranks up to k, and margins of cosines.

    HOG of real images shows how easy the task is. Fused scores are in z-units, whose margins do not compare runs.
    """
    found: dict[str, Callable] = {}
    for direction, measures in MEASURES.items():
        for name in measures:
            found[image_words(direction, name)] = partial(_column, f"{direction}.{name}", None)
    for name in ["hog.whole.none", "hog.face.none", *_LEARNED]:
        for k in (1, 5, 10) if name in _LEARNED else (1,):
            found[f"{_way(name)} rank-{k}"] = partial(_column, f"rank.{name}", k)
    found = {words: of for words, of in found.items() if all(of.args[0] in one.per_pair for one in results)}
    with_margins = [name for name in _measured(_LEARNED, results) if not name.endswith(".fusion")]
    return found | {f"{_way(name)} margin": partial(_margins, name) for name in with_margins}


def _column(name: str, k: int | None, one: RoundResult) -> np.ndarray:
    values = one.per_pair[name]
    return values if k is None else (values <= k).astype(np.float64)


def _margins(name: str, one: RoundResult) -> np.ndarray:
    return margins(one.scores[name], one.identities, one.identities)


def _of_matrices(results: Sequence[RoundResult]) -> dict[str, tuple[str, Callable, Callable]]:
    """By measure, its score matrix, its value, and its values on draws: verification rates, d′.

    HOG's d′ of synthesized images is how well they keep the identity under a judge that no training knew.
    """
    found = {}
    for name in _measured(_LEARNED, results):
        for far in (far for far in FARS.values() if enough_impostors(results[0].identities, far)):
            rate, resampled = partial(verification_rate, far=far), partial(resampled_verification, far=far)
            found[f"{_way(name)} VR at FAR {100 * far:g} %"] = name, rate, resampled
    for name in _measured([*_LEARNED, "hog.whole.photo", "hog.whole.sketch"], results):
        found[f"{_way(name)} d′"] = name, lambda *one: d_prime(*genuine_and_impostor_scores(*one)), resampled_d_prime
    return found


def _measured(names: Sequence[str], results: Sequence[RoundResult]) -> list[str]:
    return [name for name in names if all(name in one.scores for one in results)]


def enough_impostors(identities: Sequence[str], far: float) -> bool:
    people = np.array(identities)
    return int((people[:, None] != people[None, :]).sum()) >= needed_impostor_pairs(far)


def _row(measure: str, values: list[float], samples: list[np.ndarray]) -> Row:
    intervals = tuple(Interval(value, *percentile_interval(sample)) for value, sample in zip(values, samples))
    differences = tuple(
        Interval(value - values[0], *percentile_interval(sample - samples[0]))
        for value, sample in zip(values[1:], samples[1:])
    )
    return Row(measure, intervals, (None, *differences))


def _way(name: str) -> str:
    """``learned.face.fusion`` -> ``fusion, face only,``."""
    kind, crop, way = name.split(".")
    return ("HOG " if kind == "hog" else "") + way + (FACE if crop == "face" else "")
