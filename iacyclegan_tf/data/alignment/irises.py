"""Eye centers to a hundredth of their distance: the irises, looked for where a face finder has put the eyes.

Two answers are added and the place weighed by its nearness to the start: a dark disc between brighter sides, and
gradients that all point away from one center (Timm & Barth 2011, *Accurate eye center localisation by means of
gradients*). Both hold for photos, sketches and drawn faces; what a landmark predictor calls an eye does not
(``benchmarks/portraits.py`` prints how far each is off).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from iacyclegan_tf.data.alignment.crop import low_passed, similarity

DISTANCE = 100  # pixels between the eyes in the patch that is looked at
_WIDTH, _HEIGHT, _PLACES = 2.5, 1.5, np.array([[0.75, 0.75], [1.75, 0.75]])  # of the patch, in those distances
_PASSES = ((10.0, 20, 2), (7.0, 12, 1))  # trust in the start, reach and step, in pixels of the patch
_RADII = (8.0, 9.5, 11.0, 12.5)  # of an iris: 0.09 of the eyes' distance in faces, 0.12 in drawn ones
_EDGE = 16  # pixels: no edge of an iris is farther from its center
_STRONG = 70  # percentile of the gradients that count
_SHARPNESS = 3.0
# Mean of what is found minus the true centers, in distances between the eyes: on the crops of CUFS (those that exist
# as originals left out) it is (-0.010, -0.008), on drawn faces (-0.006, 0); 2026-11-26, benchmarks/portraits.py.
_BIAS = np.array([-0.008, -0.005])


def find_irises(image: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Eye centers ``[2, 2]``, (x, y), near ``eyes`` ``[2, 2]``, image-left first, in uint8 ``[h, w, 3]``."""
    for trust, reach, step in _PASSES:
        patch, matrix = _patch(image, eyes)
        places = _PLACES * DISTANCE
        found = np.array([_iris(patch, *place.astype(int), trust, reach, step) for place in places])
        back = np.linalg.inv(matrix[:, :2])
        eyes = (found - matrix[:, 2]) @ back.T
    return eyes - back @ _BIAS * DISTANCE


def _patch(image: np.ndarray, eyes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The region of the eyes, float32 gray ``[150, 250]``, and the matrix from the image to it."""
    import cv2

    matrix = similarity(eyes, _PLACES * DISTANCE)
    shrink, size = 1.0 / math.hypot(*matrix[:, 0]), (round(_WIDTH * DISTANCE), round(_HEIGHT * DISTANCE))
    # blurred is what is needed alone: pictures may have many megapixels
    reach = 1.5 * DISTANCE * shrink + 8
    low = np.clip(np.floor(eyes.mean(0) - reach), 0, np.array(image.shape[1::-1]) - 1).astype(int)
    high = np.clip(np.ceil(eyes.mean(0) + reach), low + 1, image.shape[1::-1]).astype(int)
    part = cv2.cvtColor(image[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    here = np.column_stack([matrix[:, :2], matrix[:, :2] @ low + matrix[:, 2]])
    part = low_passed(part, shrink)
    patch = cv2.warpAffine(part, here, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(patch.astype(np.float32), (0, 0), 1.5), matrix


def _iris(patch: np.ndarray, x: int, y: int, trust: float, reach: int, step: int) -> np.ndarray:
    """The likeliest center within ``reach`` of (x, y): a mean of all places, weighed by their scores."""
    down, across = np.mgrid[-reach : reach + 1 : step, -reach : reach + 1 : step]
    scores = 0.6 * (
        _in_deviations(_disc(patch, x, y, reach, step)) + _in_deviations(_gradients(patch, x, y, reach, step))
    )
    scores -= (across**2 + down**2) / (2 * trust**2)
    weights = np.exp(_SHARPNESS * (scores - scores.max()))
    weights /= weights.sum()
    return np.array([x + (weights * across).sum(), y + (weights * down).sum()])


def _in_deviations(scores: np.ndarray) -> np.ndarray:
    return scores / max(float(scores.std()), 1e-6)


def _disc(patch: np.ndarray, x: int, y: int, reach: int, step: int) -> np.ndarray:
    """How much darker a disc is than what lies beside it, by the best of the radii."""
    import cv2

    margin = reach + _kernel(_RADII[-1]).shape[0]
    part = patch[max(y - margin, 0) : y + margin, max(x - margin, 0) : x + margin]
    top, left = min(y, margin), min(x, margin)
    best = np.max([cv2.filter2D(part, cv2.CV_32F, _kernel(radius)) for radius in _RADII], axis=0)
    return best[top - reach : top + reach + 1 : step, left - reach : left + reach + 1 : step]


@functools.lru_cache(maxsize=len(_RADII))
def _kernel(radius: float) -> np.ndarray:
    """Mean of the ring's sides (lids cover it above and below) minus mean of the disc."""
    side = int(1.9 * radius) + 1
    down, across = np.mgrid[-side : side + 1, -side : side + 1]
    away = np.hypot(across, down)
    disc = (away <= radius).astype(np.float32)
    ring = ((away > 1.15 * radius) & (away <= 1.9 * radius) & (np.abs(down) < 0.75 * np.abs(across))).astype(np.float32)
    return ring / ring.sum() - disc / disc.sum()


def _gradients(patch: np.ndarray, x: int, y: int, reach: int, step: int) -> np.ndarray:
    """How well the strong gradients about each place point away from it."""
    import cv2

    side = reach + _EDGE
    here = np.s_[y - side : y + side + 1, x - side : x + side + 1]
    slopes = [cv2.Sobel(patch, cv2.CV_32F, *which)[here] for which in ((1, 0), (0, 1))]
    strength = np.hypot(*slopes)
    strong = strength > np.percentile(strength, _STRONG)
    rows, columns = np.nonzero(strong)
    right, down = (slope[strong] / strength[strong] for slope in slopes)
    cy, cx = (grid.ravel()[:, None] + _EDGE for grid in np.mgrid[0 : 2 * reach + 1 : step, 0 : 2 * reach + 1 : step])
    dx, dy = (columns - cx).astype(np.float32), (rows - cy).astype(np.float32)
    away = dx * dx + dy * dy
    agreement = np.maximum(dx * right + dy * down, 0) ** 2 / np.maximum(away, 1)
    agreement *= (away > 25) & (away < _EDGE**2)
    agreement *= np.where(dy * dy < 0.5 * away, np.float32(1.0), np.float32(0.3))  # above and below lie the lids
    return agreement.sum(1).reshape(-1, len(range(0, 2 * reach + 1, step)))
