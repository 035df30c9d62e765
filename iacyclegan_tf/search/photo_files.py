"""The photos that a gallery is to hold, found by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.data.images.folder import walk_images
from iacyclegan_tf.search.store import one_form


@dataclass
class Found:
    """What lies in the places that were named: photos by name, sorted; sentences about files that cannot be used; notes
    about what was left out."""

    photos: dict[str, Path] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_photos(places: Iterable[str | Path]) -> Found:
    """Files by their file name, all images below a folder by their path in it, with ``/``, whatever their suffix.

    Raises ``UserError`` for what does not exist, a folder without an image, and two files of one name.
    """
    found, photos = Found(), {}
    for place in map(user_path, places):
        if place.is_dir():
            folder = walk_images(place)
            found.complaints += folder.complaints()
            found.notes += folder.notes()
            inside = [(path.relative_to(place).as_posix(), path) for path in folder.paths]
            if not inside:
                words = f"The folder {place} holds no image; it must hold the photos of the gallery."
                raise UserError(" ".join([words, *folder.complaints()[:3]]))
        elif place.is_file():
            inside = [(place.name, place)]
        else:
            raise UserError(f"The photo or folder {place} is not there.")
        for name, path in inside:
            name = one_form(name)
            if name in photos and photos[name].resolve() != path.resolve():
                raise UserError(
                    f"Two photos would have the name {name!r} in the gallery: {photos[name]} and {path}. Rename "
                    "one, or add the folder above both."
                )
            photos[name] = path
    found.photos.update(sorted(photos.items()))
    return found
