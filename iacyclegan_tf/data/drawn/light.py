"""Light on a drawn face: a relief of the head under one lamp, by which photo and sketch are shaded."""

import cv2
import numpy as np

from iacyclegan_tf.data.drawn.canvas import Canvas, Frame
from iacyclegan_tf.data.drawn.person import Person, View
from iacyclegan_tf.data.drawn.shape import beard_outlines, ear_outline, head_outline, neck_outline

ROWS, COLUMNS = 100, 80  # light is smooth: one sample per 2.5 units of the 200 x 250 portrait


def bump(x: np.ndarray, y: np.ndarray, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """A Gaussian hill of height 1 at (cx, cy)."""
    return np.exp(-np.square((x - cx) * np.float32(1 / sx)) - np.square((y - cy) * np.float32(1 / sy)))


def relief(p: Person, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height towards the viewer: an ellipsoid with hills (nose, lips, cheeks, chin) and hollows (eyes)."""
    w, chin, nose, mouth = p["face_width"], p["chin_drop"], p["nose_length"], p["mouth_drop"]
    z = 1 - (x / (1.12 * w)) ** 2 - ((y - 0.5 * (chin - p["skull"])) / (0.56 * (chin + p["skull"]))) ** 2
    z = 62 * np.sqrt(np.maximum(z, 0.02))
    z += 9 * bump(x, y, 0, 0.55 * nose, p["nose_bridge"] + 2.5, 0.55 * nose)
    z += 10 * bump(x, y, 0, nose - 5 + p["nose_tip"], 9, 9) + 2.2 * bump(x, y, 0, 2 - p["brow_height"], 40, 9)
    z += 2.4 * bump(x, y, 0, mouth - 3, 20, 6) + 2.6 * bump(x, y, 0, mouth + 6, 17, 5)
    z += 3.5 * bump(x, y, 0, chin - 13, 8 + 0.6 * p["chin_width"], 10)
    z -= 2.2 * bump(x, y, 0, mouth + 14, 18, 5)
    one_side = np.abs(x)
    z += 5 * bump(one_side, y, 0.72 * p["nose_width"], nose - 3, 5, 6)
    z += 3 * bump(one_side, y, 25, 1, 11, 6) - (4 + 4 * p["socket"]) * bump(one_side, y, 22, -3, 14, 10)
    z += (3 + 1.6 * p["cheek"]) * bump(one_side, y, 0.62 * w, 30, 16, 15)
    return z - (2 + 3 * np.clip(p["age"], 0, 1)) * bump(one_side, y, p["mouth_width"] + 6, mouth - 8, 6, 14)


def face_light(p: Person, view: View, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Lambert's law on the relief, a little gloss, and the shade that collects in hollows; 1 is fully lit."""
    z = relief(p, x, y)
    slope_y, slope_x = np.gradient(z, np.float32(250 / ROWS), np.float32(200 / COLUMNS))
    lx, ly, lz = view.light
    length = np.sqrt(1 + slope_x**2 + slope_y**2)
    lambert = np.clip((lz - lx * slope_x - ly * slope_y) / length, 0, 1)
    # Blinn's gloss: the normal along the half-way vector between the lamp and the viewer.
    half = np.array([lx, ly, lz + 1]) / np.sqrt(2 + 2 * lz)
    gloss = np.clip((half[2] - half[0] * slope_x - half[1] * slope_y) / length, 0, 1) ** 24
    light = view.ambient + (1.08 - view.ambient) * lambert + 0.10 * gloss
    light -= 0.10 * (0.6 + p["socket"]) * bump(np.abs(x), y, 20, -5, 11, 8)
    light -= 0.13 * bump(x, y, 0, p["nose_length"] + 6, 11, 4)
    light -= 0.10 * bump(x, y, 0, p["mouth_drop"] + 15, 15, 4)
    return light


def covered(frame: Frame, outlines: list[np.ndarray]) -> np.ndarray:
    """How much of each sample the outlines cover, float32 [ROWS, COLUMNS] in 0 .. 1."""
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    for outline in outlines:
        Canvas(mask).fill(frame(outline), 255)
    return mask * np.float32(1 / 255)


def face_cover(p: Person, frame: Frame) -> np.ndarray:
    """Head and ears."""
    return covered(frame, [head_outline(p), ear_outline(p), ear_outline(p) * [-1, 1]])


def light_map(p: Person, view: View) -> np.ndarray:
    """Light of face, neck (with the shadow of the chin) and surroundings (1), float32 [ROWS, COLUMNS]."""
    frame = Frame(view)
    x, y = frame.face_grid(ROWS, COLUMNS)
    neck = 0.86 + 0.25 * view.light[0] * x / 60
    neck -= 0.42 * bump(x, y, 0, p["chin_drop"] + 2, 1.1 * p["face_width"], 20)
    light = 1 + (neck - 1) * covered(frame, [neck_outline(p)])
    light += (face_light(p, view, x, y) - light) * face_cover(p, frame)
    return light.astype(np.float32)


def beard_cover(p: Person, frame: Frame) -> np.ndarray:
    """The bearded part, soft at its edge, float32 [ROWS, COLUMNS]; zero where there is no beard."""
    outlines = [] if p.beard == "none" else beard_outlines(p)
    return cv2.GaussianBlur(covered(frame, outlines), (0, 0), 1.0)
