"""Where the lines of a face run: outlines in the units of a 200 x 250 portrait, and the relief under light.

Curves are float arrays [n, 2] of (x, y). Face coordinates have their origin between the eyes, y down.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from iacyclegan_tf.data.drawn_person import Person, View

RELIEF_SIZE = (100, 80)  # rows, columns of the grid on which light is computed (one sample per 2.5 units)
SUBPIXEL_BITS = 4        # OpenCV draws with fixed-point coordinates

# top and side volume, end below the eye line, flare of the ends, waviness, recession, fringe
HAIR = {
    "crop": (10, 5, 8, 0, 0.6, 0, False),
    "buzz": (4, 2.5, 6, 0, 0.2, 3, False),
    "parted": (15, 7, 12, 0, 0.5, 2, False),
    "receding": (4, 5, 14, 0, 0.5, 17, False),
    "fringe": (13, 8, 14, 0, 0.8, 0, True),
    "curly": (22, 19, 42, 2, 3.2, 0, False),
    "long": (12, 10, 135, 10, 0.8, 0, False),
    "wavy": (14, 14, 108, 14, 3.0, 0, False),
    "bob": (13, 13, 76, 6, 0.6, 0, True),
    "tied": (9, 3.5, 16, 0, 0.4, 3, False),
}


def rounded(points, closed: bool = False, rounds: int = 3) -> np.ndarray:
    """Chaikin's corner cutting: a smooth curve along a coarse polygon."""
    curve = np.asarray(points, np.float64)
    for _ in range(rounds):
        following = np.roll(curve, -1, axis=0) if closed else curve[1:]
        before = curve if closed else curve[:-1]
        cut = np.stack([0.75 * before + 0.25 * following, 0.25 * before + 0.75 * following], 1).reshape(-1, 2)
        curve = cut if closed else np.vstack([curve[:1], cut, curve[-1:]])
    return curve


