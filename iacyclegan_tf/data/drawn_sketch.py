"""A drawn face as an artist's pencil sketch: outlines, hatching that follows the light, hair in strokes."""

from functools import lru_cache

import cv2
import numpy as np

from iacyclegan_tf.data.drawn_person import Person, View
from iacyclegan_tf.data.drawn_photo import (
    age_curves, back_hair, beard_outlines, circle, clothes_curves, ear_outline, fringe_strands, glasses_curves, hair_colour,
    hair_families, light_map, skin_colour)
from iacyclegan_tf.data.drawn_shape import (
    HAIR, Canvas, Frame, brow_outline, eye_outline, hair_sides, head_outline, lid_crease, mouth_curves, nose_curves)

PAPER = 246.0
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


@lru_cache(maxsize=8)
def _stripes(height: int, width: int, degrees: float, period: float) -> np.ndarray:
    """Pencil hatching of one direction, float32 [height, width] in 0 .. 1, a little uneven."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x * np.float32(200 / width), y * np.float32(250 / height)
    turn = np.deg2rad(degrees)
    across = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    along = y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))
    wobble = 0.9 * np.sin(along / 17 + 0.5 * np.sin(across / 11)) + 0.6 * np.sin(across / 5.3)
    return (0.5 + 0.5 * np.sin(across * np.float32(2 * np.pi / period) + wobble)).astype(np.float32)


def hatched(tone: np.ndarray) -> np.ndarray:
    """Pencil ink (0 .. 1) that renders a tone (0 paper .. 1 black) by one and, where dark, two directions."""
    first = _stripes(*tone.shape, 38.0, 3.4)
    second = _stripes(*tone.shape, -32.0, 3.9)
    ink = tone * (0.45 + 1.1 * first) + np.maximum(tone - 0.3, 0) * (second - 0.5)
    return np.clip(ink, 0, 1)


def paint_sketch(p: Person, view: View, height: int, width: int) -> np.ndarray:
    """uint8 [height, width] grey at the size of the canvas; ``p`` carries expression and exaggeration."""
    frame = Frame(view)
    grey = PAPER * (1 - hatched(_tone(p, view, height, width)))
    picture = grey.astype(np.uint8)
    canvas = Canvas(picture)
    _clothes(canvas, frame, p, view)
    _face_lines(canvas, frame, p, view)
    _hair(canvas, frame, p)
    if p.glasses != "none":
        for ring in glasses_curves(p):
            canvas.stroke(frame(ring), 1.8, 60, taper=0.0)
    return picture


def _tone(p: Person, view: View, height: int, width: int) -> np.ndarray:
    """Darkness of the shaded parts, float32 [height, width]: skin tone, shadow, beard."""
    frame, light = Frame(view), light_map(p, view)
    inside = np.zeros(light.shape, np.uint8)
    coverage = Canvas(inside)
    skin = 1 - float(skin_colour(p) @ LUMA) / 255
    coverage.fill(frame(head_outline(p)), 255)
    for side in (-1, 1):
        coverage.fill(frame(ear_outline(p) * [side, 1]), 255)
    face = inside / np.float32(255)
    tone = face * np.clip(0.75 * skin - 0.12 + 0.85 * (0.98 - light), 0, 0.85)
    tone += (1 - face) * np.clip(0.8 * (0.98 - light), 0, 0.6)
    if p.beard != "none":
        inside[:] = 0
        for outline in beard_outlines(p):
            coverage.fill(frame(outline), 255)
        tone += inside / np.float32(255) * (0.12 if p.beard == "stubble" else 0.4)
    return cv2.resize(tone.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def _clothes(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    n = p["neck"]
    for side in (-1, 1):
        canvas.stroke(frame(np.array([(n * side, 60.0), (n * side, 80), (n * side, 96)])), 1.6, 120)
    for outline in clothes_curves(p, view.collar):
        canvas.stroke(frame(np.vstack([outline, outline[:1]])), 1.8, 95, taper=0.0)


def _face_lines(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    outline = head_outline(p)
    lower = outline[np.argsort(np.arctan2(outline[:, 0], outline[:, 1]))]
    lower = lower[np.abs(np.arctan2(lower[:, 0], lower[:, 1])) < 1.9]
    canvas.stroke(frame(lower), 2.0, 95, taper=0.5)
    for side in (-1, 1):
        ear = ear_outline(p) * [side, 1]
        canvas.stroke(frame(ear), 1.5, 100, taper=0.3)
    for curve, strength in age_curves(p, view.smile):
        canvas.stroke(frame(curve), 1.6, 190 - 90 * strength, taper=1.0)
    nose = nose_curves(p)
    canvas.stroke(frame(nose["base"]), 1.5, 95)
    mouth = mouth_curves(p, view.mouth_open)
    canvas.fill(frame(np.vstack([mouth["top"], mouth["line"][::-1]])), 140)
    canvas.fill(frame(np.vstack([mouth["under"], mouth["bottom"][::-1]])), 172)
    canvas.stroke(frame(mouth["bottom"]), 1.2, 120)
    canvas.stroke(frame(mouth["line"]), 2.0, 55)
    for side in (-1, 1):
        canvas.stroke(frame(nose["wing"] * [side, 1]), 1.7, 90)
        canvas.stroke(frame(nose["side"] * [side, 1]), 1.3, 185, taper=1.0)
        canvas.fill(frame(nose["nostril"] * [side, 1]), 60)
        _eye(canvas, frame, p, side)
        canvas.fill(frame(brow_outline(p, side)), 40 + 0.35 * float(hair_colour(p) @ LUMA))
    for mole in p.moles:
        canvas.fill(frame(circle(mole * [p["face_width"], p["chin_drop"]], 1.4)), 70)


def _eye(canvas: Canvas, frame: Frame, p: Person, side: int) -> None:
    upper, lower = eye_outline(p, side)
    mask = np.zeros(canvas.picture.shape, np.uint8)
    Canvas(mask).fill(frame(np.vstack([upper, lower[::-1]])), 255)
    layer = Canvas(np.full_like(canvas.picture, 244))
    centre = np.array([25.0 * side, -0.6])
    layer.fill(frame(circle(centre, p["iris"])), 70 + 60 * np.clip(p["eye_colour"], 0, 1))
    layer.fill(frame(circle(centre, 0.45 * p["iris"])), 20)
    layer.fill(frame(circle(centre + [1.6, -1.8], 1.2)), 250)
    cv2.copyTo(layer.picture, mask, canvas.picture)
    canvas.stroke(frame(upper), 2.8, 35, taper=0.5)
    canvas.stroke(frame(lower), 1.2, 100)
    canvas.stroke(frame(lid_crease(p, side)), 1.3, 110)


def _hair(canvas: Canvas, frame: Frame, p: Person) -> None:
    luma = float(hair_colour(p) @ LUMA)
    base = 120 + 0.55 * luma
    for outer, inner in hair_sides(p):
        canvas.fill(frame(np.vstack([outer, inner[::-1]])), base)
    random = np.random.default_rng(11)
    _strokes(canvas, frame, hair_families(p, 28), luma, random)
    fringe = fringe_strands(p, 36)
    if fringe is not None:
        canvas.fill(frame(np.vstack([fringe[:, 0], fringe[::-1, -1]])), base)
        _strokes(canvas, frame, fringe, luma, random)


def _strokes(canvas: Canvas, frame: Frame, flows: np.ndarray, luma: float, random: np.random.Generator) -> None:
    placed = frame(flows.reshape(-1, 2)).reshape(flows.shape)
    order = random.permutation(len(placed))
    for part, level in zip(np.array_split(order, 3), (25, 60, 95)):
        canvas.strands(placed[part], 0.9, level + 0.6 * luma)
