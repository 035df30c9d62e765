"""A search's candidates as a table, CSV and JSON; never without the sentences that say what they are worth."""

from __future__ import annotations

import csv
import io
import json

from iacyclegan_tf.common.outputs import made_by
from iacyclegan_tf.common.tables import Table, no_formula
from iacyclegan_tf.search.search_result import LEAD, WAYS, Candidate, SearchResult


def table(result: SearchResult) -> Table:
    """Scores to three places, and for the way that ranks the threshold that each candidate is above."""
    known = result.calibration.known(result.by) if result.calibration else {}
    header = ("", "name", *WAYS, *(("above the threshold at",) if known else ()))
    rows = tuple(
        (
            str(one.rank),
            one.name,
            *(f"{getattr(one, way):.3f}" for way in WAYS),
            *((far_words(one, result.by),) if known else ()),
        )
        for one in result.candidates
    )
    return Table("", header, rows, result.sentences)


def far_words(candidate: Candidate, way: str) -> str:
    """``FAR 1 %``, or that there is none."""
    far = candidate.far.get(way)
    return "none" if far is None else f"FAR {100 * far:g} %"


def as_csv(result: SearchResult) -> str:
    """A line a candidate; scores in full, and in each line where the list comes from: lines are cut out and passed on.

    An empty field of ``far_…`` is above no threshold, or there is none; ``threshold`` is ``by``'s at its lowest FAR.

    A name that a spreadsheet would take for a formula has an apostrophe before it; ``as_json`` has names as they are.
    """
    about = about_list(result) | {"made_by": made_by("gallery")}
    about = {name: no_formula(value) if isinstance(value, str) else value for name, value in about.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_values(result.candidates[0]), *about])
    writer.writeheader()
    writer.writerows(_values(one) | about | {"name": no_formula(one.name)} for one in result.candidates)
    return text.getvalue()


def as_json(result: SearchResult, models: dict) -> str:
    """Everything, with the models, the thresholds and the sentences."""
    values = about_list(result) | {
        "made_by": made_by("gallery"),
        "models": models,
        "sentences": result.sentences,
        "candidates": [_values(one) for one in result.candidates],
        "calibration": result.calibration.values if result.calibration else None,
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def about_list(result: SearchResult) -> dict:
    """Where the list comes from, what its threshold is, and what it is worth."""
    known = result.calibration.known(result.by) if result.calibration else {}
    return result.about | {"by": result.by, "threshold": known[min(known)] if known else None, "note": LEAD}


def provenance(result: SearchResult) -> str:
    """One line for people."""
    about = about_list(result)
    threshold = "none" if about["threshold"] is None else f"{about['threshold']:.4g}"
    return (
        f"Probe {about['probe'] or 'without a name'} (SHA-256 {about['probe_sha256']}), {about['date']}, gallery "
        f"{about['gallery']} of {about['gallery_photos']} photos, models {about['model']} {about['round']}, threshold "
        f"by {about['by']} {threshold}, {about['version']}."
    )


def _values(one: Candidate) -> dict:
    values = {name: getattr(one, name) for name in ("rank", "name", "sha256", *WAYS, "calibrated")}
    return values | {f"far_{way}": one.far.get(way) for way in WAYS}
