"""The same picture under two people's names: a measure on people who were trained on would mean nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from iacyclegan_tf.common.errors import UserError


class Picture(NamedTuple):
    """A file or other picture, the person whose it is, and the ``sha256`` of what it shows (``pixels_sha256``)."""

    name: str
    person: str
    sha256: str


def pixels_sha256(image: np.ndarray) -> str:
    """Hexadecimal, of an image's size and pixels: the same under any name and in any lossless format."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def refuse_same_pictures(tested: Iterable[Picture], trained: Iterable[Picture]) -> None:
    """``UserError``, which names both, where a picture of a person tested on is also one of another person."""
    tested = list(tested)
    seen: dict[str, Picture] = {}
    for picture in (*trained, *tested):
        seen.setdefault(picture.sha256, picture)
    for picture in tested:
        other = seen[picture.sha256]
        if other.person != picture.person:
            raise UserError(
                f"{picture.name} of '{picture.person}', who is tested on, shows pixel by pixel the same as "
                f"{other.name} of '{other.person}': one person under two names, or a file in the wrong place. "
                "Remove one of them, or give both people to one part."
            )
