"""A results folder of ``benchmarks/ablations.py`` as Markdown: values, and differences with intervals."""

import json
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.ablation_runs import CYCLEGAN, OUT_OF_TIME, WHOLE, Attempt, read_attempt
from iacyclegan_tf.common.atomic_files import write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.tables import Table
from iacyclegan_tf.evaluation.comparison import Contender, compare
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.recognition_rates import FARS
from iacyclegan_tf.evaluation.report.comparison import difference_cell
from iacyclegan_tf.evaluation.report.tables import sharpness_words
from iacyclegan_tf.evaluation.result_files import RoundResult, read_round

RESAMPLES, SEED = 2000, 0
COMPARED = (
    "sketch SSIM", "sketch FSIM", "photo SSIM", "photo FSIM", "photo rank-1", "sketch rank-1", "fusion rank-1",
    "fusion VR at FAR 1 %", "fusion d′", "fusion, face only, rank-1", "fusion, face only, VR at FAR 1 %",
)  # fmt: skip
IMAGES = ("", "seeds", "steps", "minutes", "sketch SSIM / FSIM / sharpness", "photo SSIM / FSIM / sharpness")
RATES = ("rank1", *FARS)
RECOGNITION = ("rank-1 / VR at FAR 1 % / 0.1 %", *WAYS, "fusion, face only")


def write_tables(folder: Path, into: Path | None, name: str) -> None:
    """Prints the tables, or puts them between the marks of section ``name`` in the file ``into``."""
    results = read_results(folder)
    text = "\n".join(table.markdown() for table in (*values_tables(folder, results), *difference_tables(results)))
    if into is None:
        print(text)
        return
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    section = f"{begin}\n{text}{end}"
    old = into.read_text(encoding="utf-8") if into.is_file() else ""
    if begin in old:
        head, _, rest = old.partition(begin)
        if end not in rest:
            raise UserError(f"{into} holds {begin} without {end} after it.")
        new = head + section + rest.partition(end)[2]
    else:
        new = f"{old.rstrip()}\n\n{section}\n".lstrip()
    write_text(into, new)
    print(f"{into}: section {name} written, {len(results)} results")


def read_results(folder: Path) -> list[tuple[Attempt, RoundResult]]:
    """Every attempt with its last measured round, the whole method first; those without one are named and left out."""
    attempts = [read_attempt(path) for path in sorted(folder.glob("*-*.json"))]
    results = []
    for attempt in sorted(attempts, key=lambda one: (one.preset != WHOLE, one.preset, one.seed)):
        rounds = [int(path.parent.name[6:]) for path in (folder / "runs" / attempt.label).glob("round_*/people.csv")]
        if rounds:
            place = folder / "runs" / attempt.label / f"round_{max(rounds)}"
            results.append((attempt, read_round(place, "the ablations again")))
        else:
            print(f"{attempt.label} ({attempt.state}) has no measured round and is left out.")
    if not results:
        raise UserError(f"{folder} holds no measured result; python -m benchmarks.ablations run {folder} makes them.")
    return results


def values_tables(folder: Path, results: list[tuple[Attempt, RoundResult]]) -> list[Table]:
    """Images, then recognition: one row a preset, mean ± standard deviation where several seeds were trained; then what
    costs no training."""
    images, recognition = [], []
    for preset in dict.fromkeys(attempt.preset for attempt, _ in results):
        same = [(attempt, files) for attempt, files in results if attempt.preset == preset]
        metrics = [files.metrics for _, files in same]
        cut = "; out of time" if any(attempt.state == OUT_OF_TIME for attempt, _ in same) else ""
        images.append(
            (
                f"{preset}: {same[0][0].what}{cut}",
                ", ".join(str(attempt.seed) for attempt, _ in same),
                _range([_steps(folder, attempt, files) for attempt, files in same]),
                _range([round(attempt.seconds / 60) for attempt, _ in same]),
                *_image_cells(metrics),
            )
        )
        ways = [_rates(metrics, "retrieval", way) for way in WAYS]
        recognition.append((preset, *ways, _rates(metrics, "retrieval_face", "fusion")))
    first, files = results[0]
    trivial = files.metrics["trivial_baselines"]
    for kind, words in (("input", "input taken as output"), ("mean_training_image", "mean training image")):
        one = {side: {name: values[kind] for name, values in measured.items()} for side, measured in trivial.items()}
        images.append((words, *[""] * 3, *_image_cells([one])))
    if "not_measured" not in files.metrics["hog"]:
        hog = [files.metrics]
        recognition.append(("HOG", _rates(hog, "hog", "none"), *[""] * 3, f"none: {_rates(hog, 'hog_face', 'none')}"))
    protocol = files.metrics["protocol"]
    note = (
        f"`python -m benchmarks.ablations run {folder}`, base settings {first.config}, for all: "
        f"{' '.join(_shared(results)) or 'nothing else'}; tabled {date.today().isoformat()}. "
        f"{protocol['test_people']} test people, split {protocol['test_split']} (SHA-256 "
        f"{protocol['split_sha256'][:12]}), measured at {', '.join(protocol['measured_at'])}, networks at "
        f"{protocol['network_size']} ({protocol['fit']}). Each preset's last finished round; steps are those of "
        "synthesis over its rounds, minutes the wall time of all training."
    )
    name = folder.resolve().name
    return [
        Table(f"Ablations: {name}", IMAGES, tuple(images), (note,)),
        Table(f"Recognition, %: {name}", RECOGNITION, tuple(recognition)),
    ]


