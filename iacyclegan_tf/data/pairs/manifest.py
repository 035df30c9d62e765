"""``manifest.csv``: one line per pair, ``identity,photo,sketch,split`` and any further columns.

Paths are relative to the manifest and stay below its folder, so that a prepared set can be moved. A column
``split_sha256``, the same in every line, says which split this is (``pair.split_hash``); a column ``subset`` names
the part of the set that a pair is from, e.g. ``student`` or ``ar``.
"""

import csv
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from iacyclegan_tf.common.errors import UserError, shortened
from iacyclegan_tf.data.images.files import read_bytes
from iacyclegan_tf.data.pairs.naming import SPLITS, normal_name, split_named
from iacyclegan_tf.data.pairs.pair import Pair, Pairing, disjoint, split_hash

COLUMNS = ("identity", "photo", "sketch", "split")
SPLIT_SHA256 = "split_sha256"


def read_manifest(path: str | Path) -> Pairing:
    """Read a manifest (CSV with a header; more columns, BOM and CRLF are allowed).

    Raises:
        UserError: unreadable, a column or value is missing, a file is unknown or lies outside, a file
            is listed twice, or one identity stands in two splits; names the line. Also if its lines are not the
            split that its column ``split_sha256`` tells.
    """
    path = Path(path)
    try:
        text = read_bytes(path).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Manifest '{path}' is not a CSV file in UTF-8: {error}.") from error
    if not rows:
        raise UserError(f"Manifest '{path}' holds no pair.")
    missing = [column for column in COLUMNS if column not in rows[0]]
    if missing:
        raise UserError(
            f"Manifest '{path}' lacks the column(s) {', '.join(missing)}; expected are {','.join(COLUMNS)}."
        )
    files = _by_name(path.parent)
    pairs = [_pair(path, line, row, files) for line, row in enumerate(rows, start=2)]
    for file, count in Counter(file for pair in pairs for file in (pair.photo, pair.sketch)).items():
        if count > 1:
            raise UserError(f"Manifest '{path}' lists '{file}' {count} times.")
    digest = split_hash(pairs)
    others = sorted({(row.get(SPLIT_SHA256) or digest).strip() for row in rows} - {digest})
    if others:
        raise UserError(
            f"Manifest '{path}' was edited: its column {SPLIT_SHA256} says {others[0][:12]}..., and its lines give "
            f"{digest[:12]}.... Prepare the set again, or remove that column if this split is meant."
        )
    pairs.sort(key=lambda pair: (pair.identity, pair.photo.name, pair.sketch.name))
    return disjoint(Pairing(tuple(pairs)), str(path))


def _pair(manifest: Path, line: int, row: Mapping[str, str | None], files: dict[str, list[Path]]) -> Pair:
    values = {column: (row[column] or "").strip() for column in COLUMNS}
    empty = [column for column, value in values.items() if not value]
    if empty:
        raise UserError(f"Manifest '{manifest}', line {line}: {', '.join(empty)} is empty.")
    split = split_named(values["split"])
    if split is None:
        raise UserError(
            f"Manifest '{manifest}', line {line}: split '{shortened(values['split'], 200)}' is unknown; "
            f"allowed are {', '.join(SPLITS)}."
        )
    photo, sketch = (_inside(manifest, line, values[column], files) for column in ("photo", "sketch"))
    return Pair(values["identity"], photo, sketch, split, (row.get("subset") or "").strip())


def _inside(manifest: Path, line: int, name: str, files: dict[str, list[Path]]) -> Path:
    """The file of this name, or else the one whose name differs in letter case or Unicode form alone."""
    # Manifests may come from another system, where backslashes separate folders.
    relative = os.path.normpath(name.replace("\\", "/"))
    if os.path.isabs(relative) or relative.split("/")[0] == ".." or re.match(r"[A-Za-z]:", relative):
        raise UserError(f"Manifest '{manifest}', line {line}: '{name}' must be a path inside the manifest's folder.")
    path, alike = manifest.parent / relative, files.get(normal_name(relative), [])
    if os.path.isfile(path):  # unlike Path.is_file, False for a name that is too long for a file
        return path
    if len(alike) != 1:
        raise UserError(f"Manifest '{manifest}', line {line}: file '{shortened(name, 200)}' does not exist.")
    return alike[0]


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """All files below a folder by the normal form of their paths."""
    files = defaultdict(list)
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            files[normal_name(path.relative_to(folder).as_posix())].append(path)
    return files


def manifest_text(rows: Sequence[Mapping[str, str]], extra_columns: Sequence[str] = ()) -> str:
    """The text of a manifest with ``COLUMNS`` and the extra columns of the given rows."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*COLUMNS, *extra_columns], lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
