"""From a set as distributed to a folder to train on: pair, align, write, report.

Everything is written to a temporary sibling of the target, which takes the target's place at the very
end: an interrupted or failed run leaves an earlier result untouched and no half-made folder.
"""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import there
from iacyclegan_tf.data.duplicate_images import refuse_same_pictures
from iacyclegan_tf.data.images.files import image_stem, read_bytes, write_png
from iacyclegan_tf.data.pairs.manifest import SPLIT_SHA256, manifest_text
from iacyclegan_tf.data.pairs.naming import file_name, normal_name
from iacyclegan_tf.data.pairs.pair import Pair, Pairing, disjoint, joined, listed
from iacyclegan_tf.data.pairs.pairing import find_pairs
from iacyclegan_tf.data.pairs.splits import assign_splits, check_all_known, pair_names, read_split_file
from iacyclegan_tf.data.preparing.archives import Tree, open_source
from iacyclegan_tf.data.preparing.contact_sheet import contact_sheet
from iacyclegan_tf.data.preparing.layouts import LAYOUTS, misnamed
from iacyclegan_tf.data.preparing.pictures import SIDES, PictureReader
from iacyclegan_tf.data.preparing.report import UNPAIRED, Findings, make_report, report_lines

REPORT_NAME = "prepare.json"
SHEET_PAIRS = 48
Progress = Callable[[Sequence[Pair], str, int], Iterable[Pair]]


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


def prepare(request: Request, progress: Progress = lambda pairs, words, total: pairs) -> dict:
    """Prepare a set and return its report (the content of ``prepare.json``).

    Writes ``photos/``, ``sketches/`` (PNG), ``manifest.csv``, ``prepare.json``, ``report.txt`` and
    ``contact_sheet.png`` below ``request.out``.

    Raises:
        UserError: see the modules used; files that cannot be used are all named.
    """
    out = Path(os.path.abspath(request.out))
    _check_target(request, out)
    there(request.source, "The source")
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
    if out.exists():
        out.rename(trash / "replaced")
    try:
        done.rename(out)
    except BaseException:
        if (trash / "replaced").exists():
            (trash / "replaced").rename(out)
        raise


def find(request: Request, tree: Tree) -> Pairing:
    """Pair the files of a source and settle every pair's split."""
    if request.layout == "pairs":
        return find_pairs(tree.root, split=request.split, split_file=request.split_file)
    layout = LAYOUTS[request.layout]
    parts = [part(tree).each_with(subset=name if len(layout.parts) > 1 else "") for name, part in layout.parts.items()]
    if request.split_file:
        wanted = read_split_file(request.split_file)
        check_all_known(joined(parts), wanted, request.split_file)
        # A part that the file does not mention keeps its official split.
        mentioned = [any(name in wanted for pair in part.pairs for name in pair_names(pair)) for part in parts]
        parts = [assign_splits(part, wanted) if named else part for part, named in zip(parts, mentioned)]
    pairing = replace(joined(parts), misnamed=misnamed(tree) if layout.named else ())
    if request.split != "auto":
        pairing = pairing.each_with(split=request.split)
    _check_pairing(request, pairing)
    return disjoint(pairing, str(request.source))


def _check_pairing(request: Request, pairing: Pairing) -> None:
    if not pairing.pairs:
        clashes = [f"; {line}" for line in listed(pairing.left_out(), ["duplicates"])[:1]]
        raise UserError(
            f"'{request.source}' holds no pair of layout {request.layout} "
            f"({LAYOUTS[request.layout].summary}): {len(pairing.orphan_photos)} photos and "
            f"{len(pairing.orphan_sketches)} sketches have no partner{''.join(clashes)}."
        )
    without = [pair for pair in pairing.pairs if not pair.split]
    if without:
        raise UserError(
            f"{len(without)} of {len(pairing.pairs)} pairs (for instance "
            f"'{without[0].photo.name}') hold no official split in their names; give a file of "
            "names (--split-file) or one split for all (--split)."
        )


