"""The photos that a gallery is to hold: found by name, and decoded in bounded time."""

from __future__ import annotations

import threading
import unicodedata
from base64 import b64decode
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.data.images.folder import walk_images
from iacyclegan_tf.search.store import one_form

DECODING_S = 20.0  # 16 megapixels take about one
_DOT = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
_decoders = threading.BoundedSemaphore(4)


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
    for place in map(Path, places):
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


def named_file(folder: Path, name: str) -> Path:
    """The file below ``folder`` that a gallery calls ``name``, whichever normal form the disk has."""
    forms = [folder / unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    return next((path for path in forms if path.exists()), forms[0])


@cache
def _load_decoder() -> None:
    """TensorFlow comes with the first image that is decoded; that is no fault of the image."""
    decode_image(_DOT, "a dot")


def decode_in_time(data: bytes, name: str) -> np.ndarray:
    """``decode_image``, waited for at most ``DECODING_S`` seconds; ``UserError`` then.

    No decoder can be stopped from outside: its thread goes on to its end. So only a few may run at a time; others are
    refused after the same time.
    """
    _load_decoder()
    outcome: Future = Future()

    def decode() -> None:
        try:
            outcome.set_result(decode_image(data, name))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            _decoders.release()

    if not _decoders.acquire(timeout=DECODING_S):
        raise UserError(f"'{printable(name)}' was not decoded: other images keep all decoders busy; try again later.")
    threading.Thread(target=decode, daemon=True).start()
    try:
        return outcome.result(DECODING_S)
    except TimeoutError:
        raise UserError(
            f"'{printable(name)}' was not decoded within {DECODING_S:g} seconds. Save it anew as PNG."
        ) from None
