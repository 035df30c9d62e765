"""Where the eyes of a face are, by the cascades that OpenCV brings in its own package: nothing is downloaded.

A face first, the largest that is found; then an eye on each side of its upper half, of which the pair that lies most
like eyes in a face is taken (Viola & Jones, *Rapid object detection using a boosted cascade of simple features*, 2001).
"""

from __future__ import annotations

import itertools
import threading

import numpy as np

from iacyclegan_tf.common.errors import UserError

LONGEST_SIDE = 640  # pixels of the picture in which a face is looked for
FACE_SIDE = 200  # pixels of the face in which eyes are looked for
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
_SMALLEST_EYE, _LARGEST_EYE = ((round(share * FACE_SIDE),) * 2 for share in (0.12, 0.42))
_local = threading.local()  # a cascade keeps state while it runs


def find_eyes(image: np.ndarray) -> np.ndarray | None:
    """Eye centres of the largest face: uint8 ``[h, w, 3]`` RGB -> float ``[2, 2]``, (x, y), image-left eye first.

    ``None`` where no face was found, or no pair of eyes in it.
    """
    import cv2

    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    face = _largest_face(gray)
    if face is None:
        return None
    x, y, side = face
    scale = FACE_SIDE / side
    # the face alone at one size, from the full picture: small eyes are enlarged, large ones keep their precision
    square = cv2.warpAffine(
        gray if scale >= 1.0 else cv2.GaussianBlur(gray, (0, 0), 0.4 / scale),
        np.array([[scale, 0, (0.5 - x) * scale - 0.5], [0, scale, (0.5 - y) * scale - 0.5]]),
        (FACE_SIDE, FACE_SIDE),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    eyes = _pair_of_eyes(square)
    return None if eyes is None else (eyes + 0.5) / scale - 0.5 + [x, y]


def _largest_face(gray: np.ndarray) -> np.ndarray | None:
    """Left, top and side in pixels of the picture."""
    import cv2

    scale = min(1.0, LONGEST_SIDE / max(gray.shape))
    if scale < 1.0:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    margin = round(MARGIN * min(gray.shape))
    smallest = (max(24, round(SMALLEST_FACE * min(gray.shape))),) * 2
    gray = cv2.copyMakeBorder(gray, *[margin] * 4, cv2.BORDER_REPLICATE)
    for file in _FACES:
        faces = _cascade(file).detectMultiScale(gray, 1.08, 4, minSize=smallest)
        if len(faces):
            x, y, side = max(faces, key=lambda face: face[2])[:3]
            return np.array([x - margin, y - margin, side]) / scale
    return None


def _pair_of_eyes(face: np.ndarray) -> np.ndarray | None:
    """In the coordinates of a face's square."""
    sides = [[], []]
    for which, (left, file) in enumerate(zip((0.08, 0.46), _SIDES)):
        x0, y0, x1, y1 = (round(share * FACE_SIDE) for share in (left, 0.18, left + 0.46, 0.62))
        for cascade in (*_EYES, file):
            found = _cascade(cascade).detectMultiScale(
                face[y0:y1, x0:x1], 1.05, 3, minSize=_SMALLEST_EYE, maxSize=_LARGEST_EYE
            )
            sides[which] += [(x0 + x + (w - 1) / 2, y0 + y + (h - 1) / 2) for x, y, w, h in found]
    pairs = [np.array(pair) for pair in itertools.product(*sides)]
    best = min(pairs, key=_strangeness, default=None)
    if best is None or not np.isfinite(_strangeness(best)):
        return None
    reach = _AGREEING * (best[1, 0] - best[0, 0])
    return np.array(
        [
            np.mean([eye for eye in found if np.hypot(*(eye - centre)) <= reach], axis=0)
            for found, centre in zip(sides, best)
        ]
    )


def _strangeness(pair: np.ndarray) -> float:
    """How far the eyes lie from where they are expected, their tilt counted too; infinite where they cannot be eyes."""
    away = pair / FACE_SIDE - _EXPECTED
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
