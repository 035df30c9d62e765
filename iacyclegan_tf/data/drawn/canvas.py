"""Tools for drawing: smooth curves, their place on the portrait, and anti-aliased ink.

Curves are float64 arrays [n, 2] of (x, y). Face coordinates have their origin between the eyes, y down, in
units of a 200 x 250 portrait; portrait coordinates run from (0, 0) to (200, 250) whatever the picture's size.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from iacyclegan_tf.data.drawn.person import View

SUBPIXEL_BITS = 4  # OpenCV draws with fixed-point coordinates


@lru_cache(maxsize=64)
def _cutting(count: int, closed: bool, rounds: int) -> np.ndarray:
    """Chaikin's corner cutting as one matrix: each round puts points at 1/4 and 3/4 of every edge."""
    matrix = np.eye(count)
    for _ in range(rounds):
        before, after = (matrix, np.roll(matrix, -1, axis=0)) if closed else (matrix[:-1], matrix[1:])
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], 1).reshape(-1, count)
        matrix = cut if closed else np.vstack([matrix[:1], cut, matrix[-1:]])
    return matrix


@lru_cache(maxsize=256)
def _taper(count: int, taper: float) -> np.ndarray:
    """Width along a line: 1 in the middle, 1 - taper at both ends."""
    return 1 - taper * np.abs(np.linspace(-1, 1, count)) ** 2.5


def rounded(points, closed: bool = False, rounds: int = 3) -> np.ndarray:
    """A smooth curve along a coarse polygon; an open one keeps its ends."""
    return _cutting(len(points), closed, rounds) @ np.asarray(points, np.float64)


def resampled(curve: np.ndarray, count: int) -> np.ndarray:
    """``count`` points at equal steps along the curve."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, curve[:, 0]), np.interp(at, along, curve[:, 1])], 1)


def mirrored(half) -> np.ndarray:
    """A closed outline from its right half, given from top to bottom."""
    half = np.asarray(half, np.float64)
    return np.vstack([half, half[::-1] * [-1, 1]])


def circle(center, radius: float, points: int = 20) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return center + radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def nearness(x, y) -> np.ndarray:
    """How far a point of the face stands out towards the viewer, 0 .. 1: what a turn of the head moves."""
    return np.maximum(1 - np.square(x / 64), 0) * np.maximum(1 - np.square((y - 12) / 105), 0)


@dataclass(frozen=True)
class Frame:
    """Places face coordinates on the portrait: yaw moves what stands out, then a similarity."""

    view: View

    def __call__(self, curve: np.ndarray) -> np.ndarray:
        view, y = self.view, curve[:, 1]
        x = curve[:, 0] + view.yaw * (nearness(curve[:, 0], y) - 0.5)
        cos, sin = view.scale * np.cos(view.roll), view.scale * np.sin(view.roll)
        placed = np.empty((len(curve), 2))
        placed[:, 0] = 100 + view.shift[0] + cos * x - sin * y
        placed[:, 1] = 125 + view.shift[1] + sin * x + cos * y
        return placed

    def flows(self, curves: np.ndarray) -> np.ndarray:
        """The same for many curves of one length, [n, points, 2]."""
        return self(curves.reshape(-1, 2)).reshape(curves.shape)

    def face_grid(self, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Face coordinates (x, y), float32 [rows, columns], of a grid over the portrait: places back."""
        view = self.view
        x = (np.arange(columns, dtype=np.float32) + 0.5) * (200 / columns) - (100 + view.shift[0])
        y = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) * (250 / rows) - (125 + view.shift[1])
        cos, sin = np.cos(view.roll) / view.scale, np.sin(view.roll) / view.scale
        x, y = cos * x + sin * y, cos * y - sin * x
        return (x - view.yaw * (nearness(x, y) - 0.5)).astype(np.float32), y.astype(np.float32)


class Canvas:
    """Draws curves given in portrait coordinates, anti-aliased, on a uint8 picture of any size."""

    def __init__(self, picture: np.ndarray):
        self.picture = picture
        self.scale = np.array([picture.shape[1] / 200, picture.shape[0] / 250])

    def pixels(self, curve: np.ndarray) -> np.ndarray:
        return np.rint((curve * self.scale - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32)

    def fill(self, curve: np.ndarray, color) -> None:
        cv2.fillPoly(self.picture, [self.pixels(curve)], color, cv2.LINE_AA, SUBPIXEL_BITS)

    def stroke(self, curve: np.ndarray, width: float, color, taper: float = 0.8) -> None:
        """A line that thins towards its ends, as a polygon, so that widths below one pixel are possible."""
        along = np.empty_like(curve)
        along[1:-1], along[0], along[-1] = curve[2:] - curve[:-2], curve[1] - curve[0], curve[-1] - curve[-2]
        thin = 0.5 * width * _taper(len(curve), taper) / (np.hypot(along[:, 0], along[:, 1]) + 1e-9)
        offset = np.stack([-along[:, 1] * thin, along[:, 0] * thin], 1)
        self.fill(np.concatenate([curve + offset, (curve - offset)[::-1]]), color)

    def strands(self, curves: np.ndarray, width: float, color) -> None:
        """Many plain lines of one color. ``curves``: [n, points, 2]."""
        thickness = max(1, round(float(width * self.scale[0])))
        lines = list(self.pixels(curves))
        cv2.polylines(self.picture, lines, False, color, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
