"""Which sketch belongs to which photo: by the official names, by equal stems, or by a manifest.

Sorting two folders and zipping them mis-pairs the CUHK student set (the training sketches carry F2-/M2-
for photos named f-/m-), so pairs are only ever made by name. Whatever has no partner, or more than one,
is left out and listed; nothing is guessed.
"""

import csv
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from iacyclegan_tf.data.images import image_stem, list_images, list_passed_over
from iacyclegan_tf.data.splits import SPLITS, read_split_file, split_hash, student_split
from iacyclegan_tf.errors import UserError

__all__ = ["Pair", "Pairing", "pair_folders", "pair_files", "read_manifest", "find_pairs", "split_hash"]
MANIFEST_COLUMNS = ("identity", "photo", "sketch", "split")


@dataclass(frozen=True)
class Pair:
    """One person's photo and sketch. ``split`` is ``train``, ``dev``, ``test``, or '' when not known."""

    identity: str
    photo: Path
    sketch: Path
    split: str


@dataclass(frozen=True)
class Pairing:
    """All pairs found, sorted by identity, and every file that was left out.

    Attributes:
        pairs: the usable pairs.
        orphan_photos, orphan_sketches: files without a partner.
        duplicates: groups of files that claim the same partner; all of them are left out.
        passed_over: files that are not images by their name.
        unlisted: pairs that a split file does not name; left out of ``pairs``.
    """

    pairs: tuple[Pair, ...]
    orphan_photos: tuple[Path, ...] = ()
    orphan_sketches: tuple[Path, ...] = ()
    duplicates: tuple[tuple[Path, ...], ...] = ()
    passed_over: tuple[Path, ...] = ()
    unlisted: tuple[Pair, ...] = ()

    def of_split(self, split: str) -> tuple[Pair, ...]:
        """The pairs of one split, in order."""
        return tuple(pair for pair in self.pairs if pair.split == split)

    def counts(self) -> dict[str, int]:
        """Number of pairs per split."""
        return dict(sorted(Counter(pair.split or "no split" for pair in self.pairs).items()))

    def report(self) -> list[str]:
        """Lines for a person: counts first, then every file that was left out, by name."""
        counts = ", ".join(f"{split} {count}" for split, count in self.counts().items())
        lines = [f"{len(self.pairs)} pairs ({counts or 'none'}), split SHA-256 {split_hash(self.pairs)}"]
        lines += [f"photo without a sketch: {path}" for path in self.orphan_photos]
        lines += [f"sketch without a photo: {path}" for path in self.orphan_sketches]
        lines += ["several claim one partner, all left out: " + ", ".join(map(str, group))
                  for group in self.duplicates]
        lines += [f"not named in the split file, left out: {pair.photo}" for pair in self.unlisted]
        lines += [f"not an image by its name, passed over: {path}" for path in self.passed_over]
        return lines


def photo_key(stem: str) -> str:
    """What a photo is paired by: its stem in lower case; for FERET names the five-digit subject."""
    stem = stem.lower()
    match = re.match(r"(\d{5})[a-z]{2}", stem)
    return match.group(1) if match else stem


def sketch_key(stem: str) -> str:
    """The photo key that an official sketch name stands for; plain stems come back in lower case.

    ``F2-005-01-sz1`` -> ``f-005-01``, ``Mp-002-1-sz1`` -> ``m-002-1``, ``000_1_1_sz1`` -> ``000_1_1``.
    """
    stem = stem.lower()
    bare = re.sub(r"[-_]sz1$", "", stem)
    if bare == stem:
        return photo_key(stem)
    return re.sub(r"^(?:([fm])2|([mw])p)-", lambda m: (m.group(1) or m.group(2)) + "-", bare)


def identity_of(photo_stem: str) -> str:
    """The person: AR ``m-002-1`` -> ``m-002``, XM2VTS ``000_1_1`` -> ``000``, FERET -> five digits.

    Otherwise the photo's stem in lower case.
    """
    key = photo_key(photo_stem)
    match = re.fullmatch(r"([mw]-\d{3})-\d|(\d{3})_\d_\d", key)
    return next(filter(None, match.groups())) if match else key


def pair_folders(photos_dir: str | Path, sketches_dir: str | Path) -> Pairing:
    """Pair the images of two folders by name; splits are left open ('').

    Raises:
        UserError: a folder is missing or holds no image, or not a single name fits.
    """
    photos, sketches = _images_of(photos_dir, "photos"), _images_of(sketches_dir, "sketches")
    pairing = pair_files(photos, sketches)
    if not pairing.pairs:
        raise UserError(
            f"No photo of '{photos_dir}' fits a sketch of '{sketches_dir}' (for instance "
            f"'{photos[0].name}' and '{sketches[0].name}'); expected are equal names or those of CUFS.")
    passed_over = (*list_passed_over(photos_dir), *list_passed_over(sketches_dir))
    return replace(pairing, passed_over=passed_over)


