"""What an evaluated round leaves behind: metrics.json, people.csv and scores.npz, each whole or not there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import new_file, write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.common.tables import no_formula

METRICS, PEOPLE, SCORES = "metrics.json", "people.csv", "scores.npz"
_PROTOCOL = {"split_sha256": str, "test_split": str, "test_people": int, "measured_at": list, "settings": dict}


@dataclass(frozen=True)
class RoundResult:
    """One evaluated round.

    Attributes:
        metrics: the content of metrics.json.
        identities: of the test pairs, in the order of all columns and matrices.
        per_pair: columns of one value a test pair: ``photo_to_sketch.ssim``, ``rank.learned.whole.fusion`` (from 1).
        scores: matrices ``[probes, gallery]`` by ``<learned|hog>.<whole|face>.<way>``.
    """

    metrics: dict
    identities: tuple[str, ...]
    per_pair: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]

    @property
    def number(self) -> int:
        return self.metrics["round"]


def write_round(folder: Path, result: RoundResult) -> None:
    """``metrics.json`` comes last: a round whose metrics hold a full evaluation has the other files."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["identity", *result.per_pair])
    columns = (values.tolist() for values in result.per_pair.values())
    writer.writerows(zip(map(no_formula, result.identities), *columns, strict=True))
    write_text(folder / PEOPLE, text.getvalue())
    with new_file(folder / SCORES) as file:
        np.savez_compressed(file, **result.scores)
    write_text(folder / METRICS, json.dumps(result.metrics, indent=2, ensure_ascii=False) + "\n")


def read_round(folder: Path, command: str) -> RoundResult:
    """``UserError`` names the ``command`` to run where the round has not been evaluated, or its files are damaged."""
    missing = [name for name in (METRICS, PEOPLE, SCORES) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{folder} holds no {' and no '.join(missing)}: it has not been evaluated. Run: {command}")
    name = METRICS
    try:
        metrics = read_object(folder / METRICS)
        for key, kind in _PROTOCOL.items():
            if not isinstance(metrics["protocol"].get(key), kind):
                raise ValueError(f"the protocol has no {key}, as that of a full evaluation has")
        name = PEOPLE
        identities, per_pair = _read_people(folder / PEOPLE)
        name = SCORES
        scores = _read_scores(folder / SCORES, len(identities))
    except UserError as error:
        raise UserError(f"{error} Run again: {command}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(
            f"{folder / name} cannot be read ({type(error).__name__}: {printable(error)}). Run again: {command}"
        ) from None
    return RoundResult(metrics, identities, per_pair, scores)


def _read_people(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    identities = tuple(name[1:] if no_formula(name[1:]) == name else name for name in columns.pop("identity"))
    per_pair = {name: np.array(values, np.float64) for name, values in columns.items()}
    if not all(np.isfinite(values).all() for values in per_pair.values()):
        raise ValueError("a value is not finite")
    return identities, per_pair


def _read_scores(path: Path, pairs: int) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if any(entry.file_size > 8 * pairs**2 + 4096 for entry in archive.zip.infolist()):
                raise ValueError(f"a matrix is larger than {pairs} x {pairs}")
            scores = {name: archive[name] for name in archive.files}
    except Exception as error:  # on a flipped bit NumPy and zipfile raise a dozen kinds
        raise ValueError(f"{type(error).__name__}: {error}") from None
    for name, matrix in scores.items():
        if matrix.shape != (pairs, pairs) or matrix.dtype.kind != "f" or not np.isfinite(matrix).all():
            raise ValueError(f"{name} is no matrix of {pairs} x {pairs} finite numbers")
    return scores


def scalars(values: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    """The measured numbers of ``metrics.json``, named by their place in it."""
    for key, value in values.items():
        if isinstance(value, dict) and key not in ("protocol", "trivial_baselines"):
            yield from scalars(value, f"{prefix}{key}/")
        elif isinstance(value, float):
            yield prefix + key, value
