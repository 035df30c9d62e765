"""The chips of a data set: what dlib's face network is shown of each image, by the landmarks of its face.

Landmarks are found once, in the images as they are, and kept beside the run (``landmarks.json``) under the SHA-256 of
the pixels. They are held in shares of the image's sides, so that they also fit what is synthesized from that image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.config.settings import RecognizerConfig
from iacyclegan_tf.data.alignment.landmarks import CHIP, face_chip, find_faces
from iacyclegan_tf.data.duplicate_images import pixels_sha256
from iacyclegan_tf.data.resizing import Fit

# Where the chip lies in an aligned crop (200×250, eyes at (75, 125) and (125, 125)): top, left, bottom, right.
BOX = (82 / 250, 28 / 200, 226 / 250, 172 / 200)


@dataclass(frozen=True)
class Chips:
    """uint8 ``[N, 150, 150, 3]``, and where they were cut: points ``[5 or 2, 2]`` (x, y) in shares of the sides, or
    ``None`` where no face was found, whose chip is the fixed ``BOX``; ``sizes``: (height, width) of the images."""

    images: np.ndarray
    points: tuple[np.ndarray | None, ...]
    sizes: tuple[tuple[int, int], ...]

    def cut(self, images: Sequence[np.ndarray], fit: Fit | None = None) -> np.ndarray:
        """The chips of other images of the same faces in the same places, by index: uint8 ``[N, 150, 150, 3]``.

        ``fit``: the images have the network's size, and are brought back by it first. A chip of a squeezed image is
        more blurred than one of the image that is served, which moved all embeddings by more than a round teaches.
        """
        return np.array([self.cut_one(image, number, fit) for number, image in enumerate(images)], np.uint8)

    def cut_one(self, image: np.ndarray, number: int, fit: Fit | None = None) -> np.ndarray:
        return cut(fit.undo(image, self.sizes[number]) if fit else image, self.points[number])

    @property
    def missed(self) -> int:
        return sum(points is None for points in self.points)


class Landmarks:
    """Finds the landmarks of images, or knows them from ``file``, which ``save`` writes; ``None``: no file."""

    def __init__(self, file: Path | None = None):
        self._file, self._known = file, {}
        if file is not None and file.exists():
            self._known = {key: _checked(values, file) for key, values in read_object(file).items()}
        self._saved = len(self._known)

    def points(self, image: np.ndarray, sha256: str | None = None) -> np.ndarray | None:
        """Of the largest face in uint8 ``[h, w, 3]``, in shares of the sides; ``None`` where there is none."""
        key = sha256 or pixels_sha256(image)
        if key not in self._known:
            self._known[key] = _found(image)
        return self._known[key]

    def chips(self, images: Iterable[np.ndarray]) -> Chips:
        """Finds the faces in images as they are, each in its own size, and cuts their chips."""
        images = list(images)  # a bar's goes round once
        points = tuple(self.points(image) for image in images)
        cuts = [cut(image, one) for image, one in zip(images, points)]
        sizes = tuple(image.shape[:2] for image in images)
        return Chips(np.array(cuts, np.uint8).reshape(-1, CHIP, CHIP, 3), points, sizes)

    def save(self) -> None:
        """Writes what was found, if there is a file for it and it is new."""
        if self._file is not None and len(self._known) > self._saved:
            values = {key: None if one is None else one.tolist() for key, one in self._known.items()}
            write_text(self._file, json.dumps(values) + "\n")


def landmarks_for(recognizer: RecognizerConfig, folder: Path) -> Landmarks | None:
    """Those kept in ``folder``, of a run or an evaluation, where its recognizers are shown chips; else ``None``."""
    return Landmarks(folder / "landmarks.json") if recognizer.network == "dlib" else None


def cut(image: np.ndarray, points: np.ndarray | None) -> np.ndarray:
    """uint8 ``[h, w, 3]`` -> its chip uint8 ``[150, 150, 3]``; ``points`` as in ``Chips``."""
    if points is not None:
        return face_chip(image, points * image.shape[1::-1] - 0.5)
    import cv2

    top, left, bottom, right = (round(share * side) for share, side in zip(BOX, image.shape[:2] * 2))
    return cv2.resize(image[top:bottom, left:right], (CHIP, CHIP), interpolation=cv2.INTER_LINEAR)


def _found(image: np.ndarray) -> np.ndarray | None:
    try:
        face = find_faces(image)[0]
    except UserError:
        return None  # counted by Chips.missed, which the run says
    # as many digits as the file keeps: a run that goes on cuts the same chips
    return np.round((face.points + 0.5) / image.shape[1::-1], 6)


def _checked(values, file: Path) -> np.ndarray | None:
    if values is None:
        return None
    points = np.array(values, dtype=object)
    if points.shape not in ((5, 2), (2, 2)) or not all(isinstance(v, float | int) for v in points.flat):
        raise UserError(f"{file} holds something else than landmarks; remove it, and they are found again.")
    return points.astype(np.float64)
