"""A drawn face as a color photograph: painted surfaces, light from the relief, hair in strands."""

import cv2
import numpy as np

from iacyclegan_tf.data.drawn import shape
from iacyclegan_tf.data.drawn.canvas import Canvas, Frame, circle
from iacyclegan_tf.data.drawn.hair import back_hair, paint_hair
from iacyclegan_tf.data.drawn.light import COLUMNS, ROWS, beard_cover, bump, light_map
from iacyclegan_tf.data.drawn.person import Person, View

SKIN_LIGHT, SKIN_DARK = np.array([240.0, 204, 182]), np.array([118.0, 80, 58])


def skin_color(p: Person) -> np.ndarray:
    """RGB, float64 [3], from the traits ``skin`` and ``skin_warmth``."""
    tone = np.clip(p["skin"], 0, 1)
    return (1 - tone) * SKIN_LIGHT + tone * SKIN_DARK + np.array([6, -2, -12]) * (p["skin_warmth"] - 0.5) * 2


def hair_color(p: Person) -> np.ndarray:
    """RGB, float64 [3]: black to brown to fair, or gray where ``hair_warmth`` is small."""
    tone, warmth = np.clip(p["hair_tone"], 0, 1), np.clip(p["hair_warmth"], 0, 1)
    warm = np.array([36, 26, 21]) + tone * np.array([182, 134, 82])
    gray = np.array([30, 29, 30]) + tone * np.array([164, 162, 160])
    return warmth * warm + (1 - warmth) * gray


def brow_color(p: Person) -> np.ndarray:
    """RGB, float64 [3]: near the hair, ``brow_tone`` lighter or darker, and never as light as the skin."""
    color = 0.7 * hair_color(p) * (1 + p["brow_tone"]) + 90 * p["brow_tone"]
    return np.clip(color, 14, 0.7 * skin_color(p))


def lip_color(p: Person) -> np.ndarray:
    """RGB, float64 [3]: from nearly the skin to a dark red."""
    tone = np.clip(p["lip_tone"], 0, 1)
    return skin_color(p) * np.array([0.95 - 0.28 * tone, 0.76 - 0.46 * tone, 0.76 - 0.40 * tone])