def resampled(curve: np.ndarray, count: int) -> np.ndarray:
    """``count`` points at equal steps along the curve."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, curve[:, 0]), np.interp(at, along, curve[:, 1])], 1)


def mirrored(half) -> np.ndarray:
    """A closed outline from its right half, given from top to bottom."""
    half = np.asarray(half, np.float64)
    return np.vstack([half, half[::-1] * [-1, 1]])


def head_outline(p: Person) -> np.ndarray:
    w, chin, top, jaw = p["face_width"], p["chin_drop"], -p["skull"], p["face_width"] * p["jaw"]
    cheek = 1.4 * p["cheek"]
    half = [(0.30 * w, top), (0.78 * w, top + 12), (w, top + 45), (w + 1, -8), (w, 18), (0.97 * w + cheek, 38),
            (jaw, chin - 42 + 1.5 * p["cheek"]), (0.5 * (jaw + p["chin_width"]), chin - 17), (p["chin_width"], chin - 2),
            (0.4 * p["chin_width"], chin)]
    return rounded(mirrored(half), closed=True)


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


def lid_crease(p: Person, side: int) -> np.ndarray:
    upper, _ = eye_outline(p, side)
    return upper[2:] + [0, -max(p["lid_crease"], 1.0)]


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
    base = rounded([(-0.55 * w, y + 1), (-0.3 * w, y + 1 + tip), (0, y + 4 + tip), (0.3 * w, y + 1 + tip), (0.55 * w, y + 1)])
    nostril = rounded([(0.25 * w, y + 0.5), (0.45 * w, y - 2.2), (0.66 * w, y - 0.2), (0.45 * w, y + 1.6)], closed=True)
    side = rounded([(p["nose_bridge"] + 3, -12), (p["nose_bridge"], 4), (p["nose_bridge"] + 1, y * 0.5), (0.55 * w, y - 13)])
    return {"wing": wing, "base": base, "nostril": nostril, "side": side}


def mouth_curves(p: Person, open_mouth: float) -> dict[str, np.ndarray]:
    """Outlines of the lips and the line or gap between them."""
    w, y, curve = p["mouth_width"], p["mouth_drop"], 1.6 * p["mouth_curve"]
    up, low, gap = max(p["lip_upper"], 1.2), max(p["lip_lower"], 2.0), 5.0 * open_mouth
    left, right = (-w, y - curve), (w, y - curve)
    line = rounded([left, (-0.5 * w, y + 0.6), (0, y - 0.6), (0.5 * w, y + 0.6), right])
    under = rounded([left, (-0.5 * w, y + 0.6 + gap), (0, y + gap), (0.5 * w, y + 0.6 + gap), right])
    top = rounded([left, (-0.5 * w, y - 0.75 * up), (-0.2 * w, y - 1.25 * up), (0, y - 0.8 * up),
                   (0.2 * w, y - 1.25 * up), (0.5 * w, y - 0.75 * up), right])
    bottom = rounded([left, (-0.55 * w, y + gap + 0.85 * low), (0, y + gap + 1.2 * low), (0.55 * w, y + gap + 0.85 * low), right])
    return {"line": line, "under": under, "top": top, "bottom": bottom}


def hair_sides(p: Person) -> list[tuple[np.ndarray, np.ndarray]]:
    """For the right and the left half: outer and inner edge of the hair, 28 points each from parting to end."""
    top, side, end, flare, wave, recede, _ = HAIR[p.hair]
    w, crown, line = p["face_width"], -p["skull"] - top * p["hair_volume"], -p["forehead"] - recede
    side = side * p["hair_volume"]
    outer = [(0, crown), (0.5 * w, crown + 4), (0.86 * w + side, crown + 24), (w + side, crown + 58), (w + side + 1, -5)]
    inner = [(0, line), (0.45 * w, line + 1), (0.8 * w, line + 12), (0.88 * w, line + 28), (0.96 * w, -12)]
    if end > 50:
        outer += [(w + side + 0.4 * flare, 0.5 * end), (w + side + flare, end)]
        inner += [(0.97 * w, 25), (p["jaw"] * w, 62), (p["neck"] + 2, min(end, 90)), (p["neck"] + 6, end)]
    else:
        outer += [(w + 0.7 * side, end)]
        inner += [(w - 1, end - 2)]
    fade = np.linspace(1, 0, 28)[:, None] ** 2 * [[1.0, 0.0]]
    ripple = wave * np.sin(np.linspace(0, 30, 28))[:, None] * np.array([1.0, 0.4]) * np.linspace(0.4, 1, 28)[:, None]
    sides = []
    for sign in (1, -1):
        edge = resampled(rounded(outer), 28) * [sign, 1] + 0.6 * p["parting"] * fade + ripple * [sign, 1]
        window = resampled(rounded(inner), 28) * [sign, 1] + p["parting"] * fade
        sides.append((edge, window))
    return sides


def fringe_outline(p: Person) -> np.ndarray | None:
    """Lower edge of a fringe from left to right, or None for styles without one."""
    if not HAIR[p.hair][-1]:
        return None
    w, low = p["face_width"], -p["brow_height"] - 9
    x = np.linspace(-0.9, 0.9, 13)
    y = low - 5 * x ** 2 * np.sign(low) * -1 + 2.2 * np.sin(9 * x + p["parting"])
    return np.stack([x * w, y + 0.10 * p["parting"] * x], 1)


@dataclass(frozen=True)
class Frame:
    """Places face coordinates on the portrait: yaw moves what is near the middle, then a similarity."""

    view: View

    def __call__(self, curve: np.ndarray) -> np.ndarray:
        view = self.view
        depth = np.clip(1 - (curve[:, 0] / 64) ** 2, 0, 1) * np.clip(1 - ((curve[:, 1] - 12) / 105) ** 2, 0, 1)
        x = curve[:, 0] + view.yaw * (depth - 0.5)
        cos, sin = view.scale * np.cos(view.roll), view.scale * np.sin(view.roll)
        return np.stack([100 + view.shift[0] + cos * x - sin * curve[:, 1],
                         125 + view.shift[1] + sin * x + cos * curve[:, 1]], 1)

    def face_grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Face coordinates (x, y) of the relief grid, each float32 [rows, columns]; inverse of the placing."""
        view, (rows, columns) = self.view, RELIEF_SIZE
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * np.float32(2.5) + np.float32(1.25)
        x, y = x - 100 - view.shift[0], y - 125 - view.shift[1]
        cos, sin = np.cos(view.roll) / view.scale, np.sin(view.roll) / view.scale
        x, y = cos * x + sin * y, cos * y - sin * x
        depth = np.clip(1 - (x / 64) ** 2, 0, 1) * np.clip(1 - ((y - 12) / 105) ** 2, 0, 1)
        return (x - view.yaw * (depth - 0.5)).astype(np.float32), y.astype(np.float32)


