"""The numbers of evaluated rounds as tables: all rounds for the page; for a terminal the last one and its change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.tables import Table
from iacyclegan_tf.evaluation.image_quality import MEASURES, SHARP_ENOUGH
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.recognition_rates import FARS
from iacyclegan_tf.metrics import needed_impostor_pairs

_RECOGNITION = {
    "rank-1": "rank1", "rank-5": "rank5", "rank-10": "rank10", "MRR": "mrr", "VR at FAR 1 %": "vr_far_1",
    "VR at FAR 0.1 %": "vr_far_0.1", "d′": "d_prime", "margin": "margin",
}  # fmt: skip
TOO_FEW = "too few pairs"
_ON_TERMINAL = ("rank-1", "VR at FAR 1 %", "d′")
_CROPS = (("whole crop", "retrieval", "hog"), ("face only", "retrieval_face", "hog_face"))
_IMAGES = {"photo_to_sketch": "sketch", "sketch_to_photo": "photo"}
_SPELLED = {"ssim": "SSIM", "fsim": "FSIM", "fsimc": "FSIMc"}
SHARPNESS_NOTE = (
    f"Sharpness outside {SHARP_ENOUGH[0]}–{SHARP_ENOUGH[1]} (blurred, too sharp): a better SSIM or FSIM is then no "
    "improvement."
)
_SYNTHESIS_NOTES = (
    "Input: taken as the output. Mean image: of the training pairs. Both cost no training.",
    SHARPNESS_NOTE,
    "NLDA is the mean of each split's maximum over all dimensions: optimistic by design.",
)
_IDENTITY_NOTE = (
    "HOG took no part in training: its photo and sketch rows judge how well synthesized images keep the identity."
)


def all_tables(rounds: list[dict]) -> list[Table]:
    """For the page, from the ``metrics.json`` of one run's rounds, fully evaluated."""
    return [*_measures(rounds), *gallery_tables(rounds)]


def subset_tables(rounds: list[dict]) -> list[Table]:
    """For the page: every measure again for the test pairs of each subset, where they carry one."""
    tables = []
    for subset in rounds[-1].get("by_subset", {}):
        parts = [{"round": metrics["round"], **metrics["by_subset"][subset]} for metrics in rounds]
        title = printable(f"{subset} ({parts[-1]['pairs']} pairs)")
        tables += [replace(one, title=f"{title}: {one.title}") for one in _measures(parts)]
    return tables


def _measures(rounds: list[dict]) -> list[Table]:
    recognition = [
        table
        for crop, *keys in _CROPS
        for table in (
            recognition_table(f"Recognition, {crop}", rounds, *keys),
            hog_table(f"HOG in all four ways, {crop}", rounds, keys[1]),
        )
        if table.rows or not table.folded
    ]
    return [synthesis_table(rounds), *recognition, identity_table(rounds)]


def terminal_tables(rounds: list[dict]) -> list[Table]:
    """The last round with its change since the first, so narrow that 80 columns hold it."""
    last, since = rounds[-1], rounds[0] if len(rounds) > 1 else None
    words = f", round {last['round']}" + (f" (change since round {since['round']})" if since else "")
    return [
        synthesis_table([last], since),
        *(
            recognition_table(f"Recognition, {crop}{words}", [last], *keys, _ON_TERMINAL, since)
            for crop, *keys in _CROPS
        ),
        *subset_summary(last),
        *gallery_tables([last]),
    ]


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def image_words(direction: str, measure: str) -> str:
    """``sketch SSIM``."""
    return f"{_IMAGES[direction]} {_SPELLED.get(measure, measure)}"


def sharpness_words(ratio: float) -> str:
    low, high = SHARP_ENOUGH
    return f"{ratio:.2f}" + (" blurred" if ratio < low else " too sharp" if ratio > high else "")


def synthesis_table(rounds: list[dict], since: dict | None = None) -> Table:
    """One row a measure, one column a trivial baseline and a round; with ``since`` the last round's change."""
    trivial, rows = rounds[-1]["trivial_baselines"], []
    for side, name in ((side, name) for side, names in MEASURES.items() for name in names):
        values = [one[side][name] for one in rounds]
        words = (sharpness_words(value) if name == "sharpness" else f"{value:.4f}" for value in values)
        costless = (f"{trivial[side][name][kind]:.4f}" for kind in ("input", "mean_training_image"))
        rows.append([image_words(side, name), *costless, *words])
        if since:
            rows[-1].append(f"{values[-1] - since[side][name]:+.4f}")
    values = [one["nlda"].get("mean") for one in ([*rounds, since] if since else rounds)]
    rows.append(["NLDA of sketches", "", "", *("–" if one is None else percent(one) for one in values[: len(rounds)])])
    if since:
        rows[-1].append("" if None in values[-2:] else f"{100 * (values[-2] - values[-1]):+.1f} %")
    header = ["", "input", "mean image", *(f"round {one['round']}" for one in rounds)]
    header += [f"since round {since['round']}"] if since else []
    notes = (*_SYNTHESIS_NOTES, *_not_measured(rounds, "nlda"))
    return Table("Synthesis", tuple(header), tuple(map(tuple, rows)), notes)


