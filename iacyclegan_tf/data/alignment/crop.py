"""From fiducial points to the standard crop: 200 wide x 250 high, eye centres at (75, 125) and (125, 125).

The crop is cut by a similarity (rotation, one scale, shift), the least-squares one where there are more
than two points. Coordinates are (x, y) in pixels, whole numbers at pixel centres: on 24 pictures of CUHK
student that exist as original and as published crop, this reading reproduces the crops with 39.9 dB
(photos) and 41.0 dB (sketches) on average, at least 38.4 dB; half a pixel aside it is 34 and 33 dB. The
published crops are black outside a photo and white outside a sketch; the same is done here.
"""

import math

import numpy as np

from iacyclegan_tf.common.errors import UserError

WIDTH, HEIGHT = 200, 250
# Image-left eye, image-right eye, and the third point of CUHK student's .3pts files, which is a fixed
# point of the crop and not the mouth.
TARGETS = np.array([[75.0, 125.0], [125.0, 125.0], [100.0, 180.0]])
BORDERS = {"photo": 0, "sketch": 255}  # what fills a crop beyond its picture
_SOFT = 0.2  # of the oval that is put back: the outer share over which it fades

SMALLEST_EYE_DISTANCE = 20.0  # pixels of the original: the crop magnifies it 2.5 times
LARGEST_ROTATION = 30.0  # degrees
LARGEST_MISFIT = 2.0  # pixels of the crop
LARGEST_OUTSIDE = 0.25  # share of the crop that the original does not cover


def similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Least-squares similarity that maps ``points`` [n, 2] onto ``targets`` [n, 2], n >= 2: float [2, 3].

    With points as complex numbers z and targets as w, minimizes sum |a z + b - w|^2; a carries rotation
    and scale. Mirroring is impossible by construction.

    Raises:
        UserError: the points coincide or are not finite.
    """
    if not np.isfinite(points).all() or np.ptp(points, axis=0).max() < 1e-3:
        raise UserError(f"The fiducial points {points.tolist()} coincide or are not finite.")
    z, w = points @ np.array([1, 1j]), targets @ np.array([1, 1j])
    z_mean, w_mean = z.mean(), w.mean()
    a = np.sum(np.conj(z - z_mean) * (w - w_mean)) / np.sum(np.abs(z - z_mean) ** 2)
    if abs(a) < 1e-9:
        raise UserError(f"The fiducial points {points.tolist()} have nothing of the shape of a face.")
    b = w_mean - a * z_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def low_passed(image: np.ndarray, shrink: float) -> np.ndarray:
    """``image`` before it is made smaller by the factor ``shrink``; itself where that is no more than 1.

    A Gaussian of sigma = 0.5 sqrt(shrink^2 - 1), without which hatching turns into moire (7 dB on genuine sketches,
    3.5 dB on photos).
    """
    import cv2

    return cv2.GaussianBlur(image, (0, 0), max(0.5 * math.sqrt(shrink**2 - 1), 1e-3)) if shrink > 1 else image


def align(image: np.ndarray, matrix: np.ndarray, border: int) -> np.ndarray:
    """Cut the standard crop: uint8 [h, w, 3] -> uint8 [250, 200, 3].

    Cubic interpolation after ``low_passed``. ``border`` (0..255) fills what lies outside the original.
    """
    import cv2

    if max(image.shape[:2]) > 32_000:
        raise UserError(
            f"The image is {image.shape[1]}x{image.shape[0]} pixels; sides of at most 32000 can be aligned."
        )
    image = low_passed(image, 1.0 / math.hypot(*matrix[:, 0]))
    return cv2.warpAffine(
        image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=(border,) * 3
    )


def paste_back(image: np.ndarray, crop: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A copy of ``image`` with ``crop`` as a soft oval in the place that ``align`` cut it from; the rest is as it was.

    Args:
        image: the original, uint8 [h, w, 3].
        crop: uint8 [250, 200, 3].
        matrix: that of ``align``, from the original to the crop.

    Cubic interpolation; where the crop is larger than its place, after the low-pass of ``align``.
    """
    import cv2

    pasted, (linear, shift) = image.copy(), (matrix[:, :2], matrix[:, 2])
    corners = np.array([[-0.5, -0.5], [WIDTH - 0.5, -0.5], [-0.5, HEIGHT - 0.5], [WIDTH - 0.5, HEIGHT - 0.5]])
    places = (corners - shift) @ np.linalg.inv(linear).T
    low = np.maximum(np.floor(places.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(places.max(axis=0)) + 1, image.shape[1::-1]).astype(int)
    if (high <= low).any():
        return pasted
    crop = low_passed(crop, math.hypot(*matrix[:, 0]))
    part = pasted[low[1] : high[1], low[0] : high[0]]
    there = np.column_stack([linear, linear @ low + shift])
    warped = cv2.warpAffine(
        crop, there, part.shape[1::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    y, x = np.mgrid[: part.shape[0], : part.shape[1]]
    u, v = (there[row, 0] * x + there[row, 1] * y + there[row, 2] for row in (0, 1))
    away = np.hypot((u + 0.5) / (WIDTH / 2) - 1.0, (v + 0.5) / (HEIGHT / 2) - 1.0)  # 1 on the oval that fills the crop
    share = np.clip((1.0 - away) / _SOFT, 0.0, 1.0)[..., None]
    part[:] = np.rint(part + share * (warped.astype(np.float64) - part)).astype(np.uint8)
    return pasted


def suspicions(matrix: np.ndarray, points: np.ndarray, size: tuple[int, int]) -> list[str]:
    """Reasons why a person should look at an alignment; ``size`` is (height, width) of the original."""
    distance = float(np.linalg.norm(points[1] - points[0]))
    # From the eyes alone: with swapped eyes, a third point bends the fit but hardly turns it.
    rotation = math.degrees(math.atan2(points[0, 1] - points[1, 1], points[1, 0] - points[0, 0]))
    misfit = np.abs(points @ matrix[:, :2].T + matrix[:, 2] - TARGETS[: len(points)]).max()
    outside = outside_share(matrix, size)
    turned = f"it is rotated by {rotation:.0f} degrees (are left and right eye swapped?)"
    reasons = (
        (distance < SMALLEST_EYE_DISTANCE, f"the eyes are only {distance:.1f} pixels apart"),
        (abs(rotation) > LARGEST_ROTATION, turned),
        (misfit > LARGEST_MISFIT, f"its points miss their places by up to {misfit:.1f} pixels"),
        (outside > LARGEST_OUTSIDE, f"{outside:.0%} of the crop lie outside the original"),
    )
    return [words for found, words in reasons if found]


def outside_share(matrix: np.ndarray, size: tuple[int, int]) -> float:
    """Share of the crop's pixels whose centre lies outside an original of ``size`` (height, width)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inverse = np.linalg.inv(matrix[:, :2])
    back = inverse @ (np.stack([x.ravel(), y.ravel()]) - matrix[:, 2:])
    inside = (back >= -0.5) & (back <= np.array([[size[1]], [size[0]]]) - 0.5)
    return float(1.0 - inside.all(axis=0).mean())