def relief_light(p: Person, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Light on the skin, float32 [rows, columns]: on the face, and on the neck; 1 is fully lit.

    Lambert's law on a height field: an ellipsoid with bumps for nose, lips, cheeks, chin, hollows for eyes.
    """
    x, y = Frame(view).face_grid()
    w, chin, nose, mouth = p["face_width"], p["chin_drop"], p["nose_length"], p["mouth_drop"]

    def bump(cx, cy, sx, sy):
        return np.exp(-((x - cx) / sx) ** 2 - ((y - cy) / sy) ** 2)

    middle = 0.5 * (chin - p["skull"])
    inside = 1 - (x / (1.12 * w)) ** 2 - ((y - middle) / (0.56 * (chin + p["skull"]))) ** 2
    height = 62 * np.sqrt(np.maximum(inside, 0.02))
    height += 9 * np.exp(-(x / (p["nose_bridge"] + 2.5)) ** 2 - ((y - 0.55 * nose) / (0.55 * nose)) ** 2)
    height += 10 * bump(0, nose - 5 + p["nose_tip"], 9, 9) + 2.2 * bump(0, -p["brow_height"] + 2, 40, 9)
    height += 2.4 * bump(0, mouth - 3, 20, 6) + 2.6 * bump(0, mouth + 6, 17, 5) - 2.2 * bump(0, mouth + 14, 18, 5)
    height += 3.5 * bump(0, chin - 13, 8 + 0.6 * p["chin_width"], 10)
    for side in (-1, 1):
        height += 5 * bump(0.72 * side * p["nose_width"], nose - 3, 5, 6)
        height -= (4 + 4 * p["socket"]) * bump(22 * side, -3, 14, 10)
        height += 3.0 * bump(25 * side, 1, 11, 6)
        height += (3 + 1.6 * p["cheek"]) * bump(0.62 * side * w, 30, 16, 15)
        height -= (2 + 3 * np.clip(p["age"], 0, 1)) * bump(side * (p["mouth_width"] + 6), mouth - 8, 6, 14)
    slope_y, slope_x = np.gradient(height, np.float32(2.5))
    lx, ly, lz = view.light
    lambert = (lz - lx * slope_x - ly * slope_y) / np.sqrt(1 + slope_x ** 2 + slope_y ** 2)
    face = view.ambient + (1.12 - view.ambient) * np.clip(lambert, 0, 1)
    face -= 0.10 * (bump(-20, -5, 11, 8) + bump(20, -5, 11, 8)) * (0.6 + p["socket"])
    face -= 0.13 * bump(0, nose + 6, 11, 4) + 0.10 * bump(0, mouth + 15, 15, 4)
    neck = 0.86 + 0.25 * lx * x / 60 - 0.42 * bump(0, chin + 2, 1.1 * w, 20)
    return face.astype(np.float32), neck.astype(np.float32)


class Canvas:
    """Draws curves given in portrait units, anti-aliased, on a uint8 picture larger than the wanted one."""

    def __init__(self, picture: np.ndarray):
        self.picture = picture
        self.scale = np.array([picture.shape[1] / 200, picture.shape[0] / 250])

    def pixels(self, curve: np.ndarray) -> np.ndarray:
        return np.round((curve * self.scale - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32)

    def fill(self, curve: np.ndarray, colour) -> None:
        cv2.fillPoly(self.picture, [self.pixels(curve)], colour, cv2.LINE_AA, SUBPIXEL_BITS)

    def stroke(self, curve: np.ndarray, width: float, colour, taper: float = 0.8) -> None:
        """A line that thins towards its ends, as a polygon, so that widths below one pixel are possible."""
        along = np.gradient(curve, axis=0)
        across = along[:, ::-1] * [-1, 1] / (np.hypot(*along.T)[:, None] + 1e-9)
        thin = 1 - taper * np.abs(np.linspace(-1, 1, len(curve))) ** 2.5
        offset = 0.5 * width * thin[:, None] * across
        self.fill(np.vstack([curve + offset, (curve - offset)[::-1]]), colour)

    def strands(self, curves: np.ndarray, width: float, colour) -> None:
        """Many plain lines of one colour. ``curves``: [n, points, 2]."""
        thickness = max(1, int(round(width * self.scale[0])))
        cv2.polylines(self.picture, list(self.pixels(curves)), False, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
