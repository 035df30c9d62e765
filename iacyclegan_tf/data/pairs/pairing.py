"""Which sketch belongs to which photo: by the official names, by equal stems, or by a manifest.

Sorting two folders and zipping them mis-pairs the CUHK student set (the training sketches carry F2-/M2-
for photos named f-/m-), so pairs are only ever made by name. Whatever has no partner, or more than one,
is left out and listed; nothing is guessed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import there
from iacyclegan_tf.data.images.files import image_stem
from iacyclegan_tf.data.images.folder import ImageFolder, is_left_out, walk_images
from iacyclegan_tf.data.pairs import naming
from iacyclegan_tf.data.pairs.manifest import read_manifest
from iacyclegan_tf.data.pairs.pair import Pair, Pairing, disjoint, joined, split_hash
from iacyclegan_tf.data.pairs.splits import assign_splits, check_all_known, read_split_file

__all__ = ["Pair", "Pairing", "find_pairs", "pair_files", "pair_folders", "read_manifest", "split_hash"]


def pair_folders(photos_dir: str | Path, sketches_dir: str | Path) -> Pairing:
    """Pair the images of two folders by name; splits are left open ('').

    Raises:
        UserError: a folder is missing or holds no image, or not a single name fits.
    """
    photos, sketches = _images_of(photos_dir, "photos"), _images_of(sketches_dir, "sketches")
    pairing = pair_files(photos.paths, sketches.paths)
    if not pairing.pairs:
        raise UserError(
            f"No photo of '{photos_dir}' fits a sketch of '{sketches_dir}' (for instance "
            f"'{photos.paths[0].name}' and '{sketches.paths[0].name}'); expected are equal names or those of CUFS."
        )
    sides = ((photos_dir, photos), (sketches_dir, sketches))
    notes = tuple(f"{folder}: {note}" for folder, found in sides for note in found.notes())
    return replace(pairing, passed_over=(*photos.others, *sketches.others), notes=notes)


def _images_of(folder: str | Path, what: str) -> ImageFolder:
    found = walk_images(folder, recursive=False)
    if found.unreadable:
        raise UserError("\n".join(replace(found, others=()).complaints()))
    if not found.paths:
        raise UserError(f"Folder '{folder}' holds no image; {what} were expected there.")
    return found


def pair_files(photos: Iterable[Path], sketches: Iterable[Path]) -> Pairing:
    """Pair given files by keys made from their stems; a key used twice on a side is a duplicate."""
    photos_by_key, sketches_by_key = defaultdict(list), defaultdict(list)
    for photo in photos:
        photos_by_key[naming.photo_key(image_stem(photo))].append(photo)
    for sketch in sketches:
        stem = naming.normal_name(image_stem(sketch))
        # Equal stems win over the official rule, so that a user's own "x_sz1" pairs with "x_sz1".
        key = stem if stem in photos_by_key else naming.sketch_key(stem)
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
            pairs.append(Pair(naming.identity_of(image_stem(photo)), photo, sketch, ""))
    return Pairing(tuple(pairs), tuple(orphan_photos), tuple(orphan_sketches), tuple(duplicates))


def find_pairs(root: str | Path, *, split: str = "auto", split_file: str | Path | None = None) -> Pairing:
    """Find all pairs below a folder.

    Args:
        root: holds ``manifest.csv``; or ``photos/`` and ``sketches/``; or sub-folders named after splits
            (``naming.split_named``) with both in each.
        split: ``auto``, or one of ``SPLITS`` to be given to every pair. ``auto`` takes the manifest's column, or the
            sub-folder's name, or, for CUHK student names, the F2-/M2- prefix; pairs without any of these all
            become ``train``.
        split_file: a file of names (see ``splits``) that overrules the above.

    Raises:
        UserError: nothing of that kind there, an unknown name in the split file, only a part of the
            names holds a split, or one identity in two splits.
    """
    if split not in ("auto", *naming.SPLITS):
        raise UserError(f"Split '{split}' is unknown; allowed are auto, {', '.join(naming.SPLITS)}.")
    pairing = _gather(Path(root))
    if split_file:
        wanted = read_split_file(split_file)
        check_all_known(pairing, wanted, split_file)
        pairing = assign_splits(pairing, wanted)
    elif split != "auto":
        pairing = pairing.each_with(split=split)
    else:
        pairing = _split_by_name(pairing, str(root))
    return disjoint(pairing, str(root))


def _gather(root: Path) -> Pairing:
    there(root, "The folder of pairs")
    if (root / "manifest.csv").is_file():
        return read_manifest(root / "manifest.csv")
    flat = _holds_pairs(root)
    folders = (
        [path for path in sorted(root.iterdir()) if not is_left_out(path.name) and _holds_pairs(path)]
        if root.is_dir()
        else []
    )
    splits = {folder: naming.split_named(folder.name) for folder in folders}
    if flat == any(splits.values()):
        found = "both kinds of them" if flat else "nothing of the kind"
        raise UserError(
            f"Folder '{root}' must hold manifest.csv, or photos/ and sketches/, or these two "
            f"in sub-folders train/, val/, dev/, test/; it holds {found}."
        )
    others = Pairing((), passed_over=tuple(folder for folder, split in splits.items() if not split))
    if flat:
        return joined([pair_folders(root / "photos", root / "sketches"), others])
    named = sorted((naming.SPLITS.index(split), folder) for folder, split in splits.items() if split)
    parts = (
        pair_folders(folder / "photos", folder / "sketches").each_with(split=naming.SPLITS[at]) for at, folder in named
    )
    return joined([*parts, others])


def _holds_pairs(folder: Path) -> bool:
    try:
        return (folder / "photos").is_dir() and (folder / "sketches").is_dir()
    except OSError as error:
        raise UserError(f"'{folder}' cannot be read: {error.strerror}.") from None


def _split_by_name(pairing: Pairing, where: str) -> Pairing:
    """Fill open splits from CUHK student names; all or none must have such names."""
    if all(pair.split for pair in pairing.pairs):
        return pairing
    splits = [naming.student_split(image_stem(pair.sketch)) for pair in pairing.pairs]
    known = sum(split is not None for split in splits)
    if 0 < known < len(splits):
        raise UserError(
            f"Of {len(splits)} pairs in '{where}' only {known} hold their split in the name; "
            "give a file of names (split_file)."
        )
    pairs = (replace(pair, split=split or "train") for pair, split in zip(pairing.pairs, splits))
    return replace(pairing, pairs=tuple(pairs))
