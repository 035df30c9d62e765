"""Where faces and their points are, in photos and sketches, and the chip that dlib's face network expects of them.

With dlib (extra ``face``): its HOG detector and 5-point predictor (Kazemi & Sullivan 2014). Without: the eyes alone, by
OpenCV's cascades (``eye_finder.py``). The centers of the eyes are then those of the irises (``irises.py``).
"""

from __future__ import annotations

import functools
import importlib.util
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.crop import similarity
from iacyclegan_tf.data.alignment.eye_finder import find_eyes
from iacyclegan_tf.data.alignment.irises import find_irises

CHIP = 150  # pixels, the side of a chip
# Tried in this order: the detector wants faces of 80 pixels, sketches often larger ones; very small ones come last.
SCALES = (2.0, 3.0, 1.0, 0.5, 6.0)
LARGEST_SIDE = 3200  # pixels of the picture where it is tried largest
TURNS = (15.0, -15.0)  # degrees, tried where nothing was found upright, at the scales but the last
_WEAK = -0.8  # score of dlib's detector; noise, grounds and landscapes reach -0.3, and faces are taken above 0
_ABOVE_CORNERS = 0.04  # of the eyes' distance: so much higher lie the centers than the middle of the corners, on CUFS
_PADDING = 0.25
# dlib's mean face: outer and inner corner of the image-right eye, of the image-left eye, base of the nose; shares of
# its box
_MEAN = np.array([
    [0.8595674595992, 0.2134981538014], [0.6460604764104, 0.2289674387677], [0.1205750620789, 0.2137274526848],
    [0.3340850613712, 0.2290642403242], [0.4901123135679, 0.6277975316475],
])  # fmt: skip
_EYES_IN_BOX = np.array([0.31, 0.69]), 0.39  # of a face's square, as the cascades see it
_local = threading.local()  # a detector keeps state while it runs: shared by threads it ends the process


@dataclass(frozen=True)
class Face:
    """A face in an image; coordinates (x, y) in its pixels, whole numbers at pixel centres.

    ``box``: left, top, right, bottom. ``points``: ``[5, 2]`` in dlib's order, or ``[2, 2]``, the centres of the eyes as
    the cascades see them or the user gives them. ``eyes``: their centers ``[2, 2]``, image-left first.
    """

    box: tuple[float, float, float, float]
    points: np.ndarray
    eyes: np.ndarray

    @classmethod
    def of_eyes(cls, eyes: np.ndarray) -> Face:
        """From the centres of the eyes alone; the box is where a face's lies about them."""
        across, down = _EYES_IN_BOX
        side = (eyes[1, 0] - eyes[0, 0]) / (across[1] - across[0])
        left, top = eyes[0, 0] - across[0] * side, eyes[:, 1].mean() - down * side
        return cls((left, top, left + side, top + side), eyes, eyes)


def find_faces(image: np.ndarray, name: str = "the image") -> list[Face]:
    """The faces in uint8 ``[h, w, 3]`` RGB, the largest first; the cascades find the largest alone.

    The picture is tried at ``SCALES``, then turned, until a face is found. ``UserError`` where none is.
    """
    find, sizes = _by_dlib if _dlib() else _by_cascades, scales(image.shape[:2])
    for scale, turn in [(scale, 0.0) for scale in sizes] + [(scale, turn) for scale in sizes[:-1] for turn in TURNS]:
        if faces := find(image, scale, turn):
            return sorted((_looked_at(image, face) for face in faces), key=lambda face: face.box[0] - face.box[2])
    raise UserError(
        f"No face was found in {name}. It must show one from the front, nearly upright, and not small; a picture that "
        "is the aligned face already can be taken as it is (--no-align)."
    )


def find_face_at(image: np.ndarray, eyes: np.ndarray, within: float) -> Face | None:
    """A face whose eyes lie ``within`` pixels of ``eyes``: the place makes up for a weak answer of dlib's detector."""
    if not _dlib():
        return None
    for scale in scales(image.shape[:2])[:3]:
        for face in _by_dlib(image, scale, 0.0, _WEAK):
            if np.hypot(*(face.eyes - eyes).T).max() <= within:
                return _looked_at(image, face)
    return None


def _looked_at(image: np.ndarray, face: Face) -> Face:
    return replace(face, eyes=find_irises(image, face.eyes))


def scales(size: tuple[int, int]) -> list[float]:
    """Factors at which a picture of (height, width) is tried: ``SCALES``, all smaller where it is large."""
    base = min(1.0, LARGEST_SIDE / (max(SCALES) * max(size)))
    return [base * scale for scale in SCALES]


