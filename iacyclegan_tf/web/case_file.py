"""What belongs to a ranked list that is kept: what was searched where, by what and when; the list as CSV with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime

from iacyclegan_tf import __version__
from iacyclegan_tf.common.tables import no_formula
from iacyclegan_tf.search.gallery import LEAD, Gallery, SearchResult
from iacyclegan_tf.search.ranked_list import as_csv
from iacyclegan_tf.web.probe import Probe


def facts(gallery: Gallery, name: str, probes: Sequence[Probe], result: SearchResult) -> dict[str, str]:
    """In words, by what they are.

    Args:
        name: of the gallery, for people.
    """
    known = result.calibration.known(result.by) if result.calibration else {}
    scale = "calibrated fusion" if result.by == "fusion" else "cosine"
    thresholds = "; ".join(f"{scale} {value:.6g} at FAR {100 * far:g} %" for far, value in known.items())
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "probe": "; ".join(no_formula(probe.name) for probe in probes),
        "probe SHA-256": "; ".join(probe.sha256 for probe in probes),
        "gallery": no_formula(name),
        "photos searched": str(result.searched),
        "model": gallery.model.name,
        "round": str(gallery.model.number),
        "ranked by": result.by,
        "threshold": thresholds or "none",
        "program": f"iacyclegan_tf {__version__}",
        "note": LEAD,
    }


def case_csv(result: SearchResult, about: dict[str, str]) -> str:
    """``as_csv`` with a column for each fact, the same in every line: what sorts lines loses none."""
    header, *lines = csv.reader(io.StringIO(as_csv(result)))
    text = io.StringIO()
    csv.writer(text).writerows([[*header, *about], *([*line, *about.values()] for line in lines)])
    return text.getvalue()
