"""Hair of a drawn face: its outline and the flow of its strands, in face coordinates."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from iacyclegan_tf.data.drawn.canvas import Canvas, Frame, resampled, rounded
from iacyclegan_tf.data.drawn.person import Person

STEPS = 28  # points along each edge, from the parting to the end of the hair


class Style(NamedTuple):
    """Lengths in units of the 200 x 250 portrait."""

    top: float  # volume above the skull
    side: float  # volume beside the head
    end: float  # lower end, below the eye line
    flare: float = 0  # how far long ends stand out
    wave: float = 0.5  # waviness of the outer edge
    recede: float = 0  # how far the hairline has gone back
    fringe: bool = False
    swept: bool = False  # strands run from the hairline back to the crown, not from the parting to the side


STYLES = {
    "crop": Style(10, 5, 8, swept=True),
    "buzz": Style(5, 2.5, 6, recede=3, wave=0.2, swept=True),
    "parted": Style(15, 7, 12, recede=2),
    "receding": Style(5, 5, 14, recede=14, swept=True),
    "fringe": Style(13, 8, 14, wave=0.8, fringe=True),
    "curly": Style(20, 17, 40, flare=2, wave=3.0, swept=True),
    "long": Style(12, 10, 135, flare=8, wave=0.8),
    "wavy": Style(14, 12, 110, flare=12, wave=2.6),
    "bob": Style(13, 13, 76, flare=4, fringe=True),
    "tied": Style(9, 3.5, 16, recede=3, wave=0.4, swept=True),
}


@lru_cache(maxsize=4)
def hair_sides(p: Person) -> list[tuple[np.ndarray, np.ndarray]]:
    """For the right and the left half: outer and inner edge, each [STEPS, 2], from parting to end."""
    style, w = STYLES[p.hair], p["face_width"]
    crown, side = -p["skull"] - style.top * p["hair_volume"], style.side * p["hair_volume"]
    line = -p["forehead"] - style.recede
    ends = (w + side, crown + 58), (w + side + 1, -5)
    outer = [(0, crown), (0.5 * w, crown + 4), (0.86 * w + side, crown + 24), *ends]
    inner = [(0, line), (0.45 * w, line + 1), (0.8 * w, line + 12), (0.88 * w, line + 28), (0.96 * w, -12)]
    if style.end > 50:
        outer += [(w + side + 0.4 * style.flare, 0.5 * style.end), (w + side + style.flare, style.end)]
        inner += [(0.97 * w, 25), (p["jaw"] * w, 62), (p["neck"] + 2, min(style.end, 90)), (p["neck"] + 6, style.end)]
    else:
        outer += [(w + 0.7 * side, style.end)]
        inner += [(w - 1, style.end - 2)]
    t = np.linspace(0, 1, STEPS)[:, None]
    fade = (1 - t) ** 2 * [[p["parting"], 0.0]]
    ripple = style.wave * np.sin(30 * t) * (0.4 + 0.6 * t) * [[1.0, 0.4]]
    edges = (resampled(rounded(outer), STEPS) + ripple, resampled(rounded(inner), STEPS))
    return [(edges[0] * [sign, 1] + 0.6 * fade, edges[1] * [sign, 1] + fade) for sign in (1, -1)]


def hair_outlines(p: Person) -> list[np.ndarray]:
    return [np.concatenate([outer, inner[::-1]]) for outer, inner in hair_sides(p)]


def back_hair(p: Person) -> np.ndarray | None:
    """What hangs behind the neck, or None for short hair."""
    if STYLES[p.hair].end <= 50:
        return None
    (right, _), (left, _) = hair_sides(p)
    return np.concatenate([right, left[::-1]])


def hair_flow(p: Person, count: int) -> np.ndarray:
    """Strands of both sides, [2 * count, points, 2]."""
    sides = hair_sides(p)
    if not STYLES[p.hair].swept:
        blend = np.linspace(0.02, 0.98, count)[:, None, None]
        return np.concatenate([(1 - blend) * outer + blend * inner for outer, inner in sides])
    t = np.linspace(0, 1, 10)[None, :, None]
    at = np.linspace(0, STEPS - 1, count).astype(int)
    # The ends lean back towards the crown, which bends every strand.
    back = np.maximum(at - 3, 0)
    strands = [
        inner[at][:, None] * (1 - t) + (outer[at][:, None] * (1 - t) + outer[back][:, None] * t) * t
        for outer, inner in sides
    ]
    curl = STYLES[p.hair].wave * np.sin(9 * t + 2.0 * np.arange(count)[:, None, None]) * [0.6, 0.3]
    return np.concatenate([side + curl for side in strands])


def fringe_flow(p: Person, count: int) -> np.ndarray | None:
    """Strands of the fringe, [count, 8, 2], from the crown down, or None for styles without one."""
    if not STYLES[p.hair].fringe:
        return None
    x = np.linspace(-0.93, 0.93, count)
    low = -p["brow_height"] - 9 + 5 * x**2 + 2.0 * np.sin(9 * x + p["parting"]) + 0.1 * p["parting"] * x
    ends = np.stack([x * p["face_width"], low], 1)
    start = np.array([0.6 * p["parting"], -p["skull"] + 4]) + ends * [0.55, 0.0]
    t = np.linspace(0, 1, 8)[None, :, None]
    return start[:, None] + (t + np.sin(np.pi * t) * [0.18, 0.0]) * (ends - start)[:, None]


def lay_strands(
    canvas: Canvas, placed: np.ndarray, levels: tuple[float, ...], shine: float, color_at: Callable
) -> None:
    """Draws strands in groups of brightness ``levels``; each brightens by ``shine`` on a band near the crown.

    ``color_at`` maps a brightness (1 = the hair's own tone) to what the canvas draws with.
    """
    points = placed.shape[1]
    # A fixed shuffle: neighbors differ in brightness, and every rendering shows the same head of hair.
    order = np.random.default_rng(7).permutation(len(placed))
    for group, (part, level) in enumerate(zip(np.array_split(order, len(levels)), levels)):
        for first in range(0, points - 1, 3):
            along = (first + 1.5) / points
            glow = shine * np.exp(-(((along - 0.34 - 0.08 * group) / 0.16) ** 2))
            canvas.strands(placed[part, first : first + 4], 1.1, color_at(level + glow))


def paint_hair(
    canvas: Canvas,
    frame: Frame,
    p: Person,
    counts: tuple[int, int],
    levels: tuple[float, ...],
    shine: float,
    ground,
    color_at,
) -> None:
    """Hair and fringe: filled with ``ground``, then ``counts`` strands over them, as ``lay_strands`` says."""
    for outline in hair_outlines(p):
        canvas.fill(frame(outline), ground)
    lay_strands(canvas, frame.flows(hair_flow(p, counts[0])), levels, shine, color_at)
    fringe = fringe_flow(p, counts[1])
    if fringe is not None:
        placed = frame.flows(fringe)
        canvas.fill(np.concatenate([placed[:, 0], placed[::-1, -1]]), ground)
        lay_strands(canvas, placed, levels, shine, color_at)
