"""A drawn face as a colour photograph: painted surfaces, light from the relief, hair in strands."""

import cv2
import numpy as np

from iacyclegan_tf.data.drawn_person import Person, View
from iacyclegan_tf.data.drawn_shape import (
    HAIR, Canvas, Frame, brow_outline, eye_outline, fringe_outline, hair_sides, head_outline, lid_crease,
    mirrored, mouth_curves, nose_curves, relief_light, resampled, rounded)

SKIN_LIGHT, SKIN_DARK = np.array([238.0, 200, 176]), np.array([112.0, 74, 52])
MIRROR = np.array([-1, 1])


def skin_colour(p: Person) -> np.ndarray:
    """RGB, float64 [3], from the traits ``skin`` and ``skin_warmth``."""
    tone = np.clip(p["skin"], 0, 1)
    return (1 - tone) * SKIN_LIGHT + tone * SKIN_DARK + np.array([6, -2, -12]) * (p["skin_warmth"] - 0.5) * 2


def hair_colour(p: Person) -> np.ndarray:
    """RGB, float64 [3]: black to brown to fair, or grey where ``hair_warmth`` is small."""
    tone, warmth = np.clip(p["hair_tone"], 0, 1), np.clip(p["hair_warmth"], 0, 1)
    warm = np.array([30, 22, 18]) + tone * np.array([186, 140, 84])
    grey = np.array([28, 27, 28]) + tone * np.array([164, 162, 160])
    return warmth * warm + (1 - warmth) * grey


def paint_photo(p: Person, view: View, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] RGB at the size of the canvas; ``p`` already carries the expression."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = np.array(view.background, np.uint8)
    canvas, frame, skin = Canvas(picture), Frame(view), skin_colour(p)
    _body(canvas, frame, p, view, skin)
    canvas.fill(frame(head_outline(p)), tuple(skin))
    _features(canvas, frame, p, view, skin)
    _apply_light(picture, canvas, frame, p, view)
    _fine_lines(canvas, frame, p, skin)
    _hair(canvas, frame, p, view)
    if p.glasses != "none":
        for ring in glasses_curves(p):
            canvas.stroke(frame(ring), 2.0, (38, 34, 34), taper=0.0)
    return picture


def _body(canvas: Canvas, frame: Frame, p: Person, view: View, skin: np.ndarray) -> None:
    if HAIR[p.hair][2] > 50:
        canvas.fill(frame(back_hair(p)), tuple(0.55 * hair_colour(p)))
    canvas.fill(frame(neck_outline(p)), tuple(skin * 0.96))
    for outline in clothes_curves(p, view.collar):
        canvas.fill(frame(outline), view.clothes)
    for side in (-1, 1):
        canvas.fill(frame(ear_outline(p) * [side, 1]), tuple(skin * [0.95, 0.88, 0.86]))
        canvas.stroke(frame(resampled(ear_outline(p), 24)[3:14] * 0.97 * [side, 1]), 1.6, tuple(skin * 0.72))


def neck_outline(p: Person) -> np.ndarray:
    n = p["neck"]
    return mirrored([(n, 40), (n, 96), (n + 6, 110), (n + 40, 122), (n + 40, 140)])


def ear_outline(p: Person) -> np.ndarray:
    w, tall = p["face_width"], p["ear"]
    return rounded([(w - 4, -tall * 0.5), (w + 4, -tall * 0.8), (w + 8, -tall * 0.25), (w + 5, tall * 0.55),
                    (w + 1, tall * 1.15), (w - 5, tall)], closed=True)


def back_hair(p: Person) -> np.ndarray:
    (right, _), (left, _) = hair_sides(p)
    return np.vstack([right, left[::-1]])


def clothes_curves(p: Person, collar: str) -> list[np.ndarray]:
    """Closed outlines of the garment, back to front."""
    n = p["neck"]
    depth = {"round": 112, "vee": 128, "shirt": 122}[collar]
    sag = rounded([(n + 4, 97), (0.6 * n, depth - 4), (0, depth)], rounds=2)
    body = np.vstack([sag[::-1], [(n + 30, 106), (n + 75, 118), (n + 90, 150)]])
    outlines = [mirrored(body)]
    if collar == "shirt":
        outlines += [np.array([(n + 1, 92), (n + 14, 104), (0.45 * n, 131), (0, 120)]) * [side, 1] for side in (-1, 1)]
    return outlines