def recognition_table(
    title: str,
    rounds: list[dict],
    learned: str,
    hog: str,
    columns: Iterable[str] = tuple(_RECOGNITION),
    since: dict | None = None,
) -> Table:
    """Learned matchers, and HOG of the real images without any training, which they must beat; ``none`` is the same in
    every round."""
    costless, notes = _rows(rounds, hog, "HOG, ", columns, ways=("none",))
    rows, more = _rows(rounds, learned, "", columns, since)
    return Table(title, ("", *columns), (*costless, *rows), tuple(dict.fromkeys([*notes, *more])))


def hog_table(title: str, rounds: list[dict], hog: str) -> Table:
    """HOG on the synthesized images too, folded."""
    rows, notes = _rows(rounds, hog, "HOG, ", tuple(_RECOGNITION))
    notes = [*notes, *([_IDENTITY_NOTE] if hog == "hog" and rows else [])]
    return Table(title, ("", *_RECOGNITION), tuple(rows), tuple(dict.fromkeys(notes)), folded=True)


def _rows(
    rounds: list[dict], key: str, words: str, columns: Iterable[str], since: dict | None = None, ways=WAYS
) -> tuple[list[tuple[str, ...]], list[str]]:
    """The rows of one way of scoring, and the notes below them."""
    measured, rows, notes = [one for one in rounds if "not_measured" not in one[key]], [], _not_measured(rounds, key)
    for way in ways:
        for one in measured[:1] if way == "none" else measured:
            before = since[key].get(way) if since and way != "none" else None
            label = way if len(rounds) == 1 or way == "none" else f"{way}, round {one['round']}"
            rows.append((words + label, *(_cell(one[key][way], _RECOGNITION[name], before) for name in columns)))
            notes += [_too_few(one[key][way], name) for name in columns if _lacks(one[key][way], name)]
    return rows, notes


def _lacks(values: dict, column: str) -> bool:
    return values[_RECOGNITION[column]] is None


def _too_few(values: dict, column: str) -> str:
    far = FARS[_RECOGNITION[column]]
    return (
        f"{TOO_FEW}: a verification rate (VR) at a false accept rate (FAR) of {100 * far:g} % needs "
        f"{needed_impostor_pairs(far):,} pairs of a sketch and another person's photo; there are "
        f"{values['impostor_pairs']:,}."
    )


def identity_table(rounds: list[dict]) -> Table:
    measured = [metrics for metrics in rounds if "not_measured" not in metrics["identity_kept"]]
    columns = {name: _RECOGNITION[name] for name in ("rank-1", "VR at FAR 1 %", "d′")}
    rows = tuple(
        (f"{side}, round {metrics['round']}", *(_cell(metrics["identity_kept"][side], key) for key in columns.values()))
        for side in ("photos", "sketches")
        for metrics in measured
    )
    title = f"Identity kept by synthesized images; judge: {rounds[-1]['identity_kept']['judge']}"
    return Table(title, ("", *columns), rows, tuple(_not_measured(rounds, "identity_kept")))


def subset_summary(last: dict) -> list[Table]:
    rows = []
    for subset, part in last.get("by_subset", {}).items():
        fusion, hog = part["retrieval"]["fusion"], part["hog"].get("none")
        cells = [f"{part[side]['ssim']:.4f}" for side in MEASURES]
        cells += [_cell(fusion, name) for name in ("rank1", "vr_far_1", "d_prime")]
        rows.append((printable(subset), str(part["pairs"]), *cells, _cell(hog, "rank1") if hog else "–"))
    header = ("subset", "pairs", "sketch\nSSIM", "photo\nSSIM", "fusion\nrank-1", "VR at\nFAR 1 %", "d′", "HOG\nrank-1")
    return [Table(f"By subset, whole crop, round {last['round']}", header, tuple(rows))] if rows else []


def gallery_tables(rounds: list[dict]) -> list[Table]:
    """Rank-1 against the gallery's size, where distractors were given; one row a size."""
    measured = [metrics for metrics in rounds if "gallery_size" in metrics]
    if not measured:
        return []
    curves = {
        way if way == "none" else f"{way}, round {metrics['round']}": metrics["gallery_size"][way]["rank1"]
        for way in WAYS
        for metrics in (measured[:1] if way == "none" else measured)
    }
    first = curves["none"]
    rows = tuple(
        (str(size), *(percent(curve["mean"][place]) for curve in curves.values()))
        for place, size in enumerate(first["size"])
    )
    return [Table("Rank-1 against the gallery's size", ("photos", *curves), rows, (first["protocol"],))]


def _cell(values: dict, name: str, before: dict | None = None) -> str:
    """``91.7 %``, ``2.31``, with ``before`` ``91.7 % (+2.1)``; ``TOO_FEW`` where there are too few impostors."""
    if values[name] is None:
        return TOO_FEW
    share, form = name.startswith(("rank", "vr")), ".1f"
    if not share:
        form = ".2f" if name == "d_prime" else ".3f"
    factor = 100 if share else 1
    change = f" ({factor * (values[name] - before[name]):+{form}})" if before and before.get(name) is not None else ""
    return f"{factor * values[name]:{form}}{' %' if share else ''}{change}"


def _not_measured(rounds: list[dict], key: str) -> list[str]:
    return sorted({metrics[key]["not_measured"] for metrics in rounds if "not_measured" in metrics[key]})
