"""The public photo-sketch sets as they are distributed: which files of a source form which pairs.

One function per set, from the files of a source to a ``Pairing``. Names decide, not folders: the sets
are passed on in many arrangements, but their file names are kept. Sources of each rule: ``naming.py``
and ``docs/data.md``.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.crop import HEIGHT, WIDTH
from iacyclegan_tf.data.images.files import has_image_name, image_size, image_stem, is_raw, read_bytes
from iacyclegan_tf.data.pairs.naming import feret_key, normal_name, split_named, student_split
from iacyclegan_tf.data.pairs.pair import Pair, Pairing
from iacyclegan_tf.data.pairs.pairing import pair_files
from iacyclegan_tf.data.preparing.archives import Tree

# Stems of photos and of sketches, in any letter case; the last two have no official split.
STUDENT = r"[fm]1?-\d{3}-\d{2}", r"[fm][12]?-\d{3}-\d{2}-sz1"
AR = r"[mw]-\d{3}-\d", r"[mw]p-\d{3}-\d-sz1"  # photos are raw RGB, or converted
XM2VTS = r"\d{3}_\d_\d", r"\d{3}_\d_\d_sz1"
CUFSF_SKETCH = r"\d{5}"
FERET_LIST = "names_of_photos_used_for_drawing_sketches.txt"


@dataclass(frozen=True)
class Layout:
    """One set as distributed.

    Attributes:
        summary: a line for the command's help.
        parts: by name, functions from the files to a pairing; the ``cufs`` set has three.
        needs_eyes: originals are photographs in which the face must be found, so that anything but a
            ready crop needs fiducial points.
        named: files belong to it by their own names alone, see ``misnamed``.
        side_by_side: photo (left half) and drawing (right half) are one file.
    """

    summary: str
    parts: dict[str, Callable[[Tree], Pairing]]
    needs_eyes: bool = True
    named: bool = True
    side_by_side: bool = False


def student(tree: Tree) -> Pairing:
    """CUHK student: ``f-005-01`` and ``F2-005-01-sz1``; the prefix gives the official 88/100 split."""
    pairing = _by_stem(tree, *STUDENT)
    pairs = (replace(pair, split=student_split(image_stem(pair.sketch)) or "") for pair in pairing.pairs)
    return replace(pairing, pairs=tuple(pairs))


def cufsf(tree: Tree) -> Pairing:
    """CUFSF: FERET photos (``00001fb010_930831``) and ``00001``, paired by the five-digit subject.

    Of a whole FERET folder only the photos of the list that comes with CUFSF are taken.
    """
    photos = [path for path in _images(tree) if feret_key(image_stem(path))]
    sketches = [path for path in _images(tree) if re.fullmatch(CUFSF_SKETCH, image_stem(path))]
    lists = [path for path in tree.files if path.name.lower() == FERET_LIST]
    if lists:
        # Names of photos are ASCII; Latin-1 reads any file.
        drawn = {feret_key(image_stem(name.strip())) for name in read_bytes(lists[0]).decode("latin-1").splitlines()}
        photos = [path for path in photos if feret_key(image_stem(path)) in drawn]
    return _pair_preferring_crops(photos, sketches)


def fs2k(tree: Tree) -> Pairing:
    """FS2K: ``photo/photo1/image0001``, ``sketch/sketch1/sketch0001``; ``anno_{train,test}.json``.

    The stems repeat in the three folders, so a person is ``photo1_image0001``.
    """
    by_name = _grouped(_images(tree), lambda path: f"{path.parent.name}/{image_stem(path)}")
    pairs, lone_photos, lone_sketches, duplicates, absent = [], [], [], [], []
    for name, split in _fs2k_names(tree):
        photos = by_name.pop(name, [])
        sketches = by_name.pop(name.replace("photo", "sketch").replace("image", "sketch"), [])
        if len(photos) == len(sketches) == 1:
            pairs.append(Pair(name.replace("/", "_"), photos[0], sketches[0], split))
        elif len(photos) > 1 or len(sketches) > 1:
            duplicates.append((*photos, *sketches))
        elif photos or sketches:
            lone_photos += photos
            lone_sketches += sketches
        else:
            absent.append(Path(f"{name} (annotated for {split}, but no such file)"))
    others = (path for paths in by_name.values() for path in paths)
    return Pairing(
        tuple(pairs), tuple(lone_photos), tuple(lone_sketches), tuple(duplicates), passed_over=(*absent, *others)
    )


def _fs2k_names(tree: Tree) -> list[tuple[str, str]]:
    """(lower-case ``photo1/image0001``, split) of every annotated photo."""
    names = []
    for split in ("train", "test"):
        for path in (path for path in tree.files if path.name == f"anno_{split}.json"):
            try:
                found = [entry["image_name"].lower() for entry in json.loads(read_bytes(path))]
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise UserError(f"'{path}' must be a JSON list of objects with image_name.") from error
            names += [("/".join(name.split("/")[-2:]), split) for name in found]
    if not names:
        raise UserError(
            f"'{tree.root}' holds neither anno_train.json nor anno_test.json, which name the pairs of FS2K."
        )
    return names


def apdrawing(tree: Tree) -> Pairing:
    """APDrawing: photo and drawing side by side in one file; the split is a folder's name."""
    by_stem = _grouped(_images(tree))
    pairs = [
        Pair(stem, paths[0], paths[0], _split_of_folder(tree.shown(paths[0])))
        for stem, paths in sorted(by_stem.items())
        if len(paths) == 1
    ]
    duplicates = tuple(tuple(paths) for paths in by_stem.values() if len(paths) > 1)
    return Pairing(tuple(pairs), duplicates=duplicates)


