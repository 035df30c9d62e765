"""A folder of people with several photos each: pre-training data for the recognizers.

    ROOT/<person>/<photo>      e.g. att-faces/s1/1.pgm

One sub-folder per person, in any format that ``images.py`` reads; grey is replicated to three channels. Photos must
show one face each, framed alike. Sub-folders of a person's folder are not entered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import list_images, list_passed_over, named_in_utf8, read_images
from iacyclegan_tf.data.people.identities import People
from iacyclegan_tf.data.people.selection import natural, select_people

FEWEST_PEOPLE, FEWEST_PHOTOS = 2, 2  # a positive needs a second photo, a negative a second person


@dataclass(frozen=True)
class PeoplePhotos(People):
    """Photos of people, person by person, each person's in natural order of file names.

    Attributes:
        photos: N uint8 images ``[h, w, 3]``.
        identities: N names of people, those of their folders.
        sha256: over a line ``person/file SHA-256`` for each photo, so that a result names its data.
        notes: lines for a person to read: counts first, then everything that was left out.
    """

    photos: tuple[np.ndarray, ...]
    identities: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...]


def person_folders(root: str | Path) -> dict[str, Path]:
    """The people's folders by name, in natural order; ``UserError`` where there are none."""
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"The folder of people {root} does not exist; it must hold one sub-folder per person.")
    folders = {
        named_in_utf8(path).name: path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    }
    if not folders:
        raise UserError(f"{root} holds no sub-folders; one per person was expected, each with that person's photos.")
    return {name: folders[name] for name in sorted(folders, key=natural)}


def read_people(
    root: str | Path,
    selection: str = "",
    *,
    skip_bad: bool = False,
    progress: Callable = lambda items, words, total: items,
    then: Callable[[np.ndarray], np.ndarray] = lambda image: image,
) -> PeoplePhotos:
    """Reads the people of ``root`` that ``selection`` names (empty: all; see ``people_selection.py``).

    Args:
        skip_bad: go on without the files that cannot be read; they are listed in ``notes``.
        progress: wraps an iterable, given the words for it and its length.
        then: what is kept of each image, e.g. ``Fit.apply``.

    Raises ``UserError`` for a missing or empty root, an unknown name, files that cannot be read (all are listed), and
    fewer than two people with two photos each.
    """
    folders = person_folders(root)
    chosen = select_people(folders, selection, root)
    files = {name: sorted(list_images(folders[name]), key=lambda path: natural(path.name)) for name in chosen}
    images, bad = read_images([path for paths in files.values() for path in paths], progress, then)
    if bad and not skip_bad:
        raise UserError(
            f"{len(bad)} of {sum(map(len, files.values()))} photos under {root} cannot be used:\n  "
            + "\n  ".join(bad)
            + "\nMend or remove them, or leave them out with --skip-bad or data.skip_bad=true."
        )
    usable = {name: [path for path in paths if path in images] for name, paths in files.items()}
    kept = {name: paths for name, paths in usable.items() if len(paths) >= FEWEST_PHOTOS}
    left_out = [
        f"left out, {FEWEST_PHOTOS} photos are needed and it has {len(paths) or 'none'}: {folders[name]}"
        for name, paths in usable.items()
        if name not in kept
    ]
    if len(kept) < FEWEST_PEOPLE:
        raise UserError(
            "\n  ".join(
                [
                    f"{len(kept)} people under {root} can be used; at least {FEWEST_PEOPLE} with "
                    f"{FEWEST_PHOTOS} photos each are needed.",
                    *left_out,
                ]
            )
        )
    paths = [path for some in kept.values() for path in some]
    lines = [f"{path.parent.name}/{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in paths]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    passed_over = [f"passed over: {path}" for name in chosen for path in list_passed_over(folders[name])]
    return PeoplePhotos(
        tuple(images[path] for path in paths),
        tuple(path.parent.name for path in paths),
        digest,
        (
            f"{len(kept)} people with {len(paths)} photos in {root}, SHA-256 {digest[:12]}",
            *left_out,
            *(f"left out: {line}" for line in bad),
            *passed_over,
        ),
    )