def paint_photo(p: Person, view: View, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] RGB, without sensor noise; ``p`` already carries the expression."""
    canvas, frame = Canvas(_backdrop(view, height, width)), Frame(view)
    _body(canvas, frame, p, view)
    _mouth(canvas, frame, p, view)
    _eyes_and_brows(canvas, frame, p)
    _apply_light(canvas.picture, frame, p, view)
    _fine_lines(canvas, frame, p, view)
    _hair(canvas, frame, p)
    if p.glasses != "none":
        for ring in shape.glasses_curves(p):
            canvas.stroke(frame(ring), 2.0, (38, 34, 34), taper=0.0)
    return canvas.picture


def _backdrop(view: View, height: int, width: int) -> np.ndarray:
    """A plain wall with light falling off across it."""
    (right, down), wall = view.falloff, np.empty((5, 4, 3))
    wall[:] = 1 - right * np.linspace(-1, 1, 4)[None, :, None] - down * np.linspace(-1, 1, 5)[:, None, None]
    wall = np.clip(wall * view.background, 0, 255).astype(np.uint8)
    return cv2.resize(wall, (width, height), interpolation=cv2.INTER_LINEAR)


def _body(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    """Back hair, neck, clothes, ears and the head, back to front."""
    skin, behind = skin_color(p), back_hair(p)
    if behind is not None:
        canvas.fill(frame(behind), tuple(0.5 * hair_color(p)))
    canvas.fill(frame(shape.neck_outline(p)), tuple(0.96 * skin))
    for level, outline in zip((1.0, 1.08, 1.08), shape.clothes_curves(p, view.collar)):
        canvas.fill(frame(outline), tuple(np.clip(level * np.array(view.clothes), 0, 255)))
        canvas.stroke(frame(outline), 1.2, tuple(0.6 * np.array(view.clothes)), taper=0.0)
    for side in (-1, 1):
        ear = shape.ear_outline(p) * [side, 1]
        canvas.fill(frame(ear), tuple(skin * [0.96, 0.88, 0.86]))
        canvas.stroke(frame((ear - ear.mean(0)) * 0.6 + ear.mean(0)), 1.2, tuple(0.74 * skin), taper=0.2)
    canvas.fill(frame(shape.head_outline(p)), tuple(skin))


def _mouth(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    mouth, lips = shape.mouth_curves(p, view.mouth_open), lip_color(p)
    if p.beard in ("moustache", "full"):
        for outline in shape.beard_outlines(p):
            canvas.fill(frame(outline), tuple(0.25 * skin_color(p) + 0.65 * hair_color(p)))
    canvas.fill(frame(mouth["upper lip"]), tuple(0.9 * lips))
    canvas.fill(frame(mouth["lower lip"]), tuple(1.03 * lips))
    if view.mouth_open > 0.05:
        canvas.fill(frame(mouth["gap"]), (222, 212, 204))


def _eyes_and_brows(canvas: Canvas, frame: Frame, p: Person) -> None:
    iris = np.array([66, 44, 32]) + np.clip(p["eye_color"] - 0.35, 0, 1) * np.array([60, 100, 130])
    for side in (-1, 1):
        canvas.fill(frame(shape.between(*shape.eye_outline(p, side))), (228, 220, 214))
        for share, color in ((1.12, tuple(0.45 * iris)), (0.95, tuple(iris)), (0.45, (14, 12, 12))):
            canvas.fill(frame(shape.iris_outline(p, side, share)), color)
        canvas.fill(frame(shape.brow_outline(p, side)), tuple(brow_color(p)))
        canvas.fill(frame(shape.nose_curves(p)["nostril"] * [side, 1]), tuple(0.38 * skin_color(p)))


def _apply_light(picture: np.ndarray, frame: Frame, p: Person, view: View) -> None:
    """Multiplies by the light. Red falls off less than blue, as on skin; cheeks and nose are ruddy."""
    light = light_map(p, view)
    x, y = frame.face_grid(ROWS, COLUMNS)
    blush = 1 - 0.09 * bump(np.abs(x), y, 0.6 * p["face_width"], 30, 15, 13)
    blush -= 0.05 * bump(x, y, 0, p["nose_length"] - 4, 9, 9)
    tinted = cv2.merge([light ** np.float32(0.85), light * blush, light ** np.float32(1.1) * blush])
    if p.beard == "stubble":
        tinted *= 1 - beard_cover(p, frame)[:, :, None] * np.array([0.26, 0.22, 0.18], np.float32)
    tinted *= np.float32(view.exposure)
    cv2.multiply(picture, cv2.resize(tinted, picture.shape[1::-1]), dst=picture, dtype=cv2.CV_8U)


def _fine_lines(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    skin, nose = skin_color(p), shape.nose_curves(p)
    for curve, strength in shape.age_curves(p, view.smile):
        canvas.stroke(frame(curve), 1.3, tuple((0.82 - 0.2 * strength) * skin), taper=1.0)
    canvas.stroke(frame(shape.mouth_curves(p, 0.0)["line"]), 1.5, tuple(lip_color(p) * 0.5))
    canvas.stroke(frame(nose["base"]), 1.3, tuple(0.66 * skin))
    for mole in p.moles:
        canvas.fill(frame(circle(mole * [p["face_width"], p["chin_drop"]], 1.4, 8)), tuple(0.42 * skin))
    for side in (-1, 1):
        canvas.stroke(frame(nose["wing"] * [side, 1]), 1.5, tuple(0.66 * skin))
        upper, lower = shape.eye_outline(p, side)
        canvas.stroke(frame(upper), 2.6, tuple(0.26 * skin), taper=0.5)
        canvas.stroke(frame(lower), 1.0, tuple(0.55 * skin))
        canvas.stroke(frame(shape.lid_crease(p, side)), 1.2, tuple(0.6 * skin))
        canvas.fill(frame(circle([25.0 * side + 1.8, -2.4], 1.1, 8)), (246, 246, 246))


def _hair(canvas: Canvas, frame: Frame, p: Person) -> None:
    color = hair_color(p)

    def tint(brightness: float):
        return tuple(np.clip(color * brightness + 30 * max(0.0, brightness - 1), 0, 255))

    paint_hair(canvas, frame, p, (27, 36), (0.66, 0.9, 1.1), 0.24, tuple(0.82 * color), tint)
