"""The door for pictures that people have: which faces are in one, the aligned crop of one face, and the way back.

    portrait = find_portrait(image, "face.jpg")     # UserError where there is no face
    crop = portrait.cut()                           # what the networks know; the image itself where it is one already
    picture = portrait.put_back(network(crop))

Training and evaluation do not come here: their data sets are aligned (``data/preparing/``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment import crop
from iacyclegan_tf.data.alignment.landmarks import Face, find_face_at, find_faces

# An aligned crop of any size: width / height is 0.8 within the first number, and the eyes lie where the crop has them
# within the second, in distances between the eyes, and the third, in pixels: what finders err on the published crops of
# CUFS and on drawn ones of 64x80 (benchmarks/portraits.py).
_PROPORTIONS, _CROP_TOLERANCE, _CROP_PIXELS = 0.03, 0.15, 1.5


@dataclass(frozen=True)
class Portrait:
    """A picture, the faces found in it and the one that is taken.

    Attributes:
        image: uint8 ``[h, w, 3]`` RGB.
        faces: the largest first; none where the picture is taken as it is.
        is_crop: the picture is the aligned crop already, whatever its size, and is taken as it is.
        chosen: which face is taken; by default the largest.
    """

    image: np.ndarray
    faces: tuple[Face, ...]
    is_crop: bool = False
    chosen: int = 0

    @property
    def face(self) -> Face:
        return self.faces[self.chosen]

    @property
    def matrix(self) -> np.ndarray:
        """From the picture's pixels to those of the crop, float ``[2, 3]``."""
        return crop.similarity(self.face.eyes, crop.TARGETS[:2])

    def choose(self, number: int) -> Portrait:
        """The same with another face, 0 the largest; ``UserError`` where there are not so many."""
        if not 0 <= number < len(self.faces):
            raise UserError(f"There is no face {number + 1}; {len(self.faces)} were found.")
        return self if number == self.chosen else replace(self, chosen=number, is_crop=False)

    def cut(self, of: str = "photo") -> np.ndarray:
        """The aligned crop of a ``photo`` or ``sketch``, uint8 ``[250, 200, 3]``; the image where it is a crop."""
        return self.image if self.is_crop else crop.align(self.image, self.matrix, crop.BORDERS[of])

    def put_back(self, result: np.ndarray) -> np.ndarray:
        """The picture with ``result`` (of ``cut``'s size) in the face's place, as a soft oval; a crop's is itself."""
        return result if self.is_crop else crop.paste_back(self.image, result, self.matrix)

    def remarks(self) -> list[str]:
        """What a person should be told: several faces, an alignment to look at."""
        which = f"number {self.chosen + 1} by size" if self.chosen else "the largest"
        several = f"{len(self.faces)} faces were found, and {which} is taken"
        why = [] if self.is_crop else crop.suspicions(self.matrix, self.face.eyes, self.image.shape[:2])
        return ([several] if len(self.faces) > 1 else []) + why


def find_portrait(image: np.ndarray, name: str = "the image", eyes: np.ndarray | None = None) -> Portrait:
    """The faces in uint8 ``[h, w, 3]`` RGB, a photo or a sketch.

    Args:
        eyes: centers of the eyes ``[2, 2]``, image-left first, where they are known: nothing is looked for.

    Raises:
        UserError: no face was found, or the given eyes lie outside.
    """
    size = image.shape[:2]
    if eyes is None:
        try:
            faces = find_faces(image, name)
        except UserError:
            face = find_face_at(image, *_place(size)) if has_proportions(size) else None
            if face is None:
                raise
            faces = [face]
        return Portrait(image, tuple(faces), is_aligned(faces[0].eyes, size))
    height, width = size
    if not ((eyes >= 0) & (eyes < [width, height])).all():
        raise UserError(f"The eyes of {name} are given at {eyes.tolist()}, outside its {width}x{height} pixels.")
    return Portrait(image, (Face.of_eyes(eyes),))


def is_aligned(eyes: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a picture of ``size`` (height, width) with ``eyes`` ``[2, 2]`` is the aligned crop at any scale."""
    expected, within = _place(size)
    return has_proportions(size) and bool(np.hypot(*(eyes - expected).T).max() <= within)


def has_proportions(size: tuple[int, int]) -> bool:
    """Whether ``size`` (height, width) is the aligned crop's at some scale."""
    return abs(size[1] / size[0] / (crop.WIDTH / crop.HEIGHT) - 1.0) <= _PROPORTIONS


def _place(size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Where the eyes lie in an aligned crop of ``size``, and how far from there they are still taken to be so."""
    eyes = (crop.TARGETS[:2] + 0.5) * [size[1] / crop.WIDTH, size[0] / crop.HEIGHT] - 0.5
    return eyes, _CROP_TOLERANCE * (eyes[1, 0] - eyes[0, 0]) + _CROP_PIXELS
