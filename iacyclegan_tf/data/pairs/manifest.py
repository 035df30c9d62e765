"""``manifest.csv``: one line per pair, ``identity,photo,sketch,split`` and any further columns.

Paths are relative to the manifest and stay below its folder, so that a prepared set can be moved. A column
``split_sha256``, the same in every line, says which split this is (``pair.split_hash``); a column ``subset`` names
the part of the set that a pair is from, e.g. ``student`` or ``ar``.
"""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from iacyclegan_tf.common.errors import UserError, shortened
from iacyclegan_tf.data.images.files import read_bytes
from iacyclegan_tf.data.pairs.naming import SPLITS, normal_name, split_named
from iacyclegan_tf.data.pairs.pair import Pair, Pairing, disjoint, split_hash

COLUMNS = ("identity", "photo", "sketch", "split")
SPLIT_SHA256 = "split_sha256"
Listings = dict[Path, dict[str, list[str]]]  # of folders: the entries' names by their normal form


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
    listings: Listings = {}
    pairs = [_pair(path, line, row, listings) for line, row in enumerate(rows, start=2)]
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


def _pair(manifest: Path, line: int, row: Mapping[str, str | None], listings: Listings) -> Pair:
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
    photo, sketch = (_inside(manifest, line, values[column], listings) for column in ("photo", "sketch"))
    return Pair(values["identity"], photo, sketch, split, (row.get("subset") or "").strip())


def _inside(manifest: Path, line: int, name: str, listings: Listings) -> Path:
    # Manifests may come from another system, where backslashes separate folders.
    relative = os.path.normpath(name.replace("\\", "/"))
    if os.path.isabs(relative) or relative.split("/")[0] == ".." or re.match(r"[A-Za-z]:", relative):
        raise UserError(f"Manifest '{manifest}', line {line}: '{name}' must be a path inside the manifest's folder.")
    path = manifest.parent
    for part in relative.split("/"):
        path /= part if os.path.lexists(path / part) else _same_name(path, part, listings)
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that is too long for a file
        raise UserError(f"Manifest '{manifest}', line {line}: file '{shortened(name, 200)}' does not exist.")
    return path


def _same_name(folder: Path, name: str, listings: Listings) -> str:
    """The one entry of a folder that has this name in another letter case or Unicode form; else ``name``."""
    if folder not in listings:
        listings[folder] = {}
        for entry in os.listdir(folder) if os.path.isdir(folder) else ():
            listings[folder].setdefault(normal_name(entry), []).append(entry)
    found = listings[folder].get(normal_name(name), [])
    return found[0] if len(found) == 1 else name


def manifest_text(rows: Sequence[Mapping[str, str]], extra_columns: Sequence[str] = ()) -> str:
    """The text of a manifest with ``COLUMNS`` and the extra columns of the given rows."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*COLUMNS, *extra_columns], lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
