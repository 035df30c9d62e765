"""Runs side by side on the same test people: means, and paired bootstrap intervals of their differences."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.tables import Table
from iacyclegan_tf.config.settings import FREE, flat
from iacyclegan_tf.evaluation.files import RoundFiles, read_round
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.recognition import FARS
from iacyclegan_tf.evaluation.report.tables import sharpness_words
from iacyclegan_tf.inference.runs import open_run
from iacyclegan_tf.metrics.bootstrap import (
    LEVEL,
    draw_people,
    percentile_interval,
    resampled_means,
    resampled_verification,
)
from iacyclegan_tf.metrics.retrieval import margins
from iacyclegan_tf.metrics.verification import needed_impostor_pairs, verification_rate

SAME = 1e-5  # HOG scores of the same real images agree to this
_SIDES = {"photo_to_sketch": "sketch", "sketch_to_photo": "photo"}


@dataclass(frozen=True)
class Contender:
    """One round of one run, as it was evaluated. ``label`` names it, e.g. ``quickstart:2``."""

    label: str
    files: RoundFiles


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One measure of all contenders; ``differences`` are against the first, which has none."""

    measure: str
    values: tuple[Interval, ...]
    differences: tuple[Interval | None, ...]


def read_contender(text: str, evaluation: str | None = None) -> Contender:
    """``RUN`` (its last measured round) or ``RUN:N``; ``evaluation`` names one on other pairs (``evaluate --data``)."""
    name, colon, number = text.rpartition(":")
    chosen = bool(colon) and number.isdigit()
    run = open_run(name if chosen else text)
    base = run.path / "evaluations" / evaluation if evaluation else run.path
    measured = sorted(
        int(path.parent.name[6:]) for path in base.glob("round_*/metrics.json") if path.parent.name[6:].isdigit()
    )
    if not measured or (chosen and int(number) not in measured):
        which = f"no measured round {number}" if chosen else "no measured round"
        raise UserError(f"{base} holds {which}; measured are: {', '.join(map(str, measured)) or 'none'}.")
    number = int(number) if chosen else measured[-1]
    command = f"python -m iacyclegan_tf.evaluate {name if chosen else text} --round {number}" + (
        f" --data ROOT --name {evaluation}" if evaluation else ""
    )
    return Contender(f"{run.name}:{number}", read_round(base / f"round_{number}", command))


def check_same_people(contenders: Sequence[Contender]) -> None:
    """``UserError`` unless all were measured on the very same images of the same people."""
    first = contenders[0]
    for other in contenders[1:]:
        for what, of in (
            ("split", lambda c: c.files.metrics["protocol"]["split_sha256"][:12]),
            ("size", lambda c: ", ".join(c.files.metrics["protocol"]["measured_at"])),
            ("number of test pairs", lambda c: len(c.files.identities)),
        ):
            if of(first) != of(other):
                raise UserError(
                    f"{first.label} and {other.label} were measured on different test people or images "
                    f"(their {what}: {of(first)} and {of(other)}) and cannot be compared."
                )
        real = [contender.files.scores.get("hog.whole.none") for contender in (first, other)]
        same_images = any(scores is None for scores in real) or np.allclose(*real, rtol=0, atol=SAME)
        if first.files.identities != other.files.identities or not same_images:
            raise UserError(
                f"{first.label} and {other.label} were measured on different test people or images (the "
                "split's name is one, its people or pictures are not) and cannot be compared."
            )


def compare(
    contenders: Sequence[Contender], resamples: int, seed: int, progress: Callable = lambda items, words, total: items
) -> list[Row]:
    """Every measure with its intervals, all on the same draws of people."""
    check_same_people(contenders)
    identities = contenders[0].files.identities
    draws = draw_people(len(set(identities)), resamples, seed)
    rows = []
    names = _mean_measures(contenders[0].files)
    for measure in progress(names, "bootstrap of means", len(names)):
        columns = [_values(contender.files, measure) for contender in contenders]
        rows.append(
            _row(
                measure,
                [float(values.mean()) for values in columns],
                [resampled_means(values, identities, draws) for values in columns],
            )
        )
    names = [
        (name, key)
        for name in contenders[0].files.scores
        if name.startswith("learned.")
        for key, far in FARS.items()
        if _enough(identities, far)
    ]
    for name, key in progress(names, "bootstrap of verification rates", len(names)):
        arguments = [(contender.files.scores[name], identities, identities, FARS[key]) for contender in contenders]
        rows.append(
            _row(
                f"{_way(name)} VR at FAR {100 * FARS[key]:g} %",
                [verification_rate(*a).rate for a in arguments],
                [resampled_verification(*a, draws) for a in arguments],
            )
        )
    return rows


def _mean_measures(files: RoundFiles) -> list[str]:
    """Columns, with ``@k`` for the share of ranks up to k, and score matrices after ``margin.``.

    HOG of real images shows how easy the task is.
    """
    images = [name for name in files.per_pair if not name.startswith("rank.")]
    crops = [crop for crop in ("whole", "face") if f"rank.learned.{crop}.none" in files.per_pair]
    ranks = [f"rank.learned.{crop}.{way}@{k}" for crop in crops for way in WAYS for k in (1, 5, 10)]
    return (
        images
        + [f"rank.hog.{crop}.none@1" for crop in crops if f"rank.hog.{crop}.none" in files.per_pair]
        + ranks
        + [f"margin.{name}" for name in files.scores if name.startswith("learned.") and len(set(files.identities)) > 1]
    )


