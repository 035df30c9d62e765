"""A folder of people with several photos each: pre-training data for the recognizers.

    ROOT/<person>/<photo>      e.g. att-faces/s1/1.pgm

One sub-folder per person, in any format that ``images/files.py`` reads; gray is replicated to three channels. Photos
must show one face each, framed alike. Sub-folders of a person's folder are not entered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import named_in_utf8, read_images
from iacyclegan_tf.data.images.folder import is_left_out, walk_images
from iacyclegan_tf.data.pairs.naming import normal_name
from iacyclegan_tf.data.people import People
from iacyclegan_tf.data.people.selection import natural, select_people
from iacyclegan_tf.data.same_pictures import Picture, pixels_sha256

FEWEST_PEOPLE, FEWEST_PHOTOS = 2, 2  # a positive needs a second photo, a negative a second person


@dataclass(frozen=True)
class PeoplePhotos(People):
    """Photos of people, person by person, each person's in natural order of file names.

    Attributes:
        photos: N uint8 images ``[h, w, 3]``.
        identities: N names of people, those of their folders.
        pictures: N times file, person and SHA-256 of the pixels, to find the same picture elsewhere.
        sha256: over a line ``person/file SHA-256`` for each photo, so that a result names its data.
        notes: lines for a person to read: counts first, then everything that was left out.
    """

    photos: tuple[np.ndarray, ...]
    identities: tuple[str, ...]
    pictures: tuple[Picture, ...]
    sha256: str
    notes: tuple[str, ...]


def person_folders(root: str | Path) -> dict[str, Path]:
    """The people's folders by name, in natural order; those that systems make are left out.

    ``UserError`` where there are none, and where two names differ in letter case or Unicode form only.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"The folder of people {root} does not exist; it must hold one sub-folder per person.")
    names = [named_in_utf8(path).name for path in root.iterdir() if path.is_dir() and not is_left_out(path.name)]
    if not names:
        raise UserError(f"{root} holds no sub-folders; one per person was expected, each with that person's photos.")
    first: dict[str, str] = {}
    for name in sorted(names, key=natural):
        if first.setdefault(normal_name(name), name) != name:
            raise UserError(
                f"The folders '{first[normal_name(name)]}' and '{name}' in {root} are one name in two spellings; "
                "put one person's photos into one folder, or rename one of two people."
            )
    return {name: root / name for name in first.values()}


def read_people(
    root: str | Path,
    selection: str = "",
    *,
    skip_bad: bool = False,
    progress: Callable = lambda items, words, total: items,
    then: Callable[[np.ndarray], np.ndarray] = lambda image: image,
) -> PeoplePhotos:
    """Reads the people of ``root`` that ``selection`` names (empty: all; see ``selection.py``).

    Args:
        skip_bad: go on without the files and folders that cannot be read; they are listed in ``notes``.
        progress: wraps an iterable, given the words for it and its length.
        then: what is kept of each image, e.g. ``Fit.apply``.

    Raises ``UserError`` for a missing or empty root, an unknown name, files that cannot be read (all are listed), and
    fewer than two people with two photos each.
    """
    folders = person_folders(root)
    found = {name: walk_images(folders[name], recursive=False) for name in select_people(folders, selection, root)}
    closed = [f"'{path}' cannot be read: {why}." for some in found.values() for path, why in some.unreadable.items()]
    files = [path for some in found.values() for path in sorted(some.paths, key=lambda path: natural(path.name))]
    images, bad = read_images(files, progress, lambda image: (pixels_sha256(image), then(image)))
    bad = closed + bad
    if bad and not skip_bad:
        raise UserError(
            f"{len(bad)} of {len(files) + len(closed)} photos under {root} cannot be used:\n  "
            + "\n  ".join(bad)
            + "\nMend or remove them, or leave them out with --skip-bad or data.skip_bad=true."
        )
    usable: dict[str, list[Path]] = {name: [] for name in found}
    for path in files:
        if path in images:
            usable[path.parent.name].append(path)
    kept = {name: paths for name, paths in usable.items() if len(paths) >= FEWEST_PHOTOS}
    left_out = [
        f"left out, {FEWEST_PHOTOS} photos are needed and it has {len(paths) or 'none'}: {folders[name]}"
        for name, paths in usable.items()
        if name not in kept
    ]
    if len(kept) < FEWEST_PEOPLE:
        few = f"{len(kept)} people under {root} can be used; at least {FEWEST_PEOPLE} with {FEWEST_PHOTOS} photos each "
        raise UserError("\n  ".join([few + "are needed.", *left_out]))
    paths = [path for some in kept.values() for path in some]
    lines = [f"{path.parent.name}/{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in paths]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return PeoplePhotos(
        tuple(images[path][1] for path in paths),
        tuple(path.parent.name for path in paths),
        tuple(Picture(f"'{path}'", path.parent.name, images[path][0]) for path in paths),
        digest,
        (
            f"{len(kept)} people with {len(paths)} photos in {root}, SHA-256 {digest[:12]}",
            *left_out,
            *(f"left out: {line}" for line in bad),
            *_passed_over(Path(root)),
            *(f"passed over: {path}" for some in found.values() for path in some.others),
            *(f"{folders[name]}: {note}" for name, some in found.items() for note in some.notes()),
        ),
    )


def _passed_over(root: Path) -> list[str]:
    """Lines about what lies beside the people's folders: images, and folders that systems make."""
    top = walk_images(root, recursive=False)
    system = [path.name for path in top.left_out if path.is_dir() and is_left_out(path.name)]
    lines = [f"passed over, since it lies in no person's folder: {path}" for path in top.paths]
    return lines + ([f"left out, hidden or made by a system: {', '.join(system)}"] if system else [])