def _split_of_folder(relative: str) -> str:
    """The split that the nearest folder above a file names, or ''."""
    return next(filter(None, map(split_named, Path(relative).parent.parts[::-1])), "")


def _images(tree: Tree) -> list[Path]:
    return [path for path in tree.files if has_image_name(path)]


def _grouped(paths: Iterable[Path], name: Callable[[Path], str] = image_stem) -> dict[str, list[Path]]:
    """The files by the normal form of a name, the stem or another."""
    groups = defaultdict(list)
    for path in paths:
        groups[normal_name(name(path))].append(path)
    return groups


def _by_stem(tree: Tree, photo: str, sketch: str) -> Pairing:
    """Pair the files whose stems match two patterns, without regard to letter case."""
    files = [path for path in tree.files if has_image_name(path) or is_raw(path)]
    sides = ([path for path in files if re.fullmatch(p, image_stem(path), re.IGNORECASE)] for p in (photo, sketch))
    return _pair_preferring_crops(*sides)


def misnamed(tree: Tree) -> tuple[Path, ...]:
    """Images whose names are of none of CUFS and CUFSF with FERET: a renamed file is otherwise found by nobody."""
    names = "|".join((*STUDENT, *AR, *XM2VTS, CUFSF_SKETCH))
    return tuple(
        path
        for path in _images(tree)
        if not re.fullmatch(names, image_stem(path), re.IGNORECASE) and not feret_key(image_stem(path))
    )


def _pair_preferring_crops(photos: list[Path], sketches: list[Path]) -> Pairing:
    """Where one name occurs as original and as 200x250 crop, the crop is taken: on those was published.

    Other repetitions are kept for ``pair_files`` to report.
    """
    kept, passed_over = ([], []), []
    for side, paths in zip(kept, (photos, sketches)):
        for same in _grouped(paths).values():
            crops = [path for path in same if len(same) > 1 and is_crop(path)]
            chosen = crops if len(crops) == 1 else same
            side += chosen
            passed_over += [path for path in same if path not in chosen]
    return replace(pair_files(*kept), passed_over=tuple(passed_over))


def is_crop(path: Path) -> bool:
    """Whether a file already has the size of the standard crop; unreadable ones do not."""
    try:
        return not is_raw(path) and image_size(path) == (HEIGHT, WIDTH)
    except UserError:
        return False


_CUFS = {"student": student, "ar": lambda tree: _by_stem(tree, *AR), "xm2vts": lambda tree: _by_stem(tree, *XM2VTS)}
_AS_IT_IS = {"needs_eyes": False, "named": False}
LAYOUTS = {
    "cufs-student": Layout("CUHK student, 188 pairs: f-005-01 and F2-005-01-sz1", {"student": student}),
    "ar": Layout("AR, 123 pairs: m-002-1 (.raw or converted) and Mp-002-1-sz1", {"ar": _CUFS["ar"]}),
    "xm2vts": Layout("XM2VTS, 295 pairs: 000_1_1 and 000_1_1_sz1", {"xm2vts": _CUFS["xm2vts"]}),
    "cufs": Layout("the three above together, 606 pairs", _CUFS),
    "cufsf": Layout("CUFSF, 1194 pairs: FERET photos and 00001", {"cufsf": cufsf}),
    "fs2k": Layout("FS2K, 2104 pairs, at their own sizes", {"fs2k": fs2k}, **_AS_IT_IS),
    "apdrawing": Layout(
        "APDrawing, photo and drawing side by side", {"apdrawing": apdrawing}, side_by_side=True, **_AS_IT_IS
    ),
    # Found by pairing.find_pairs, which training uses on a user's own folders, too.
    "pairs": Layout("your own: photos/ and sketches/ with equal stems, or manifest.csv", {}, **_AS_IT_IS),
}