def _values(files: RoundFiles, measure: str) -> np.ndarray:
    if measure.startswith("margin."):
        return margins(files.scores[measure.removeprefix("margin.")], files.identities, files.identities)
    column, _, k = measure.partition("@")
    values = files.per_pair[column]
    return (values <= int(k)).astype(np.float64) if k else values


def _enough(identities: Sequence[str], far: float) -> bool:
    people = np.array(identities)
    return int((people[:, None] != people[None, :]).sum()) >= needed_impostor_pairs(far)


def _row(measure: str, values: list[float], samples: list[np.ndarray]) -> Row:
    intervals = tuple(Interval(value, *percentile_interval(sample)) for value, sample in zip(values, samples))
    differences = tuple(
        Interval(value - values[0], *percentile_interval(sample - samples[0]))
        for value, sample in zip(values[1:], samples[1:])
    )
    return Row(_words(measure), intervals, (None, *differences))


def _words(measure: str) -> str:
    column, _, k = measure.partition("@")
    if k:
        return f"{_way(column.removeprefix('rank.'))} rank-{k}"
    direction, _, name = measure.partition(".")
    if direction == "margin":
        return f"{_way(name)} margin"
    return (
        f"{_SIDES[direction]} {name.upper() if name in ('ssim', 'fsim') else name.replace('fsimc', 'FSIMc')}"
        if direction in _SIDES
        else measure
    )


def _way(name: str) -> str:
    """``learned.face.fusion`` -> ``fusion, face only``."""
    kind, crop, way = name.split(".")
    return ("HOG " if kind == "hog" else "") + way + (", face only," if crop == "face" else "")


def comparison_table(contenders: Sequence[Contender], rows: Sequence[Row], resamples: int, seed: int) -> Table:
    """One column a run, and one a difference from the first; ``*`` where the interval leaves out 0."""
    first, *others = (contender.label for contender in contenders)
    protocol = contenders[0].files.metrics["protocol"]
    header = ("", first, *(cell for other in others for cell in (other, f"difference from {first}")))
    body = []
    for row in rows:
        cells = [interval_cell(row.measure, row.values[0])]
        for value, difference in zip(row.values[1:], row.differences[1:]):
            cells += [interval_cell(row.measure, value), interval_cell(row.measure, difference, signed=True)]
        body.append((row.measure, *cells))
    notes = (
        f"In brackets: {LEVEL:.0%} percentile intervals of a paired bootstrap over {protocol['test_people']} "
        f"people, {resamples} resamples, seed {seed}; * where a difference's interval leaves out 0 (one in twenty "
        "does by chance). They hold the luck of the people, not that of the training's seed.",
        f"Measured at {', '.join(protocol['measured_at'])}, split {protocol['test_split']}, SHA-256 "
        f"{protocol['split_sha256']}.",
        *_differing_settings(contenders),
        *(
            f"No verification rate at FAR {100 * far:g} %: it needs {needed_impostor_pairs(far)} impostor pairs."
            for far in FARS.values()
            if not _enough(contenders[0].files.identities, far)
        ),
    )
    return Table("Comparison", header, tuple(body), notes)


def _differing_settings(contenders: Sequence[Contender]) -> list[str]:
    """One sentence that names each setting that is not the same in all runs, with its values in the runs' order."""
    settings = [flat(contender.files.metrics["protocol"]["settings"]) for contender in contenders]
    names = [
        name
        for name in dict.fromkeys(name for one in settings for name in one)
        if name != "name"
        and not name.startswith(FREE)
        and any(one.get(name) != settings[0].get(name) for one in settings)
    ]
    words = [f"{name}: {', '.join(str(one.get(name)) for one in settings)}" for name in names]
    return [f"Settings that differ: {'; '.join(words)}."] if words else []


def interval_cell(measure: str, interval: Interval, signed: bool = False) -> str:
    """``0.4512 [0.4410, 0.4603]``; a difference is ``signed``, and starred where its interval leaves out 0."""
    share = "rank-" in measure or "VR" in measure
    form, factor = ("+" if signed else "") + (".1f" if share else ".4f"), 100 if share else 1
    value, low, high = (format(factor * number, form) for number in (interval.value, interval.low, interval.high))
    value += " %" if share else ""
    if measure.endswith("sharpness") and not signed:
        value = sharpness_words(interval.value)
    clear = " *" if signed and (interval.low > 0 or interval.high < 0) else ""
    return f"{value} [{low}, {high}]{clear}"


def comparison_csv(contenders: Sequence[Contender], rows: Sequence[Row]) -> str:
    """One line a measure and run: value, interval, difference from the first run and its interval."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["measure", "run", "value", "low", "high", "difference", "difference_low", "difference_high"])
    for row in rows:
        for contender, value, difference in zip(contenders, row.values, row.differences):
            writer.writerow(
                [
                    row.measure,
                    contender.label,
                    value.value,
                    value.low,
                    value.high,
                    *((difference.value, difference.low, difference.high) if difference else ("", "", "")),
                ]
            )
    return text.getvalue()


def comparison_json(contenders: Sequence[Contender], rows: Sequence[Row], resamples: int, seed: int) -> dict:
    return {
        "runs": [contender.label for contender in contenders],
        "level": LEVEL,
        "resamples": resamples,
        "seed": seed,
        "protocol": contenders[0].files.metrics["protocol"],
        "settings": {contender.label: contender.files.metrics["protocol"]["settings"] for contender in contenders},
        "measures": {
            row.measure: [
                {"run": contender.label, **vars(value), "difference": vars(difference) if difference else None}
                for contender, value, difference in zip(contenders, row.values, row.differences)
            ]
            for row in rows
        },
    }
