"""From a set as distributed to a folder to train on: pair, align, write, report.

Everything is written to a temporary sibling of the target, which takes the target's place at the very
end: an interrupted or failed run leaves an earlier result untouched and no half-made folder.
"""

import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import image_stem, read_bytes, write_png
from iacyclegan_tf.data.pairs.manifest import SPLIT_SHA256, manifest_text
from iacyclegan_tf.data.pairs.pair import Pair, Pairing, disjoint, joined
from iacyclegan_tf.data.pairs.pairing import find_pairs
from iacyclegan_tf.data.pairs.splits import assign_splits, check_all_known, pair_names, read_split_file
from iacyclegan_tf.data.preparing.archives import Tree, open_source
from iacyclegan_tf.data.preparing.contact_sheet import contact_sheet
from iacyclegan_tf.data.preparing.layouts import LAYOUTS, misnamed
from iacyclegan_tf.data.preparing.pictures import Picture, PictureReader
from iacyclegan_tf.data.preparing.report import Findings, make_report, report_lines, unpaired_lines

REPORT_NAME = "prepare.json"
SHEET_PAIRS = 48
Progress = Callable[[Sequence[Pair]], Iterable[Pair]]


@dataclass(frozen=True)
class Request:
    """What a user asks for; see ``python -m iacyclegan_tf.prepare --help``."""

    layout: str
    source: Path
    out: Path
    eyes: Path | None = None
    split_file: Path | None = None
    split: str = "auto"
    skip_bad: bool = False
    force: bool = False

    def asked(self) -> dict[str, str]:
        """What decides the result, for ``prepare.json``; paths as absolute ones."""
        values = {
            name: os.path.abspath(value) if isinstance(value, Path) else value for name, value in vars(self).items()
        }
        return {name: str(value or "") for name, value in values.items() if name not in ("out", "force")}


class BadFiles(UserError):
    """Some files cannot be used and the user did not ask to go on without them.

    ``bad``: their names and reasons; ``unpaired``: lines that name what has no partner, or several.
    """

    def __init__(self, bad: list[dict[str, str]], unpaired: list[str]) -> None:
        super().__init__(
            f"{len(bad)} file(s) cannot be used, for instance '{bad[0]['file']}': "
            f"{bad[0]['reason']} Nothing was written; --skip-bad goes on without them."
        )
        self.bad, self.unpaired = bad, unpaired


def prepare(request: Request, progress: Progress = iter) -> dict:
    """Prepare a set and return its report (the content of ``prepare.json``).

    Writes ``photos/``, ``sketches/`` (PNG), ``manifest.csv``, ``prepare.json``, ``report.txt`` and
    ``contact_sheet.png`` below ``request.out``.

    Raises:
        UserError: see the modules used; ``BadFiles`` where single files cannot be used.
    """
    out = Path(os.path.abspath(request.out))
    _check_target(request, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        open_source(request.source, out.parent) as tree,
        tempfile.TemporaryDirectory(prefix=f".{out.name}-", suffix=".part", dir=out.parent) as part,
    ):
        pairing = find(request, tree)
        done = Path(part) / out.name
        report = _write_pairs(request, tree, pairing, done, progress)
        done.chmod(0o755)
        _take_place(done, out, Path(part))
    return report


def _check_target(request: Request, out: Path) -> None:
    source = Path(os.path.abspath(request.source))
    if out == source or source in out.parents or out in source.parents:
        raise UserError(f"OUT '{out}' and SOURCE '{source}' must not lie within each other.")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not request.force:
        raise UserError(f"OUT '{out}' exists and is not empty; --force replaces an earlier result.")
    if not (out / REPORT_NAME).is_file():
        raise UserError(f"OUT '{out}' holds no {REPORT_NAME}, so it is no earlier result; --force does not replace it.")


def _take_place(done: Path, out: Path, trash: Path) -> None:
    earlier = trash / "replaced"
    if out.exists():
        out.rename(earlier)
    try:
        done.rename(out)
    except BaseException:
        if earlier.exists():
            earlier.rename(out)
        raise


def find(request: Request, tree: Tree) -> Pairing:
    """Pair the files of a source and settle every pair's split."""
    if request.layout == "pairs":
        return find_pairs(tree.root, split=request.split, split_file=request.split_file)
    parts = [part(tree) for part in LAYOUTS[request.layout].parts]
    if request.split_file:
        wanted = read_split_file(request.split_file)
        check_all_known(joined(parts), wanted, request.split_file)
        # A part that the file does not mention keeps its official split.
        parts = [assign_splits(part, wanted) if _mentioned(part, wanted) else part for part in parts]
    pairing = joined(parts)
    if LAYOUTS[request.layout].named:
        pairing = replace(pairing, misnamed=misnamed(tree))
    if request.split != "auto":
        pairing = replace(pairing, pairs=tuple(replace(pair, split=request.split) for pair in pairing.pairs))
    _check_pairing(request, pairing)
    return disjoint(pairing, str(request.source))


