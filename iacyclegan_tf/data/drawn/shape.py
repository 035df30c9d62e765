"""Where the lines of a face run: outlines in face coordinates (see ``canvas.py``)."""

from functools import lru_cache

import numpy as np

from iacyclegan_tf.data.drawn.canvas import circle, mirrored, rounded
from iacyclegan_tf.data.drawn.person import Person


@lru_cache(maxsize=4)
def head_outline(p: Person) -> np.ndarray:
    w, chin, top, jaw = p["face_width"], p["chin_drop"], -p["skull"], p["face_width"] * p["jaw"]
    cheek, width = 1.4 * p["cheek"], p["chin_width"]
    x = (0.30 * w, 0.78 * w, w, w + 1, w, 0.97 * w + cheek, jaw, 0.5 * (jaw + width), width, 0.4 * width)
    y = (top, top + 12, top + 45, -8, 18, 38, chin - 42 + 1.5 * p["cheek"], chin - 17, chin - 2, chin)
    half = list(zip(x, y))
    return rounded(mirrored(half), closed=True)


@lru_cache(maxsize=8)
def eye_outline(p: Person, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower lid, both from the inner to the outer corner."""
    w, h = p["eye_width"], max(p["eye_open"], 2.0)
    upper = rounded([(-w, 1.5), (-0.6 * w, -0.8 * h), (0.0, -1.25 * h), (0.65 * w, -0.95 * h), (w, 0)])
    lower = rounded([(-w, 1.5), (-0.5 * w, 0.75 * h), (0.35 * w, 0.95 * h), (w, 0)])
    return _eye_frame(p, upper, side), _eye_frame(p, lower, side)


def _eye_frame(p: Person, curve: np.ndarray, side: int) -> np.ndarray:
    cos, sin = np.cos(p["eye_tilt"]), np.sin(p["eye_tilt"])
    turned = curve @ np.array([[cos, -sin], [sin, cos]])
    return turned * [side, 1] + [25 * side, 0]


def between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The closed outline of what lies between two curves that run the same way."""
    return np.concatenate([one, other[::-1]])


def iris_outline(p: Person, side: int, share: float) -> np.ndarray:
    """A circle of ``share`` of the iris, cut off by the lids."""
    upper, lower = eye_outline(p, side)
    ring = circle([25.0 * side, -0.6], share * p["iris"])
    order = slice(None, None, side)  # np.interp needs x to rise
    above, below = (np.interp(ring[:, 0], *lid[order].T) for lid in (upper, lower))
    ring[:, 1] = np.clip(ring[:, 1], above, below)
    return ring


def lid_crease(p: Person, side: int) -> np.ndarray:
    upper, _ = eye_outline(p, side)
    return upper[2:] + np.array([0, -max(p["lid_crease"], 1.0)])


def brow_outline(p: Person, side: int) -> np.ndarray:
    length, thick, arch = p["brow_length"], max(p["brow_thick"], 0.8), p["brow_arch"]
    x = np.linspace(-1, 1, 9)
    middle = np.stack([x * length, -p["brow_slope"] * x * length - arch * (1 - (x - 0.25) ** 2)], 1)
    taper = thick * np.array([0.75, 1.0, 1.08, 1.05, 1.0, 0.88, 0.7, 0.45, 0.1])
    ring = np.vstack([middle - np.stack([0 * x, taper], 1), (middle + np.stack([0 * x, taper], 1))[::-1]])
    return ring * [side, 1] + [26 * side, -p["brow_height"]]


def nose_curves(p: Person) -> dict[str, np.ndarray]:
    """Right wing, base line and nostril; the left ones are mirrored by the caller."""
    w, y, tip = p["nose_width"], p["nose_length"], p["nose_tip"]
    wing = rounded([(0.70 * w, y - 12), (1.02 * w, y - 6), (1.0 * w, y + 1), (0.72 * w, y + 2)])
    base = rounded(
        [(-0.55 * w, y + 1), (-0.3 * w, y + 1 + tip), (0, y + 4 + tip), (0.3 * w, y + 1 + tip), (0.55 * w, y + 1)]
    )
    nostril = rounded([(0.25 * w, y + 0.5), (0.45 * w, y - 2.2), (0.66 * w, y - 0.2), (0.45 * w, y + 1.6)], closed=True)
    bridge = p["nose_bridge"]
    side = rounded([(bridge + 3, -12), (bridge, 4), (bridge + 1, y * 0.5), (0.55 * w, y - 13)])
    return {"wing": wing, "base": base, "nostril": nostril, "side": side}


def mouth_curves(p: Person, open_mouth: float) -> dict[str, np.ndarray]:
    """The line between the lips, the lower edge of the mouth, and outlines of both lips and of the gap between them."""
    w, y, curve = p["mouth_width"], p["mouth_drop"], 1.6 * p["mouth_curve"]
    up, low, gap = max(p["lip_upper"], 1.2), max(p["lip_lower"], 2.0), 5.0 * open_mouth
    left, right = (-w, y - curve), (w, y - curve)
    line = rounded([left, (-0.5 * w, y + 0.6), (0, y - 0.6), (0.5 * w, y + 0.6), right])
    under = rounded([left, (-0.5 * w, y + 0.6 + gap), (0, y + gap), (0.5 * w, y + 0.6 + gap), right])
    upper = (y - curve, y - 0.75 * up, y - 1.25 * up, y - 0.8 * up, y - 1.25 * up, y - 0.75 * up, y - curve)
    top = rounded(list(zip((-w, -0.5 * w, -0.2 * w, 0, 0.2 * w, 0.5 * w, w), upper)))
    lower = (y - curve, y + gap + 0.85 * low, y + gap + 1.2 * low, y + gap + 0.85 * low, y - curve)
    bottom = rounded(list(zip((-w, -0.55 * w, 0, 0.55 * w, w), lower)))
    outlines = {"upper lip": between(top, line), "lower lip": between(under, bottom), "gap": between(line, under)}
    return {"line": line, "bottom": bottom, **outlines}


def neck_outline(p: Person) -> np.ndarray:
    n = p["neck"]
    return mirrored([(n, 40), (n, 96), (n + 6, 110), (n + 40, 122), (n + 40, 140)])


def ear_outline(p: Person) -> np.ndarray:
    w, tall = p["face_width"], p["ear"]
    x = (w - 4, w + 4, w + 8, w + 5, w + 1, w - 5)
    y = (-tall * 0.5, -tall * 0.8, -tall * 0.25, tall * 0.55, tall * 1.15, tall)
    return rounded(list(zip(x, y)), closed=True)


def clothes_curves(p: Person, collar: str) -> list[np.ndarray]:
    """Closed outlines of the garment, back to front."""
    n = p["neck"]
    depth = {"round": 112, "vee": 128, "shirt": 122}[collar]
    sag = rounded([(n + 4, 97), (0.6 * n, depth - 4), (0, depth)], rounds=2)
    body = np.vstack([sag[::-1], [(n + 30, 106), (n + 75, 118), (n + 90, 150)]])
    outlines = [mirrored(body)]
    if collar == "shirt":
        lapel = np.array([(n + 1, 92), (n + 14, 104), (0.45 * n, 131), (0, 120)])
        outlines += [lapel * [side, 1] for side in (-1, 1)]
    return outlines


def glasses_curves(p: Person) -> list[np.ndarray]:
    wide, tall = (17, 13.5) if p.glasses == "round" else (19, 11)
    power = 1.0 if p.glasses == "round" else 0.45
    angle = np.linspace(0, 2 * np.pi, 40)
    x, y = (np.sign(side) * np.abs(side) ** power for side in (np.cos(angle), np.sin(angle)))
    ring = np.stack([wide * x, 1.5 + tall * y], 1)
    bridge = rounded([(-26 + wide, -1), (0, -5), (26 - wide, -1)])
    temples = [np.array([(s * (26 + wide), -3.0), (s * (p["face_width"] - 1), -5.0)]) for s in (-1, 1)]
    return [ring - np.array([26, 0]), ring + np.array([26, 0]), bridge, *temples]


def age_curves(p: Person, smile: float) -> list[tuple[np.ndarray, float]]:
    """Lines of age and of a smile with their strength 0 .. 1."""
    nose, mouth, wide, age = p["nose_length"], p["mouth_drop"], p["mouth_width"], np.clip(p["age"], 0, 1)
    lines = []
    for side in (-1, 1):
        fold = rounded([(p["nose_width"] + 2, nose - 5), (wide + 3, mouth - 14), (wide + 7, mouth - 1)])
        bag = rounded([(14, 9), (24, 13), (36, 9)])
        crow = rounded([(41, 0), (46, -1), (51, 3)])
        strengths = (min(1.0, age + 0.3 * max(smile, 0)), age, age - 0.3)
        lines += [(curve * [side, 1], strength) for curve, strength in zip((fold, bag, crow), strengths)]
    for row in range(3):
        y = -p["brow_height"] - 12 - 7 * row
        lines.append((rounded([(-26 + 3 * row, y), (0, y - 3), (26 - 3 * row, y)]), age - 0.35))
    return [(curve, strength) for curve, strength in lines if strength > 0.12]


def beard_outlines(p: Person) -> list[np.ndarray]:
    """The beard on jaw and chin, except for a moustache alone, then the moustache."""
    w, mouth, wide = p["face_width"], p["mouth_drop"], p["mouth_width"]
    x = (0, 0.7 * wide, wide + 5, 0.5 * wide, 0)
    y = (p["nose_length"] + 9, mouth - 8, mouth + 2, mouth - 3, mouth - 3)
    moustache = mirrored(rounded(list(zip(x, y))))
    if p.beard == "moustache":
        return [moustache]
    head = head_outline(p)
    lower = head[(head[:, 1] > 18)]
    lower = lower[np.argsort(-np.arctan2(lower[:, 0], lower[:, 1]))]
    half = [(w - 9, 20), (w - 17, mouth - 12), (wide + 3, mouth - 3), (0.6 * wide, mouth + 13)]
    inner = rounded([*((-x, y) for x, y in half), *half[::-1]])
    return [np.vstack([lower, inner]), moustache]
