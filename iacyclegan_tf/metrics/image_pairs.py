"""The one check of grey images before anything is measured on them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import NamedTuple

import numpy as np

from iacyclegan_tf.common.errors import UserError


class ImagePairs(NamedTuple):
    """Two stacks of equal shape, and whether the caller gave one pair (then one number goes back)."""

    first: np.ndarray  # uint8 [N, H, W] ([N, H, W, 3] for colour)
    second: np.ndarray
    single: bool

    def answer(self, values: np.ndarray) -> float | np.ndarray:
        """One float for one pair, else the float64 array of N values."""
        return float(values[0]) if self.single else np.asarray(values, np.float64)


def checked_stack(images: np.ndarray, what: str, minimum_side: int, channels: int = 0) -> np.ndarray:
    """uint8 images [H, W] or [N, H, W] as a stack [N, H, W]; ``channels`` other than 0 adds that last axis.

    Raises UserError for another dtype or shape, an empty stack, or a side shorter than ``minimum_side``.
    """
    images = np.asarray(images)
    tail = f", {channels}" if channels else ""
    if images.dtype != np.uint8:
        raise UserError(
            f"{what} must be 8-bit images (uint8, 0..255); these are {images.dtype}. "
            "Convert floats with rint and clip first."
        )
    one = 2 + bool(channels)
    if images.ndim not in (one, one + 1) or (channels and images.shape[-1] != channels):
        raise UserError(f"{what} must have the shape [H, W{tail}] or [N, H, W{tail}]; these have {list(images.shape)}.")
    stack = images[None] if images.ndim == one else images
    if len(stack) == 0:
        raise UserError(f"{what} are an empty stack of shape {list(images.shape)}; at least one image is needed.")
    if min(stack.shape[1:3]) < minimum_side:
        raise UserError(
            f"{what} are {stack.shape[2]}x{stack.shape[1]} pixels (width x height); "
            f"this measure needs at least {minimum_side} on each side."
        )
    return stack


def checked_pairs(first: np.ndarray, second: np.ndarray, minimum_side: int, channels: int = 0) -> ImagePairs:
    """Two equally shaped uint8 images or stacks as ImagePairs; raises UserError as ``checked_stack`` does."""
    stacks = [
        checked_stack(images, what, minimum_side, channels)
        for images, what in ((first, "The first images"), (second, "The second images"))
    ]
    if np.shape(first) != np.shape(second):
        raise UserError(
            f"The images of a pair must have equal shapes; these have {list(np.shape(first))} "
            f"and {list(np.shape(second))}."
        )
    return ImagePairs(*stacks, single=stacks[0].ndim != np.ndim(first))


def luminance(rgb: np.ndarray) -> np.ndarray:
    """uint8 RGB [..., 3] to uint8 grey [...].

    L = (19595 R + 38470 G + 7471 B + 32768) >> 16: 0.299, 0.587, 0.114 in 16-bit fixed point, rounded, as in
    Pillow's ``Convert.c``; a float formula differs from it by one grey level here and there.
    Raises UserError for another dtype or last axis.
    """
    rgb = np.asarray(rgb)
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise UserError(
            f"Luminance needs uint8 RGB images of shape [..., 3]; these are {rgb.dtype} of shape {list(rgb.shape)}."
        )
    weights = np.array([19595, 38470, 7471], np.uint32)
    return ((rgb @ weights + np.uint32(0x8000)) >> 16).astype(np.uint8)


COLUMNS, WIDTH = (40, 160), 200
ROWS, HEIGHT = (70, 220), 250


def face_crop(images: np.ndarray) -> np.ndarray:
    """Columns 40-160 and rows 70-220 (end excluded) of aligned uint8 images [H, W] or [N, H, W] at 200x250.

    A view, [150, 120] or [N, 150, 120]. At another size the borders are scaled by width / 200 and height /
    250 and rounded, halves to even: right only where the face is aligned alike (eye centres at 3/8 and 5/8 of
    the width, 1/2 of the height) and the image was scaled to that size, not padded. Raises UserError for
    another dtype or shape, or a side under 10.
    """
    checked_stack(images, "The images of a face crop", minimum_side=10)
    height, width = np.shape(images)[-2:]
    top, bottom = (round(row * height / HEIGHT) for row in ROWS)
    left, right = (round(column * width / WIDTH) for column in COLUMNS)
    return np.asarray(images)[..., top:bottom, left:right]


def on_all_cores(
    measure: Callable[[np.ndarray, np.ndarray], float], first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """measure(a, b) of each pair, float64 [N]. Threads do: NumPy and SciPy release the interpreter lock."""
    with ThreadPoolExecutor(min(len(first), cpu_count() or 1)) as threads:
        return np.array(list(threads.map(measure, first, second)), np.float64)