def _write_pairs(request: Request, tree: Tree, pairing: Pairing, out: Path, progress: Progress) -> dict:
    """Write all files of a prepared set below ``out``; returns its report."""
    findings, reader = Findings(), PictureReader(LAYOUTS[request.layout], tree, pairing.pairs, request.eyes)
    names = _output_names(request.layout, pairing.pairs)
    every = math.ceil(len(pairing.pairs) / SHEET_PAIRS)  # the sheet spans the whole set
    written: dict[Pair, Pair] = {}
    sheets: dict[bool, list] = {True: [], False: []}  # suspicious pairs, which come first, and others
    for at, pair in enumerate(progress(pairing.pairs, "preparing pairs", len(pairing.pairs))):
        pictures = reader.read_pair(pair, findings)
        if pictures is None:
            continue
        photo, sketch = (out / f"{side}/{name}.png" for side, name in zip(("photos", "sketches"), names[pair]))
        for path, picture in zip((photo, sketch), pictures):
            write_png(path, picture.image)
        written[pair] = replace(pair, photo=photo, sketch=sketch)
        suspicious = any(picture.reasons for picture in pictures)
        if (suspicious or at % every == 0) and len(sheets[suspicious]) < SHEET_PAIRS:
            sheets[suspicious].append((pair.identity, *(picture.image for picture in pictures), suspicious))
    report = make_report(
        request.layout, request.source, tree, replace(pairing, pairs=tuple(written.values())), findings
    )
    if findings.bad and (not request.skip_bad or not written):
        raise UserError(
            f"{len(findings.bad)} file(s) cannot be used; nothing was written, and --skip-bad goes on without them:\n  "
            + "\n  ".join([f"{entry['file']}: {entry['reason']}" for entry in findings.bad] + listed(report, UNPAIRED))
        )
    trained = {pair.identity for pair in written if pair.split == "train"}
    tested = [picture for picture in findings.pictures if picture.person not in trained]
    refuse_same_pictures(tested, findings.pictures)
    texts = {
        "manifest.csv": _manifest(out, list(written.values()), report[SPLIT_SHA256]),
        REPORT_NAME: json.dumps(report, indent=2, ensure_ascii=False) + "\n",
        "report.txt": "\n".join(report_lines(report)) + "\n",
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    write_png(out / "contact_sheet.png", contact_sheet(sheets[True] + sheets[False]))
    return report


def _manifest(out: Path, pairs: Sequence[Pair], digest: str) -> str:
    subsets = ["subset"] if any(pair.subset for pair in pairs) else []
    columns = ["photo_sha256", "sketch_sha256", SPLIT_SHA256, *subsets]
    rows = [
        {
            "identity": pair.identity,
            "split": pair.split,
            "subset": pair.subset,
            SPLIT_SHA256: digest,
            **{side: getattr(pair, side).relative_to(out).as_posix() for side in SIDES},
            **{f"{side}_sha256": hashlib.sha256(read_bytes(getattr(pair, side))).hexdigest() for side in SIDES},
        }
        for pair in pairs
    ]
    return manifest_text(rows, columns)


def _output_names(layout: str, pairs: Sequence[Pair]) -> dict[Pair, tuple[str, str]]:
    """File names without suffix for photo and sketch: the source's own, or else the identity's.

    Raises:
        UserError: two pairs would get the same name.
    """
    stems = [(image_stem(pair.photo), image_stem(pair.sketch)) for pair in pairs]
    people = [(pair.identity, pair.identity) for pair in pairs]
    for way in (people,) if layout == "fs2k" else (stems, people):  # its stems repeat in the three folders
        names = [(file_name(photo), file_name(sketch)) for photo, sketch in way]
        if all(len({normal_name(name) for name in side}) == len(pairs) for side in zip(*names)):
            return dict(zip(pairs, names))
    raise UserError("Neither the stems nor the identities of the pairs are unique; two files would get one name.")
