"""The numbers of evaluated rounds as tables of text, rounds beside each other; for terminal, HTML and Markdown."""

from __future__ import annotations

from iacyclegan_tf.common.tables import Table
from iacyclegan_tf.evaluation.images import SHARP_ENOUGH
from iacyclegan_tf.evaluation.matching import WAYS

_RECOGNITION = ("rank-1", "rank-5", "rank-10", "MRR", "VR at FAR 1 %", "VR at FAR 0.1 %", "margin")
_TRIVIAL = {"input": "input taken as output", "mean_training_image": "mean training image"}


def all_tables(rounds: list[dict]) -> list[Table]:
    """From the ``metrics.json`` of one run's rounds, fully evaluated."""
    return [
        synthesis_table(rounds),
        recognition_table("Recognition, whole crop", rounds, "retrieval", "hog"),
        recognition_table("Recognition, face-only crop", rounds, "retrieval_face", "hog_face"),
        *gallery_tables(rounds),
    ]


def synthesis_table(rounds: list[dict]) -> Table:
    header = ("", "sketch SSIM", "FSIM", "sharpness", "NLDA", "photo SSIM", "FSIM", "FSIMc", "sharpness")
    trivial = rounds[-1]["trivial_baselines"]
    rows = [
        (
            words,
            *_synthesis_cells(
                {side: {name: values[kind] for name, values in measures.items()} for side, measures in trivial.items()},
                "",
            ),
        )
        for kind, words in _TRIVIAL.items()
    ]
    for metrics in rounds:
        accuracy = metrics["nlda"].get("mean")
        rows.append(
            (
                f"round {metrics['round']}",
                *_synthesis_cells(metrics, percent(accuracy) if accuracy is not None else "–"),
            )
        )
    why = {metrics["nlda"]["not_measured"] for metrics in rounds if "not_measured" in metrics["nlda"]}
    notes = (
        f"Sharpness outside {SHARP_ENOUGH[0]}–{SHARP_ENOUGH[1]} is marked: a better SSIM or FSIM is then no "
        "improvement.",
        "NLDA is the mean of each split's maximum over all dimensions: optimistic by design.",
        *sorted(why),
    )
    return Table("Synthesis", header, tuple(rows), notes)


def _synthesis_cells(measured: dict, nlda: str) -> tuple[str, ...]:
    sketch, photo = measured["photo_to_sketch"], measured["sketch_to_photo"]
    return (
        *(f"{sketch[name]:.4f}" for name in ("ssim", "fsim")),
        sharpness_words(sketch["sharpness"]),
        nlda,
        *(f"{photo[name]:.4f}" for name in ("ssim", "fsim", "fsimc")),
        sharpness_words(photo["sharpness"]),
    )


def sharpness_words(ratio: float) -> str:
    low, high = SHARP_ENOUGH
    return f"{ratio:.2f}" + (" blurred" if ratio < low else " too sharp" if ratio > high else "")


def recognition_table(title: str, rounds: list[dict], learned: str, hog: str) -> Table:
    """Learned matchers, and HOG without any training, which they must beat; ``none`` is the same in every round."""
    rows, notes = [], []
    for key, words in ((hog, "HOG, "), (learned, "")):
        for metrics in rounds:
            if "not_measured" in metrics[key]:
                notes.append(metrics[key]["not_measured"])
        measured = [metrics for metrics in rounds if "not_measured" not in metrics[key]]
        for way in WAYS:
            for metrics in measured[:1] if way == "none" else measured:
                rows.append((words + _label(way, metrics), *_recognition_cells(metrics[key][way])))
                notes += metrics[key][way].get("refused", {}).values()
    return Table(title, ("", *_RECOGNITION), tuple(rows), tuple(dict.fromkeys(notes)))


def _recognition_cells(values: dict) -> tuple[str, ...]:
    rates = [percent(values[name]) if values[name] is not None else "refused" for name in ("vr_far_1", "vr_far_0.1")]
    return (
        *(percent(values[f"rank{k}"]) for k in (1, 5, 10)),
        f"{values['mrr']:.3f}",
        *rates,
        f"{values['margin']:.3f}",
    )


def gallery_tables(rounds: list[dict]) -> list[Table]:
    """Rank-1 against the gallery's size, where distractors were given."""
    measured = [metrics for metrics in rounds if "gallery_size" in metrics]
    if not measured:
        return []
    curves = {
        _label(way, metrics): metrics["gallery_size"][way]["rank1"]
        for way in WAYS
        for metrics in (measured[:1] if way == "none" else measured)
    }
    first = next(iter(curves.values()))
    rows = tuple((name, *map(percent, curve["mean"])) for name, curve in curves.items())
    return [
        Table(
            "Rank-1 against the gallery's size",
            ("", *(str(size) for size in first["size"])),
            rows,
            (first["protocol"],),
        )
    ]


def _label(way: str, metrics: dict) -> str:
    """Φ0 and the real images are those of every round, so ``none`` names no round."""
    return way if way == "none" else f"{way}, round {metrics['round']}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"