def difference_tables(results: list[tuple[Attempt, RoundResult]]) -> list[Table]:
    """Of each seed, against the whole method and against CycleGAN; none where that or a second preset is missing."""
    seeds = sorted({attempt.seed for attempt, _ in results})
    return [table for base in (WHOLE, CYCLEGAN) for seed in seeds for table in _difference_table(results, base, seed)]


def _difference_table(results: list[tuple[Attempt, RoundResult]], base: str, seed: int) -> list[Table]:
    contenders = [Contender(attempt.preset, files) for attempt, files in results if attempt.seed == seed]
    contenders.sort(key=lambda one: one.label != base)
    if len(contenders) < 2 or contenders[0].label != base:
        return []
    measured = {row.measure: row.differences for row in compare(contenders, RESAMPLES, SEED)}
    rows = tuple(
        (measure, *(difference_cell(measure, one) for one in measured[measure][1:]))
        for measure in COMPARED
        if measure in measured
    )
    note = (
        f"95 % percentile intervals of a paired bootstrap over {len(set(contenders[0].result.identities))} people, "
        f"{RESAMPLES} resamples, seed {SEED}; * where the interval leaves out 0. They hold the luck of the people, not "
        "that of the training's seed."
    )
    return [Table(f"Difference from {base}, seed {seed}", ("", *(one.label for one in contenders[1:])), rows, (note,))]


def _rates(metrics: list[dict], table: str, way: str) -> str:
    """In percent; a rate that the people are too few for is refused."""
    if any("not_measured" in one[table] for one in metrics):
        return ""
    columns = [[one[table][way][rate] for one in metrics] for rate in RATES]
    return " / ".join("refused" if None in some else _spread([100 * v for v in some], "{:.1f}") for some in columns)


def _image_cells(metrics: list[dict]) -> list[str]:
    cells = []
    for side in ("photo_to_sketch", "sketch_to_photo"):
        values = [_spread([one[side][name] for one in metrics], "{:.4f}") for name in ("ssim", "fsim")]
        sharp = sharpness_words(float(np.mean([one[side]["sharpness"] for one in metrics])))
        cells.append(" / ".join([*values, sharp]))
    return cells


def _spread(values: list[float], form: str) -> str:
    mean = form.format(np.mean(values))
    return mean if len(values) == 1 else f"{mean} ± {form.format(np.std(values, ddof=1))}"


def _range(values: list[int]) -> str:
    return f"{values[0]}" if min(values) == max(values) else f"{min(values)}–{max(values)}"


def _steps(folder: Path, attempt: Attempt, files: RoundResult) -> int:
    """Of synthesis, over all rounds up to the measured one."""
    last: dict[str, int] = {}
    path = folder / "runs" / attempt.label / "history.jsonl"
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["phase"].endswith("/synthesis"):
                last[entry["phase"]] = int(entry["step"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {type(error).__name__} {error}.") from None
    return sum(last.get(f"round_{number}/synthesis", 0) for number in range(1, files.metrics["round"] + 1))


def _shared(results: list[tuple[Attempt, RoundResult]]) -> list[str]:
    """The settings that were given for all presets; of the data's folder only the name, since tables are published."""
    shared = [setting for setting in results[0][0].settings if all(setting in one.settings for one, _ in results)]
    return [
        f"data.root=PATH/TO/{Path(setting).name}" if setting.startswith("data.root=") else setting for setting in shared
    ]