def _images_of(folder: str | Path, what: str) -> list[Path]:
    images = list_images(folder)
    if not images:
        raise UserError(f"Folder '{folder}' holds no image; {what} were expected there.")
    return images


def pair_files(photos: Iterable[Path], sketches: Iterable[Path],
               photo_name: Callable[[str], str] = photo_key,
               sketch_name: Callable[[str], str] = sketch_key,
               identity: Callable[[str], str] = identity_of) -> Pairing:
    """Pair given files by keys made from their stems; a key used twice on a side is a duplicate."""
    photos_by_key, sketches_by_key = defaultdict(list), defaultdict(list)
    for photo in photos:
        photos_by_key[photo_name(image_stem(photo))].append(photo)
    for sketch in sketches:
        stem = image_stem(sketch)
        # Equal stems win over the official rule, so that a user's own "x_sz1" pairs with "x_sz1".
        key = stem.lower() if stem.lower() in photos_by_key else sketch_name(stem)
        sketches_by_key[key].append(sketch)
    pairs, orphan_photos, orphan_sketches, duplicates = [], [], [], []
    for key in sorted(photos_by_key.keys() | sketches_by_key.keys()):
        some_photos, some_sketches = photos_by_key.get(key, []), sketches_by_key.get(key, [])
        if len(some_photos) > 1 or len(some_sketches) > 1:
            duplicates.append((*some_photos, *some_sketches))
        elif not some_sketches:
            orphan_photos += some_photos
        elif not some_photos:
            orphan_sketches += some_sketches
        else:
            photo, sketch = some_photos[0], some_sketches[0]
            pairs.append(Pair(identity(image_stem(photo)), photo, sketch, ""))
    return Pairing(tuple(pairs), tuple(orphan_photos), tuple(orphan_sketches), tuple(duplicates))