def glasses_curves(p: Person) -> list[np.ndarray]:
    wide, tall = (17, 13.5) if p.glasses == "round" else (19, 11)
    power = 1.0 if p.glasses == "round" else 0.45
    angle = np.linspace(0, 2 * np.pi, 40)
    ring = np.stack([wide * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power,
                     1.5 + tall * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power], 1)
    bridge = rounded([(-26 + wide, -1), (0, -5), (26 - wide, -1)])
    temples = [np.array([(s * (26 + wide), -3.0), (s * (p["face_width"] - 1), -5.0)]) for s in (-1, 1)]
    return [ring + [-26, 0], ring + [26, 0], bridge, *temples]


def age_curves(p: Person, smile: float) -> list[tuple[np.ndarray, float]]:
    """Lines of age and of a smile with their strength 0 .. 1."""
    nose, mouth, wide, age = p["nose_length"], p["mouth_drop"], p["mouth_width"], np.clip(p["age"], 0, 1)
    lines = []
    for side in (-1, 1):
        fold = rounded([(p["nose_width"] + 2, nose - 5), (wide + 3, mouth - 14), (wide + 7, mouth - 1)])
        bag = rounded([(14, 9), (24, 13), (36, 9)])
        crow = rounded([(41, 0), (46, -1), (51, 3)])
        lines += [(fold * [side, 1], min(1.0, age + 0.3 * max(smile, 0))), (bag * [side, 1], age), (crow * [side, 1], age - 0.3)]
    for row in range(3):
        y = -p["brow_height"] - 12 - 7 * row
        lines.append((rounded([(-26 + 3 * row, y), (0, y - 3), (26 - 3 * row, y)]), age - 0.35))
    return [(curve, strength) for curve, strength in lines if strength > 0.12]


def beard_outlines(p: Person) -> list[np.ndarray]:
    w, chin, mouth, wide = p["face_width"], p["chin_drop"], p["mouth_drop"], p["mouth_width"]
    moustache = mirrored(rounded([(0, p["nose_length"] + 9), (0.7 * wide, mouth - 8), (wide + 5, mouth + 2), (0.5 * wide, mouth - 3), (0, mouth - 3)]))
    if p.beard == "moustache":
        return [moustache]
    head = head_outline(p)
    lower = head[(head[:, 1] > 18)]
    lower = lower[np.argsort(-np.arctan2(lower[:, 0], lower[:, 1]))]
    inner = rounded([(-w + 9, 20), (-w + 17, mouth - 12), (-wide - 3, mouth - 3), (-0.6 * wide, mouth + 13),
                     (0.6 * wide, mouth + 13), (wide + 3, mouth - 3), (w - 17, mouth - 12), (w - 9, 20)])
    return [np.vstack([lower, inner]), moustache]


def _features(canvas: Canvas, frame: Frame, p: Person, view: View, skin: np.ndarray) -> None:
    lips = skin * [0.86, 0.58, 0.58] + [14, 4, 6]
    mouth = mouth_curves(p, view.mouth_open)
    canvas.fill(frame(np.vstack([mouth["top"], mouth["line"][::-1]])), tuple(lips * 0.92))
    canvas.fill(frame(np.vstack([mouth["under"], mouth["bottom"][::-1]])), tuple(lips * 1.04))
    if view.mouth_open > 0.05:
        canvas.fill(frame(np.vstack([mouth["line"], mouth["under"][::-1]])), (225, 215, 205))
    if p.beard != "none":
        share = 0.32 if p.beard == "stubble" else 0.8
        for outline in beard_outlines(p):
            canvas.fill(frame(outline), tuple((1 - share) * skin + share * (hair_colour(p) * 0.85)))
        canvas.fill(frame(np.vstack([mouth["under"], mouth["bottom"][::-1]])), tuple(lips))
    for mole in p.moles:
        spot = mole * [p["face_width"], p["chin_drop"]]
        canvas.fill(frame(spot + 1.5 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])), tuple(skin * 0.5))
    for side in (-1, 1):
        _eye(canvas, frame, p, side)
        brow = 0.75 * hair_colour(p) + 0.12 * skin
        canvas.fill(frame(brow_outline(p, side)), tuple(brow))
        canvas.fill(frame(nose_curves(p)["nostril"] * [side, 1]), tuple(skin * 0.36))


def _eye(canvas: Canvas, frame: Frame, p: Person, side: int) -> None:
    upper, lower = eye_outline(p, side)
    almond = frame(np.vstack([upper, lower[::-1]]))
    mask = np.zeros(canvas.picture.shape[:2], np.uint8)
    Canvas(mask).fill(almond, 255)
    layer = Canvas(np.empty_like(canvas.picture))
    layer.picture[:] = (232, 226, 220)
    iris = np.array([62, 42, 30]) + np.clip(p["eye_colour"] - 0.35, 0, 1) * np.array([60, 100, 130])
    centre = np.array([25.0 * side, -0.6])
    layer.fill(frame(circle(centre, p["iris"])), tuple(iris))
    layer.fill(frame(circle(centre, 0.45 * p["iris"])), (14, 12, 12))
    layer.fill(frame(circle(centre + [1.6, -1.8], 1.2)), (250, 250, 250))
    cv2.copyTo(layer.picture, mask, canvas.picture)


