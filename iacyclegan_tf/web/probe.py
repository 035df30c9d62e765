"""From a file that was uploaded to the face that is taken from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.portrait import Portrait, find_portrait
from iacyclegan_tf.web.pictures import WrongPicture, decode, plain_name

MOST_FACES = 9  # among which a visitor chooses
_INK, _PAPER = (79, 70, 229), (255, 255, 255)


@dataclass(frozen=True)
class Probe:
    """An uploaded picture: name and SHA-256 of the file as it came, and its faces, none where it is taken as it is."""

    name: str
    sha256: str
    portrait: Portrait

    @property
    def plain(self) -> bool:
        """There is nothing to show of what was taken: the whole picture was."""
        return self.portrait.is_crop and len(self.portrait.faces) < 2

    @property
    def faces(self) -> int:
        """Among how many a visitor chooses."""
        return min(len(self.portrait.faces), MOST_FACES)


def read_probe(file: dict, as_it_is: bool = False, face: int = 0) -> Probe:
    """The picture of one of Gradio's messages (``ImageData``), and the face that is taken.

    Args:
        as_it_is: no face is looked for.
        face: which, the largest is 0; where there are not so many (the picture is another), the largest.

    Raises ``WrongPicture`` for what is no picture, or has no face.
    """
    path = Path(file["path"])  # in the page's own folder: see guard.py
    name, data = plain_name(file.get("orig_name") or path.name), path.read_bytes()
    image, sha256 = decode(data, name), hashlib.sha256(data).hexdigest()
    if as_it_is:
        return Probe(name, sha256, Portrait(image, (), is_crop=True))
    try:
        portrait = find_portrait(image, f"'{name}'")
    except UserError:
        raise WrongPicture(
            f"No face was found in '{name}'. Take one that is larger, upright and seen from the front, or, if the "
            "face fills the picture as in the training set, choose to take it as it is."
        ) from None
    return Probe(name, sha256, portrait.choose(face) if face < len(portrait.faces) else portrait)


def marked(probe: Probe) -> np.ndarray:
    """The picture, uint8 ``[h, w, 3]``, with an oval around each face and the number by which it is chosen."""
    image = probe.portrait.image.copy()
    if probe.plain:
        return image
    width = max(2, round(max(image.shape[:2]) / 200))
    for number, face in enumerate(probe.portrait.faces[:MOST_FACES]):
        left, top, right, bottom = face.box
        middle, size = ((left + right) / 2, (top + bottom) / 2), ((right - left) * 1.1, (bottom - top) * 1.4)
        taken = number == probe.portrait.chosen
        for color, thick in ((_PAPER, 3 * width), (_INK, width)) if taken else ((_PAPER, width),):
            cv2.ellipse(image, (middle, size, 0), color, thick, cv2.LINE_AA)
        if probe.faces > 1:
            place = round(middle[0] - size[0] / 2), round(middle[1] - size[1] / 2)
            for color, thick in ((_PAPER, 6 * width), (_INK, 2 * width)):
                cv2.putText(image, str(number + 1), place, 0, width * 0.6, color, thick, cv2.LINE_AA)
    return image