def read_manifest(path: str | Path) -> Pairing:
    """Read ``identity,photo,sketch,split`` (CSV with a header; more columns, BOM and CRLF allowed).

    Paths are relative to the manifest and must stay below its folder.

    Raises:
        UserError: unreadable, a column or value is missing, a file is unknown or lies outside, a file
            is listed twice, or one identity stands in two splits; names the line.
    """
    path = Path(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Manifest '{path}' cannot be read: {error}.") from error
    if not rows:
        raise UserError(f"Manifest '{path}' holds no pair.")
    missing = [column for column in MANIFEST_COLUMNS if column not in rows[0]]
    if missing:
        raise UserError(f"Manifest '{path}' lacks the column(s) {', '.join(missing)}; "
                        f"expected are {','.join(MANIFEST_COLUMNS)}.")
    pairs = [_manifest_pair(path, line, row) for line, row in enumerate(rows, start=2)]
    for file, count in Counter(file for pair in pairs for file in (pair.photo, pair.sketch)).items():
        if count > 1:
            raise UserError(f"Manifest '{path}' lists '{file}' {count} times.")
    return checked(Pairing(tuple(sorted(pairs, key=_order))), str(path))


def _order(pair: Pair) -> tuple[str, str, str]:
    return pair.identity, pair.photo.name, pair.sketch.name


def _manifest_pair(manifest: Path, line: int, row: dict[str, str]) -> Pair:
    values = {column: (row[column] or "").strip() for column in MANIFEST_COLUMNS}
    empty = [column for column, value in values.items() if not value]
    if empty:
        raise UserError(f"Manifest '{manifest}', line {line}: {', '.join(empty)} is empty.")
    if values["split"] not in SPLITS:
        raise UserError(f"Manifest '{manifest}', line {line}: split '{values['split']}' is unknown; "
                        f"allowed are {', '.join(SPLITS)}.")
    files = [_inside(manifest, line, values[column]) for column in ("photo", "sketch")]
    return Pair(values["identity"], files[0], files[1], values["split"])


def _inside(manifest: Path, line: int, name: str) -> Path:
    # Manifests may come from another system, where backslashes separate folders.
    relative = os.path.normpath(name.replace("\\", "/"))
    if os.path.isabs(relative) or relative.startswith("..") or re.match(r"[A-Za-z]:", relative):
        raise UserError(f"Manifest '{manifest}', line {line}: '{name}' must be a path inside the "
                        "manifest's folder.")
    path = manifest.parent / relative
    if not path.is_file():
        raise UserError(f"Manifest '{manifest}', line {line}: file '{name}' does not exist.")
    return path


def find_pairs(root: str | Path, *, split: str = "auto", split_file: str | Path | None = None) -> Pairing:
    """Find all pairs below a folder.

    Args:
        root: holds ``manifest.csv``; or ``photos/`` and ``sketches/``; or ``train/``, ``dev/``, ``test/``
            with both in each.
        split: ``auto``, or one of ``train``, ``dev``, ``test`` to be given to every pair. ``auto`` takes
            the manifest's column, or the sub-folder's name, or, for CUHK student names, the F2-/M2-
            prefix; pairs without any of these all become ``train``.
        split_file: a file of names (see ``splits``) that overrules the above.

    Raises:
        UserError: nothing of that kind there, an unknown name in the split file, only a part of the
            names holds a split, or one identity in two splits.
    """
    if split not in ("auto", *SPLITS):
        raise UserError(f"Split '{split}' is unknown; allowed are auto, {', '.join(SPLITS)}.")
    pairing = _gather(Path(root))
    if split_file is not None:
        pairing = assign_splits(pairing, split_file)
    elif split != "auto":
        pairing = replace(pairing, pairs=tuple(replace(pair, split=split) for pair in pairing.pairs))
    else:
        pairing = _split_by_name(pairing, str(root))
    return checked(pairing, str(root))


def _gather(root: Path) -> Pairing:
    if (root / "manifest.csv").is_file():
        return read_manifest(root / "manifest.csv")
    flat = _holds_pairs(root)
    folders = [root / split for split in SPLITS if _holds_pairs(root / split)]
    if flat == bool(folders):
        found = "both kinds of them" if flat else "nothing of the kind"
        raise UserError(f"Folder '{root}' must hold manifest.csv, or photos/ and sketches/, or these two "
                        f"in sub-folders train/, dev/, test/; it holds {found}.")
    if flat:
        return pair_folders(root / "photos", root / "sketches")
    return _joined([_in_split(folder) for folder in folders])


def _holds_pairs(folder: Path) -> bool:
    return (folder / "photos").is_dir() and (folder / "sketches").is_dir()


def _in_split(folder: Path) -> Pairing:
    pairing = pair_folders(folder / "photos", folder / "sketches")
    return replace(pairing, pairs=tuple(replace(pair, split=folder.name) for pair in pairing.pairs))


def _joined(pairings: list[Pairing]) -> Pairing:
    fields = ("pairs", "orphan_photos", "orphan_sketches", "duplicates", "passed_over", "unlisted")
    return Pairing(**{field: tuple(item for pairing in pairings for item in getattr(pairing, field))
                      for field in fields})


def _split_by_name(pairing: Pairing, where: str) -> Pairing:
    """Fill open splits from CUHK student names; all or none must have such names."""
    if all(pair.split for pair in pairing.pairs):
        return pairing
    splits = [student_split(image_stem(pair.sketch)) for pair in pairing.pairs]
    known = sum(split is not None for split in splits)
    if 0 < known < len(splits):
        raise UserError(f"Of {len(splits)} pairs in '{where}' only {known} hold their split in the name; "
                        "give a file of names (split_file).")
    pairs = (replace(pair, split=split or "train") for pair, split in zip(pairing.pairs, splits))
    return replace(pairing, pairs=tuple(pairs))


def assign_splits(pairing: Pairing, split_file: str | Path) -> Pairing:
    """Give each pair the split under which a file of names lists it; other pairs become ``unlisted``."""
    wanted = {image_stem(name): split for name, split in read_split_file(split_file).items()}
    names = {pair: _names(pair.photo, pair.sketch) | {pair.identity.lower()} for pair in pairing.pairs}
    left_out = (*pairing.orphan_photos, *pairing.orphan_sketches, *sum(pairing.duplicates, ()))
    known = set().union(*names.values(), _names(*left_out))
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise UserError(f"Split file '{split_file}' lists {len(unknown)} unknown name(s): "
                        f"{', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}.")
    pairs, unlisted = [], []
    for pair in pairing.pairs:
        splits = {wanted[name] for name in names[pair] if name in wanted}
        if len(splits) > 1:
            raise UserError(f"Split file '{split_file}' puts photo '{pair.photo.name}' in "
                            f"{' and '.join(sorted(splits))}.")
        (pairs if splits else unlisted).append(replace(pair, split=splits.pop()) if splits else pair)
    return replace(pairing, pairs=tuple(pairs), unlisted=tuple(unlisted))


def _names(*files: Path) -> set[str]:
    stems = [image_stem(file).lower() for file in files]
    return {*stems, *(identity_of(stem) for stem in stems)}


def checked(pairing: Pairing, where: str) -> Pairing:
    """Return the pairing unless one identity stands in two splits, which would leak test faces."""
    split_of: dict[str, str] = {}
    for pair in pairing.pairs:
        if split_of.setdefault(pair.identity, pair.split) != pair.split:
            raise UserError(f"Identity '{pair.identity}' in '{where}' stands in the splits "
                            f"'{split_of[pair.identity]}' and '{pair.split}'; one person belongs to one.")
    return pairing
