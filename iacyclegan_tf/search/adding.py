"""Photos into a gallery: read, aligned, embedded both ways and committed a few at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import decode_image, read_bytes
from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.search.photo_files import Found
from iacyclegan_tf.search.store import Entry, GalleryStore
from iacyclegan_tf.serving.calling import face

_BATCH = 8  # photos that are read, embedded and committed together
_READERS = 4


@dataclass(frozen=True)
class Added:
    """What ``add`` did, in photos.

    Attributes:
        bad: a sentence about each file or folder that could not be used.
        notes: what was left out on purpose: hidden files, what systems make, links to folders.
    """

    added: int
    unchanged: int
    bad: tuple[str, ...]
    notes: tuple[str, ...]


def add_photos(store: GalleryStore, model: Trained, found: Found, progress: Callable[[int, int], None]) -> Added:
    """Embeds what is not there yet and commits it, a few photos at a time; see ``Gallery.add``."""
    known, photos = {entry.name: entry for entry in store.entries()}, found.photos
    taken = [name for name, path in photos.items() if name in known and not _is_same(known[name], path)]
    if taken:
        raise UserError(
            f"{len(taken)} names are taken by other photos of the gallery {store.folder}, so nothing was "
            f"added; the first is {taken[0]!r}, from {printable(known[taken[0]].source)}. Rename the file, or "
            "remove that photo first."
        )
    added, unchanged, bad, names = 0, 0, list(found.complaints), list(photos)
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(names), _BATCH):
            some = names[start : start + _BATCH]
            read = list(pool.map(lambda name: _read(name, photos[name], known.get(name), store.align), some))
            bad += [str(one) for one in read if isinstance(one, UserError)]
            there = [one for one in read if isinstance(one, Entry)]
            store.move([entry for entry in there if entry != known[entry.name]])
            if new := [one for one in read if isinstance(one, tuple)]:
                _embed_and_store(store, model, new)
            added, unchanged = added + len(new), unchanged + len(there)
            progress(start + len(some), len(names))
    return Added(added, unchanged, tuple(bad), tuple(found.notes))


def _read(name: str, path: Path, known: Entry | None, align: bool) -> tuple[Entry, np.ndarray] | Entry | UserError:
    """The entry and the face; the entry alone where its content is ``known``; why the file cannot be used."""
    if not name.isprintable():
        return UserError(f"'{printable(name)}' cannot be the name of a photo: it has characters that cannot be shown.")
    try:
        data = read_bytes(path)
        entry = Entry(name, hashlib.sha256(data).hexdigest(), str(path.resolve()))
        if known is not None and known.sha256 == entry.sha256:
            return entry
        return entry, face(decode_image(data, str(path)), f"'{path}'", "photo", align)
    except UserError as error:
        return error


def _embed_and_store(store: GalleryStore, model: Trained, photos: Sequence[tuple[Entry, np.ndarray]]) -> None:
    entries, pixels = map(list, zip(*photos))
    sketches = model.to_sketch(pixels)
    store.add(entries, {"photo": model.embed(pixels, of="photo"), "sketch": model.embed(sketches, of="sketch")})


def _is_same(entry: Entry, path: Path) -> bool:
    """From the same file, whatever is in it now, or the same content."""
    if entry.source == str(path.resolve()):
        return True
    try:
        return entry.sha256 == hashlib.sha256(read_bytes(path)).hexdigest()
    except UserError:  # named where it is read
        return True
