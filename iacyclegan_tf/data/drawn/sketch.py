"""A drawn face as an artist's pencil sketch: outlines, hatching that follows the light, hair in strokes."""

from functools import lru_cache

import cv2
import numpy as np

from iacyclegan_tf.data.drawn import shape
from iacyclegan_tf.data.drawn.canvas import Canvas, Frame, circle
from iacyclegan_tf.data.drawn.hair import paint_hair
from iacyclegan_tf.data.drawn.light import COLUMNS, ROWS, beard_cover, covered, face_cover, light_map
from iacyclegan_tf.data.drawn.person import Person, View
from iacyclegan_tf.data.drawn.photo import brow_color, hair_color, lip_color, skin_color
from iacyclegan_tf.metrics.image_pairs import LUMINANCE

PAPER = 247.0
LUMA = np.array(LUMINANCE)
STROKE_PERIOD = 6.0  # from one stroke of the hatching to the next, in portrait units
STROKE_CONTRAST = 1.25  # of the strokes against the tone that they render
BACKDROP = 0.6  # darkness of the paper behind the side of the head that the light falls on
LINES = ((0.0, 1.0), (0.9, 0.55))  # a pencil goes over an outline twice: (offset in units, strength)


@lru_cache(maxsize=64)  # directions come in steps
def _stripes(height: int, width: int, degrees: float, period: float) -> np.ndarray:
    """Pencil hatching of one direction, float32 [height, width] in 0 .. 1; ``period`` in portrait units."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x * np.float32(200 / width), y * np.float32(250 / height)
    turn = np.deg2rad(degrees)
    across = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    along = y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))
    wobble = 1.3 * np.sin(along / 17 + 0.5 * np.sin(across / 11)) + 0.9 * np.sin(across / 5.3 + along / 41)
    return (0.5 + 0.5 * np.sin(across * np.float32(2 * np.pi / period) + wobble)).astype(np.float32)


def hatched(tone: np.ndarray, degrees: float) -> np.ndarray:
    """Pencil ink (0 .. 1) that renders a tone (0 paper .. 1 black) by one and, where dark, two directions."""
    first = _stripes(*tone.shape, degrees, STROKE_PERIOD)
    second = _stripes(*tone.shape, degrees - 26, 1.2 * STROKE_PERIOD)
    ink = tone * (1 - 0.5 * STROKE_CONTRAST + STROKE_CONTRAST * first)
    ink += np.maximum(tone - 0.25, 0) * (0.9 * second - 0.45)
    return np.clip(ink, 0, 1)


def paint_sketch(p: Person, view: View, height: int, width: int) -> np.ndarray:
    """uint8 [height, width] gray, without paper grain; ``p`` carries expression and exaggeration."""
    frame = Frame(view)
    tone = cv2.resize(_tone(p, view), (width, height), interpolation=cv2.INTER_LINEAR)
    canvas = Canvas((PAPER * (1 - hatched(tone, view.hatching))).astype(np.uint8))
    _body_lines(canvas, frame, p, view)
    _mouth_and_nose(canvas, frame, p, view)
    _eyes_and_brows(canvas, frame, p)
    _hair(canvas, frame, p)
    if p.glasses != "none":
        for ring in shape.glasses_curves(p):
            canvas.stroke(frame(ring), 1.8, 60, taper=0.0)
    return canvas.picture


def _tone(p: Person, view: View) -> np.ndarray:
    """Darkness of the shaded parts on the grid of the light: skin tone, shadow, beard, clothes, backdrop."""
    frame, light = Frame(view), light_map(p, view)
    face = face_cover(p, frame)
    skin = 1 - float(skin_color(p) @ LUMA) / 255
    shadow = 0.80 * (0.98 - light)
    neck = covered(frame, [shape.neck_outline(p)]) * (1 - face)
    tone = face * np.clip(0.68 * skin - 0.10 + shadow, 0, 0.75) + neck * np.clip(0.4 * skin + shadow, 0, 0.55)
    hairy = {"none": 0.0, "stubble": 0.10, "moustache": 0.0, "full": 0.40}[p.beard]
    tone += hairy * beard_cover(p, frame) * (1.1 - float(hair_color(p) @ LUMA) / 255)
    tone += _backdrop(view) * (1 - face) * (1 - neck)
    garment = covered(frame, shape.clothes_curves(p, view.collar)[:1])
    cloth = 0.22 + 0.18 * (1 - float(np.array(view.clothes) @ LUMA) / 255)
    return np.minimum(tone + (cloth - tone) * garment, 0.72).astype(np.float32)


def _backdrop(view: View) -> np.ndarray:
    """Counterchange: the paper is dark behind the lit side of a head, light behind its shaded side.

    A photo's wall does not do so, which keeps gray values from being compared directly.
    """
    right, down = np.linspace(-1, 1, COLUMNS)[None, :], np.linspace(-1, 1, ROWS)[:, None]
    light_x, light_y = np.array(view.light[:2]) / view.light[2]
    return np.clip(BACKDROP * (0.3 + light_x * right / 0.75 + 0.5 * (light_y + 0.45) * down), 0, 0.6)


def _twice(canvas: Canvas, curve: np.ndarray, width: float, gray: float, taper: float = 0.6) -> None:
    for offset, strength in LINES[::-1]:
        faded = 255 - (255 - gray) * strength
        canvas.stroke(curve + np.array([offset, 0.5 * offset]), width * (0.5 + 0.5 * strength), faded, taper)


def _body_lines(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    for side in (-1, 1):
        neck = np.array([(p["neck"] * side, y) for y in (60.0, 72, 84, 96)])
        canvas.stroke(frame(neck), 1.6, 120)
        canvas.stroke(frame(shape.ear_outline(p) * [side, 1]), 1.5, 100, taper=0.3)
    for outline in shape.clothes_curves(p, view.collar):
        canvas.stroke(frame(np.concatenate([outline, outline[:1]])), 1.6, 95, taper=0.0)
    outline = shape.head_outline(p)
    angle = np.arctan2(outline[:, 0], outline[:, 1])
    order = np.argsort(angle)
    _twice(canvas, frame(outline[order[np.abs(angle[order]) < 1.9]]), 2.0, 85)
    for curve, strength in shape.age_curves(p, view.smile):
        canvas.stroke(frame(curve), 1.6, 185 - 90 * strength, taper=1.0)
    for mole in p.moles:
        canvas.fill(frame(circle(mole * [p["face_width"], p["chin_drop"]], 1.4, 8)), 70)


def _mouth_and_nose(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    mouth, nose = shape.mouth_curves(p, view.mouth_open), shape.nose_curves(p)
    lips = 30 + 0.95 * float(lip_color(p) @ LUMA)
    if p.beard in ("moustache", "full"):
        canvas.fill(frame(shape.beard_outlines(p)[-1]), 50 + 0.7 * float(hair_color(p) @ LUMA))
    canvas.fill(frame(mouth["upper lip"]), 0.82 * lips)
    canvas.fill(frame(mouth["lower lip"]), lips)
    if view.mouth_open > 0.05:
        canvas.fill(frame(mouth["gap"]), 240)
    canvas.stroke(frame(mouth["bottom"]), 1.2, 0.6 * lips)
    canvas.stroke(frame(mouth["line"]), 2.0, 50)
    canvas.stroke(frame(nose["base"]), 1.5, 90)
    for side in (-1, 1):
        canvas.stroke(frame(nose["wing"] * [side, 1]), 1.7, 85)
        canvas.stroke(frame(nose["side"] * [side, 1]), 1.1, 190, taper=1.0)
        canvas.fill(frame(nose["nostril"] * [side, 1]), 55)


def _eyes_and_brows(canvas: Canvas, frame: Frame, p: Person) -> None:
    iris = 60 + 90 * float(np.clip(p["eye_color"], 0, 1))
    for side in (-1, 1):
        upper, lower = shape.eye_outline(p, side)
        canvas.fill(frame(shape.between(upper, lower)), 243)
        for share, gray in ((1.12, 45), (0.95, iris), (0.45, 18)):
            canvas.fill(frame(shape.iris_outline(p, side, share)), gray)
        canvas.fill(frame(circle([25.0 * side + 1.8, -2.4], 1.2, 8)), 250)
        _twice(canvas, frame(upper), 2.7, 35, taper=0.5)
        canvas.stroke(frame(lower), 1.2, 100)
        canvas.stroke(frame(shape.lid_crease(p, side)), 1.3, 110)
        canvas.fill(frame(shape.brow_outline(p, side)), 25 + 0.9 * float(brow_color(p) @ LUMA))


def _hair(canvas: Canvas, frame: Frame, p: Person) -> None:
    luma = float(hair_color(p) @ LUMA)

    def pencil(brightness: float) -> float:
        return min(235.0, (30 + 0.75 * luma) * brightness + 150 * max(0.0, brightness - 1))

    paint_hair(canvas, frame, p, (28, 34), (0.7, 1.0, 1.3), 0.26, 105 + 0.62 * luma, pencil)
