"""Where the eyes of a face are, by the cascades that OpenCV brings in its own package: nothing is downloaded.

A face first, the largest that is found; then an eye on each side of its upper half, of which the pair that lies most
like eyes in a face is taken (Viola & Jones, *Rapid object detection using a boosted cascade of simple features*, 2001).
"""

from __future__ import annotations

import itertools
import threading

import numpy as np

from iacyclegan_tf.errors import UserError

LONGEST_SIDE = 640  # pixels of the picture that is searched; eyes are found to about half of its pixels
MARGIN = 0.3  # of the shorter side: cascades want to see what is around a face, crops have none
SMALLEST_FACE = 0.12  # of the shorter side
_FACES = ("haarcascade_frontalface_alt2.xml", "haarcascade_frontalface_default.xml")
_EYES = ("haarcascade_eye_tree_eyeglasses.xml", "haarcascade_eye.xml")
_SIDES = ("haarcascade_righteye_2splits.xml", "haarcascade_lefteye_2splits.xml")  # as seen in the image: left, right
# Eye centres in the face's square, (x, y) in shares of it.
_EXPECTED = np.array([[0.31, 0.39], [0.69, 0.39]])
_FARTHEST = 0.12  # from there, in shares of the square
_MOST_TILTED = 0.25  # rise of the line through the eyes
_AGREEING = 0.15  # of the eyes' distance: what several cascades found so near each other is averaged
_local = threading.local()  # a cascade keeps state while it runs


def find_eyes(image: np.ndarray, name: str = "the image") -> np.ndarray:
    """Eye centres of the largest face: uint8 ``[h, w, 3]`` RGB -> float ``[2, 2]``, (x, y), image-left eye first.

    Raises:
        UserError: no face was found, or no pair of eyes in it.
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, LONGEST_SIDE / max(grey.shape))
    if scale < 1.0:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    margin = round(MARGIN * min(grey.shape))
    grey = cv2.copyMakeBorder(grey, *[margin] * 4, cv2.BORDER_REPLICATE)
    face = _largest_face(grey, max(24, round(SMALLEST_FACE * (min(grey.shape) - 2 * margin))))
    if face is None:
        raise UserError(f"No face was found in {name}. Give its eyes (--eyes x1,y1,x2,y2), or a picture with a larger, "
                        "upright face seen from the front.")
    eyes = _pair_of_eyes(grey, face)
    if eyes is None:
        raise UserError(f"A face was found in {name}, but not its two eyes. Give them (--eyes x1,y1,x2,y2).")
    return (eyes - margin + 0.5) / scale - 0.5


def _largest_face(grey: np.ndarray, smallest: int) -> np.ndarray | None:
    """x, y, side."""
    for file in _FACES:
        faces = _cascade(file).detectMultiScale(grey, 1.08, 4, minSize=(smallest, smallest))
        if len(faces):
            return max(faces, key=lambda face: face[2])[:3].astype(float)
    return None


def _pair_of_eyes(grey: np.ndarray, face: np.ndarray) -> np.ndarray | None:
    x, y, side = face
    sides = [[], []]
    for which, (left, file) in enumerate(zip((0.08, 0.46), _SIDES)):
        box = [round(v) for v in (x + left * side, y + 0.18 * side, x + (left + 0.46) * side, y + 0.62 * side)]
        part = grey[max(box[1], 0):box[3], max(box[0], 0):box[2]]
        for cascade in (*_EYES, file):
            found = _cascade(cascade).detectMultiScale(part, 1.05, 3, minSize=(max(8, round(0.12 * side)),) * 2,
                                                       maxSize=(round(0.42 * side),) * 2)
            sides[which] += [(max(box[0], 0) + ex + (w - 1) / 2, max(box[1], 0) + ey + (h - 1) / 2) for ex, ey, w, h in found]
    pairs = [np.array(pair) for pair in itertools.product(*sides)]
    best = min(pairs, key=lambda pair: _strangeness(pair, face), default=None)
    if best is None or not np.isfinite(_strangeness(best, face)):
        return None
    reach = _AGREEING * (best[1, 0] - best[0, 0])
    return np.array([np.mean([eye for eye in found if np.hypot(*(eye - centre)) <= reach], axis=0)
                     for found, centre in zip(sides, best)])


def _strangeness(pair: np.ndarray, face: np.ndarray) -> float:
    """How far the eyes lie from where they are expected, their tilt counted too; infinite where they cannot be eyes."""
    away = (pair - face[:2]) / face[2] - _EXPECTED
    rise = abs(pair[1, 1] - pair[0, 1]) / max(pair[1, 0] - pair[0, 0], 1e-6)
    if np.hypot(*away.T).max() > _FARTHEST or rise > _MOST_TILTED:
        return np.inf
    return float(np.hypot(*away.T).sum() + rise / 4)


def _cascade(file: str):
    import cv2

    if not hasattr(_local, file):
        cascade = cv2.CascadeClassifier(cv2.data.haarcascades + file)
        if cascade.empty():
            raise UserError(f"OpenCV's package lacks {file}; opencv-python-headless brings it.")
        setattr(_local, file, cascade)
    return getattr(_local, file)