def face_chip(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """dlib's chip of a face: uint8 ``[h, w, 3]`` and ``points`` of a ``Face`` -> uint8 ``[150, 150, 3]``.

    As ``dlib.get_face_chip(image, shape, 150, 0.25)``: the least-squares similarity from its mean face to the
    points, the picture halved as long as the face is more than twice as large, then bilinear; black beyond the picture.
    """
    import cv2

    mean = (_MEAN + _PADDING) / (2 * _PADDING + 1) * CHIP
    turn = similarity(mean if len(points) == 5 else _eyes(mean), np.asarray(points, np.float64))
    scale = float(np.hypot(*turn[:, 0]))
    # dlib lays the centres of the corner pixels, CHIP - 1 apart, on a rectangle that is a pixel smaller than the face
    linear = turn[:, :2] * ((CHIP * scale - 1.0) / ((CHIP - 1) * scale))
    corner = turn @ [CHIP / 2, CHIP / 2, 1.0] - linear.sum(1) * (CHIP - 1) / 2
    to_image = np.column_stack([linear, corner])
    while scale > 2.0:
        image, to_image, scale = cv2.pyrDown(image), to_image / 2, scale / 2
        to_image[:, 2] += (-0.25, 0.25)  # where dlib's pyramid takes a point to be
    return cv2.warpAffine(image, to_image, (CHIP, CHIP), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _by_dlib(image: np.ndarray, scale: float, turn: float, least: float = 0.0) -> list[Face]:
    detector, predictor, rectangle = _dlib()
    scaled, matrix = _resized(image, scale, turn)
    # of a picture that was made smaller, the points are looked for in the picture itself
    inside, factor = (image, 1.0) if scale < 1.0 and not turn else (scaled, scale)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2] if factor == scale else np.eye(2, 3)
    faces = []
    for found in detector.run(scaled, 0, least)[0]:
        sides = np.array([found.left(), found.top(), found.right(), found.bottom()], float)
        box = (sides + 0.5) * factor / scale - 0.5
        shape = predictor(inside, rectangle(*(int(side) for side in np.rint(box))))
        points = np.array([(point.x, point.y) for point in shape.parts()], float) @ back[:, :2].T + back[:, 2]
        eyes = _eyes(points)
        if np.ptp(eyes, axis=0).max() < 1.0:
            continue
        along = eyes[1] - eyes[0]
        middle = back @ [*(box[:2] + box[2:]) / 2, 1.0]
        half = (box[2:] - box[:2]) / 2 / factor
        eyes = eyes + _ABOVE_CORNERS * along[::-1] * [1, -1]
        faces.append(Face((*(middle - half), *(middle + half)), points, eyes))
    return faces


def _by_cascades(image: np.ndarray, scale: float, turn: float) -> list[Face]:
    scaled, matrix = _resized(image, scale, turn)
    eyes = find_eyes(scaled)
    back = np.linalg.inv(matrix[:, :2]).T
    return [] if eyes is None else [Face.of_eyes((eyes - matrix[:, 2]) @ back)]


def _dlib():
    """Detector, predictor and the class of rectangles; ``None`` where dlib or its predictor's file is not installed."""
    shared = _shared()
    if shared is None:
        return None
    dlib, predictor = shared
    if not hasattr(_local, "detector"):
        _local.detector = dlib.get_frontal_face_detector()
    return _local.detector, predictor, dlib.rectangle


@functools.lru_cache(maxsize=1)
def _shared():
    """dlib and its predictor, which threads may share."""
    path = packaged_file("shape_predictor_5_face_landmarks.dat")
    try:
        import dlib
    except ImportError:
        return None
    return (dlib, dlib.shape_predictor(str(path))) if path else None


def packaged_file(name: str) -> Path | None:
    """A file of the package face-recognition-models, which is not imported; ``None`` where it is not installed."""
    spec = importlib.util.find_spec("face_recognition_models")
    path = Path(spec.origin).parent / "models" / name if spec and spec.origin else None
    return path if path and path.is_file() else None


def _resized(image: np.ndarray, scale: float, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture at another size, turned about its middle; and the matrix ``[2, 3]`` to it."""
    import cv2

    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if scale > 1.0 else cv2.INTER_AREA)
    matrix = np.array([[scale, 0, 0.5 * scale - 0.5], [0, scale, 0.5 * scale - 0.5]])
    if degrees:
        turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1.0)
        scaled = cv2.warpAffine(scaled, turn, size, borderMode=cv2.BORDER_REPLICATE)
        matrix = turn @ np.vstack([matrix, [0, 0, 1]])
    return scaled, matrix


def _eyes(points: np.ndarray) -> np.ndarray:
    return np.stack([points[2:4].mean(0), points[0:2].mean(0)]) if len(points) == 5 else points