def _mentioned(part: Pairing, wanted: dict[str, str]) -> bool:
    return any(name in wanted for pair in part.pairs for name in pair_names(pair))


def _check_pairing(request: Request, pairing: Pairing) -> None:
    if not pairing.pairs:
        clashes = (
            f"; {len(pairing.duplicates)} groups of files claim one partner, for instance "
            + ", ".join(f"'{path}'" for path in pairing.duplicates[0])
            if pairing.duplicates
            else ""
        )
        raise UserError(
            f"'{request.source}' holds no pair of layout {request.layout} "
            f"({LAYOUTS[request.layout].summary}): {len(pairing.orphan_photos)} photos and "
            f"{len(pairing.orphan_sketches)} sketches have no partner{clashes}."
        )
    without = [pair for pair in pairing.pairs if not pair.split]
    if without:
        raise UserError(
            f"{len(without)} of {len(pairing.pairs)} pairs (for instance "
            f"'{without[0].photo.name}') hold no official split in their names; give a file of "
            "names (--split-file) or one split for all (--split)."
        )


def _write_pairs(request: Request, tree: Tree, pairing: Pairing, out: Path, progress: Progress) -> dict:
    layout, findings = LAYOUTS[request.layout], Findings()
    reader, written = PictureReader(layout, tree, pairing.pairs, request.eyes), Written(out)
    names = _output_names(request.layout, pairing.pairs)
    every = math.ceil(len(pairing.pairs) / SHEET_PAIRS)  # the sheet spans the whole set
    for at, pair in enumerate(progress(pairing.pairs)):
        pictures = reader.read_pair(pair, findings)
        if pictures is not None:
            written.add(pair, names[pair], pictures, on_sheet=at % every == 0)
            for source in (pair.photo, pair.sketch):
                findings.content[_sha256(source)].add(tree.shown(source))
    pairing = replace(pairing, pairs=tuple(written.pairs))
    report = make_report(request.layout, request.source, tree, pairing, findings) | {"request": request.asked()}
    if findings.bad and (not request.skip_bad or not written.pairs):
        raise BadFiles(findings.bad, unpaired_lines(report))
    written.finish(report)
    return report


class Written:
    """The files of a prepared set, as they come into being below ``out``."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.pairs: list[Pair] = []
        self._rows: list[dict[str, str]] = []
        self._sheets: dict[bool, list] = {True: [], False: []}  # suspicious pairs and others

    def add(self, pair: Pair, names: tuple[str, str], pictures: Sequence[Picture], on_sheet: bool) -> None:
        """Write a pair's two pictures and keep its line of the manifest."""
        photo, sketch = (f"{folder}/{name}.png" for folder, name in zip(("photos", "sketches"), names))
        for path, picture in zip((photo, sketch), pictures):
            write_png(self._out / path, picture.image)
        self.pairs.append(replace(pair, photo=self._out / photo, sketch=self._out / sketch))
        self._rows.append(
            {
                "identity": pair.identity,
                "photo": photo,
                "sketch": sketch,
                "split": pair.split,
                "photo_sha256": _sha256(self._out / photo),
                "sketch_sha256": _sha256(self._out / sketch),
            }
        )
        suspicious = any(picture.reasons for picture in pictures)
        if (suspicious or on_sheet) and len(self._sheets[suspicious]) < SHEET_PAIRS:
            images = [picture.image for picture in pictures]
            self._sheets[suspicious].append((pair.identity, *images, suspicious))

    def finish(self, report: dict) -> None:
        """Write manifest, report and contact sheet (the suspicious pairs first)."""
        rows = [row | {SPLIT_SHA256: report[SPLIT_SHA256]} for row in self._rows]
        texts = {
            "manifest.csv": manifest_text(rows, ("photo_sha256", "sketch_sha256", SPLIT_SHA256)),
            REPORT_NAME: json.dumps(report, indent=2, ensure_ascii=False) + "\n",
            "report.txt": "\n".join(report_lines(report)) + "\n",
        }
        for name, text in texts.items():
            (self._out / name).write_text(text, encoding="utf-8")
        write_png(self._out / "contact_sheet.png", contact_sheet(self._sheets[True] + self._sheets[False]))


def _output_names(layout: str, pairs: Sequence[Pair]) -> dict[Pair, tuple[str, str]]:
    """File names without suffix for photo and sketch: the source's own, or else the identity's.

    Raises:
        UserError: two pairs would get the same name.
    """
    ways = [[(pair.identity,) * 2 for pair in pairs]]
    if layout != "fs2k":  # its stems repeat in the three folders
        ways.insert(0, [(image_stem(pair.photo), image_stem(pair.sketch)) for pair in pairs])
    for way in ways:
        names = [tuple(re.sub(r"[^\w.-]", "_", name) for name in both) for both in way]
        if all(len({name.lower() for name in side}) == len(pairs) for side in zip(*names)):
            return dict(zip(pairs, names))
    raise UserError("Neither the stems nor the identities of the pairs are unique; two files would get one name.")


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()
