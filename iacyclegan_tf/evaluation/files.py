"""What an evaluated round leaves behind: metrics.json, people.csv and scores.npz, each whole or not there."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import new_file, write_text
from iacyclegan_tf.common.errors import UserError

METRICS, PEOPLE, SCORES = "metrics.json", "people.csv", "scores.npz"


@dataclass(frozen=True)
class RoundFiles:
    """What ``read_round`` found; see ``full_evaluation.RoundEvaluation``."""

    metrics: dict
    identities: tuple[str, ...]  # of the test pairs, in the order of all columns and matrices
    per_pair: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]


def write_round(
    folder: Path,
    metrics: dict,
    identities: tuple[str, ...],
    per_pair: dict[str, np.ndarray],
    scores: dict[str, np.ndarray],
) -> None:
    """``metrics.json`` comes last: a round whose metrics hold a full evaluation has the other files."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["identity", *per_pair])
    writer.writerows(zip(identities, *(values.tolist() for values in per_pair.values()), strict=True))
    write_text(folder / PEOPLE, text.getvalue())
    with new_file(folder / SCORES) as file:
        np.savez_compressed(file, **scores)
    write_text(folder / METRICS, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")


def read_round(folder: Path, command: str) -> RoundFiles:
    """``UserError`` names the ``command`` to run where the round has not been evaluated, or its files are damaged."""
    missing = [name for name in (METRICS, PEOPLE, SCORES) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{folder} holds no {' and no '.join(missing)}: it has not been evaluated. Run: {command}")
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        with open(folder / PEOPLE, encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        identities = columns.pop("identity")
        per_pair = {name: np.array(values, np.float64) for name, values in columns.items()}
        with np.load(folder / SCORES, allow_pickle=False) as archive:
            scores = {name: archive[name] for name in archive.files}
        if not {"split_sha256", "settings"} <= metrics["protocol"].keys():
            raise ValueError(f"the protocol in {METRICS} is not that of a full evaluation")
    except (OSError, ValueError, KeyError, TypeError, csv.Error, zipfile.BadZipFile) as error:
        raise UserError(
            f"What the evaluation left in {folder} cannot be read ({type(error).__name__}: {error}). "
            f"Run again: {command}"
        ) from None
    return RoundFiles(metrics, identities, per_pair, scores)


def scalars(values: dict, prefix: str = ""):
    """The measured numbers of ``metrics.json``, named by their place in it."""
    for key, value in values.items():
        if isinstance(value, dict) and key not in ("protocol", "trivial_baselines"):
            yield from scalars(value, f"{prefix}{key}/")
        elif isinstance(value, float):
            yield prefix + key, value
