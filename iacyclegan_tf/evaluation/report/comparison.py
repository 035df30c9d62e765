"""Runs compared, for people and programs: tables and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.tables import Table
from iacyclegan_tf.config.settings import FREE, flat
from iacyclegan_tf.evaluation.comparison import FACE, Contender, Row, enough_impostors
from iacyclegan_tf.evaluation.image_quality import SHARP_ENOUGH
from iacyclegan_tf.evaluation.recognition_rates import FARS
from iacyclegan_tf.evaluation.report.tables import SHARPNESS_NOTE
from iacyclegan_tf.metrics import needed_impostor_pairs
from iacyclegan_tf.metrics.bootstrap import LEVEL, Interval


def comparison_tables(contenders: Sequence[Contender], rows: Sequence[Row], resamples: int, seed: int) -> list[Table]:
    """One table for each other run and crop, runs by numbers, so narrow that 80 columns hold it; notes with the last.

    ``*`` where a difference's interval leaves out 0. Intervals of the values themselves: ``comparison_json``.
    """
    tables = []
    for number, other in enumerate(contenders[1:], 2):
        for crop, is_in in (
            ("Comparison", lambda row: FACE not in row.measure),
            ("Face only", lambda row: FACE in row.measure),
        ):
            lines = [
                (
                    row.measure.replace(FACE, ""),
                    *(number_cell(row.measure, row.values[place].value) for place in (0, number - 1)),
                    difference_cell(row.measure, row.differences[number - 1]),
                )
                for row in rows
                if is_in(row)
            ]
            title = f"{crop}: run 1 {contenders[0].label}, run {number} {other.label}"
            header = ("", "run 1", f"run {number}", f"run {number} - run 1")
            tables += [Table(title, header, tuple(lines))] if lines else []
    return [*tables[:-1], replace(tables[-1], notes=_notes(contenders, resamples, seed))]


def _notes(contenders: Sequence[Contender], resamples: int, seed: int) -> tuple[str, ...]:
    result = contenders[0].result
    protocol = result.metrics["protocol"]
    return (
        f"In brackets: {100 * LEVEL:.0f} % percentile intervals of a paired bootstrap over {protocol['test_people']} "
        f"people, {resamples} resamples, seed {seed}; * where a difference's interval leaves out 0 (one in twenty "
        "does by chance). They hold the luck of the people, not that of the training's seed.",
        f"! {SHARPNESS_NOTE}",
        "HOG photo and HOG sketch judge how well synthesized images keep the identity: HOG took no part in training.",
        printable(f"Measured at {', '.join(map(str, protocol['measured_at']))}, split {protocol['test_split']}, ")
        + f"SHA-256 {printable(protocol['split_sha256'])}.",
        *_differing_settings(contenders),
        *(
            f"No verification rate at FAR {100 * far:g} %: it needs {needed_impostor_pairs(far)} impostor pairs."
            for far in FARS.values()
            if not enough_impostors(result.identities, far)
        ),
    )


def _differing_settings(contenders: Sequence[Contender]) -> list[str]:
    """One sentence that names each setting that is not the same in all runs, with its values in the runs' order."""
    settings = [flat(contender.result.metrics["protocol"]["settings"]) for contender in contenders]
    names = [
        name
        for name in dict.fromkeys(name for one in settings for name in one)
        if name != "name"
        and not name.startswith(FREE)
        and any(one.get(name) != settings[0].get(name) for one in settings)
    ]
    words = [printable(f"{name}: {', '.join(str(one.get(name)) for one in settings)}") for name in names]
    return [f"Settings that differ: {'; '.join(words)}."] if words else []


def _form(measure: str) -> tuple[float, str, str]:
    """Factor, format and unit of a measure's numbers."""
    if "rank-" in measure or "VR" in measure:
        return 100, ".1f", " %"
    return 1, ".2f" if measure.endswith("d′") else ".4f", ""


def number_cell(measure: str, value: float) -> str:
    """``0.4512``, ``91.7 %``; a sharpness that is no improvement has ``!``."""
    factor, form, unit = _form(measure)
    unit = " !" if measure.endswith("sharpness") and not SHARP_ENOUGH[0] <= value <= SHARP_ENOUGH[1] else unit
    return format(factor * value, form) + unit


def difference_cell(measure: str, difference: Interval) -> str:
    """``+0.0512 [+0.0410, +0.0603] *``; starred where the interval leaves out 0."""
    factor, form, unit = _form(measure)
    value, low, high = (format(factor * number, "+" + form) for number in vars(difference).values())
    return f"{value}{unit} [{low}, {high}]" + (" *" if difference.low > 0 or difference.high < 0 else "")


def comparison_json(contenders: Sequence[Contender], rows: Sequence[Row], resamples: int, seed: int) -> dict:
    return {
        "runs": [contender.label for contender in contenders],
        "level": LEVEL,
        "resamples": resamples,
        "seed": seed,
        "protocol": contenders[0].result.metrics["protocol"],
        "settings": {one.label: one.result.metrics["protocol"]["settings"] for one in contenders},
        "measures": {
            row.measure: [
                {"run": contender.label, **vars(value), "difference": vars(difference) if difference else None}
                for contender, value, difference in zip(contenders, row.values, row.differences)
            ]
            for row in rows
        },
    }