def circle(centre: np.ndarray, radius: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return centre + radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def light_map(p: Person, view: View) -> np.ndarray:
    """Light of face, neck and surroundings on the relief grid, float32 [rows, columns]."""
    face, neck = relief_light(p, view)
    frame, grid = Frame(view), np.zeros(face.shape, np.uint8)
    Canvas(grid).fill(frame(neck_outline(p)), 255)
    light = np.ones_like(face)
    light += (neck - light) * (grid / np.float32(255))
    grid[:] = 0
    for outline in (head_outline(p), ear_outline(p), ear_outline(p) * MIRROR):
        Canvas(grid).fill(frame(outline), 255)
    return light + (face - light) * (grid / np.float32(255))


def _apply_light(picture: np.ndarray, canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    light = cv2.resize(light_map(p, view), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    light *= np.float32(view.exposure)
    lit = picture * light[:, :, None]
    np.clip(lit, 0, 255, out=lit)
    picture[:] = lit.astype(np.uint8)


def _fine_lines(canvas: Canvas, frame: Frame, p: Person, skin: np.ndarray) -> None:
    dark, soft = tuple(skin * 0.28), tuple(skin * 0.66)
    mouth = mouth_curves(p, 0.0)
    canvas.stroke(frame(mouth["line"]), 1.5, tuple(skin * [0.5, 0.3, 0.3]))
    nose = nose_curves(p)
    canvas.stroke(frame(nose["base"]), 1.3, soft)
    for side in (-1, 1):
        canvas.stroke(frame(nose["wing"] * [side, 1]), 1.5, soft)
        upper, lower = eye_outline(p, side)
        canvas.stroke(frame(upper), 2.6, dark, taper=0.5)
        canvas.stroke(frame(lower), 1.0, tuple(skin * 0.55))
        canvas.stroke(frame(lid_crease(p, side)), 1.2, tuple(skin * 0.62))


def hair_families(p: Person, count: int) -> np.ndarray:
    """Flow lines of the hair, [2 * count, 28, 2], each side from the outer to the inner edge."""
    blend = np.linspace(0.02, 0.98, count)[:, None, None]
    return np.concatenate([(1 - blend) * outer + blend * inner for outer, inner in hair_sides(p)])


def fringe_strands(p: Person, count: int) -> np.ndarray | None:
    """Flow lines of the fringe, [count, 8, 2], from the crown down, or None."""
    edge = fringe_outline(p)
    if edge is None:
        return None
    ends = resampled(edge, count)
    start = np.array([0.6 * p["parting"], -p["skull"] + 4]) + (ends - ends.mean(0)) * [0.55, 0.0]
    t = np.linspace(0, 1, 8)[None, :, None]
    bend = np.sin(np.pi * t) * (ends - start)[:, None] * [0.18, 0.0]
    return start[:, None] + t * (ends - start)[:, None] + bend


def _hair(canvas: Canvas, frame: Frame, p: Person, view: View) -> None:
    colour, random = hair_colour(p), np.random.default_rng(7)
    for outer, inner in hair_sides(p):
        canvas.fill(frame(np.vstack([outer, inner[::-1]])), tuple(colour * 0.8))
    flows = hair_families(p, 26)
    _strands(canvas, frame, flows, colour, random, view)
    fringe = fringe_strands(p, 40)
    if fringe is not None:
        canvas.fill(frame(np.vstack([fringe[:, 0], fringe[::-1, -1]])), tuple(colour * 0.8))
        _strands(canvas, frame, fringe, colour, random, view)


def _strands(canvas: Canvas, frame: Frame, flows: np.ndarray, colour, random: np.random.Generator, view: View) -> None:
    placed = frame(flows.reshape(-1, 2)).reshape(flows.shape)
    order = random.permutation(len(placed))
    for part, level in zip(np.array_split(order, 3), (0.62, 0.95, 1.15)):
        canvas.strands(placed[part], 1.1, tuple(np.clip(colour * level, 0, 255)))
    # A band of gloss where the crown turns to the light.
    bright = placed[:, 4:10] if flows.shape[1] > 10 else placed[:, 2:5]
    side = (placed[:, 0, 0].mean() - placed[:, -1, 0]) * view.light[0] < 0
    canvas.strands(bright[side], 1.1, tuple(np.clip(colour * 1.25 + 16, 0, 255)))
