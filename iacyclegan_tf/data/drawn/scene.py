"""A drawn face somewhere in a larger picture, as photos that people have show one; and grounds without a face."""

from __future__ import annotations

import math

import cv2
import numpy as np

from iacyclegan_tf.data.alignment.crop import low_passed
from iacyclegan_tf.data.drawn.canvas import Frame
from iacyclegan_tf.data.drawn.faces import draw_pair, view

GROUNDS = ("color", "noise", "stripes")
_CARD = 1000, 800  # pixels of the portrait that is put into the scene
_HEAD = 180  # of the portrait's 250 units: from the skull's top to the chin


def draw_ground(random: np.random.Generator, kind: str, height: int, width: int) -> np.ndarray:
    """uint8 ``[height, width, 3]`` of one of ``GROUNDS``."""
    if kind == "noise":
        return random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    colors = random.integers(0, 256, (2, 3)).astype(np.uint8)
    if kind == "color":
        return np.broadcast_to(colors[0], (height, width, 3)).copy()
    angle, period = random.uniform(0, math.pi), random.uniform(8, 80)
    y, x = np.mgrid[:height, :width]
    return colors[((x * math.cos(angle) + y * math.sin(angle)) // period % 2).astype(int)]


def draw_scene(
    identity: int, *, seed: int, share: float, degrees: float, ground: str, height: int = 1200, width: int = 1600
) -> tuple[np.ndarray, np.ndarray]:
    """A portrait on a ground, turned and at a random place.

    Args:
        share: height of the head as a share of the scene's, above 0 and at most 0.7.
        degrees: clockwise.

    Returns: uint8 ``[height, width, 3]``, and the eye centers ``[2, 2]``, (x, y), image-left first.
    """
    random = np.random.default_rng([seed, identity, 2])
    scene = draw_ground(random, ground, height, width)
    card, _ = draw_pair(identity, 0, seed=seed, height=_CARD[0], width=_CARD[1])
    scale, angle = share * height / _HEAD, math.radians(degrees)  # scale: from units of 200x250 to pixels
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    reach, size = np.abs(turn) @ [100, 125], np.array([width, height])
    center = random.uniform(np.minimum(reach, size / 2), np.maximum(size - reach, size / 2))
    unit = _CARD[0] / 250
    shift = center - turn @ [100, 125] + turn @ [0.5 / unit, 0.5 / unit] - 0.5
    matrix = np.column_stack([turn / unit, shift])
    put = cv2.warpAffine(
        low_passed(card, unit / scale), matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    cover = cv2.warpAffine(np.ones(_CARD, np.float32), matrix, (width, height))[..., None]
    eyes = Frame(view(identity, 0, seed=seed))(np.array([[-25.0, 0.0], [25.0, 0.0]]))
    scene = np.rint(scene * (1 - cover) + put * cover).astype(np.uint8)
    return scene, (eyes - [100, 125]) @ turn.T + center - 0.5
