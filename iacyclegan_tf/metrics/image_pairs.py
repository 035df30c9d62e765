"""8-bit images before they are measured: their checks, luminance, the face crop, and pairs measured on all cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import numpy as np

from iacyclegan_tf.common.errors import UserError

LUMINANCE = (0.299, 0.587, 0.114)  # weights of R, G, B (ITU-R 601)
FACE_ROWS, FACE_COLUMNS = (70, 220), (40, 160)  # end excluded, at 200x250


def checked_stack(images: np.ndarray, what: str, minimum_side: int, channels: int = 0) -> np.ndarray:
    """uint8 images [H, W] or [N, H, W] as a stack [N, H, W]; ``channels`` other than 0 adds that last axis.

    Raises UserError for another dtype or shape, an empty stack, or a side shorter than ``minimum_side``.
    """
    images = np.asarray(images)
    stack = images[None] if images.ndim == 2 + bool(channels) else images
    rest = stack.shape[3:] == ((channels,) if channels else ())
    if images.dtype != np.uint8 or stack.ndim < 3 or not rest or not len(stack) or min(stack.shape[1:3]) < minimum_side:
        tail = f", {channels}" if channels else ""
        raise UserError(
            f"{what} must be uint8 images [H, W{tail}] or [N, H, W{tail}] of at least {minimum_side} pixels on each "
            f"side; these are {images.dtype} {list(images.shape)}."
        )
    return stack


def checked_pairs(
    first: np.ndarray, second: np.ndarray, minimum_side: int, channels: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Two equally shaped uint8 images or stacks as two stacks; raises UserError as ``checked_stack`` does."""
    stacks = tuple(
        checked_stack(images, what, minimum_side, channels)
        for images, what in ((first, "The first images"), (second, "The second images"))
    )
    if np.shape(first) != np.shape(second):
        raise UserError(
            f"The images of a pair must have equal shapes; these have {list(np.shape(first))} "
            f"and {list(np.shape(second))}."
        )
    return stacks


def measure_pairs(
    measure: Callable[[np.ndarray, np.ndarray], float],
    first: np.ndarray,
    second: np.ndarray,
    minimum_side: int,
    channels: int = 0,
    undefined: str = "",
) -> float | np.ndarray:
    """``measure(a, b)`` of one pair of images (a float), or of each pair of two stacks (float64 [N]).

    Runs in threads, since NumPy and SciPy release the interpreter lock. Raises UserError as ``checked_pairs`` does, and
    with the words ``undefined``, which name a pair by its number {}, where a measure is NaN.
    """
    stacks = checked_pairs(first, second, minimum_side, channels)
    with ThreadPoolExecutor(min(len(stacks[0]), cpu_count() or 1)) as threads:
        values = np.array(list(threads.map(measure, *stacks)), np.float64)
    if np.isnan(values).any():
        raise UserError(undefined.format(int(np.argmax(np.isnan(values)))))
    return values if np.ndim(first) == stacks[0].ndim else float(values[0])


def luminance(rgb: np.ndarray) -> np.ndarray:
    """uint8 RGB [..., 3] to uint8 gray [...].

    The weights of ITU-R 601 in 16-bit fixed point, L = (19595 R + 38470 G + 7471 B + 32768) >> 16, as in Pillow's
    ``Convert.c``; a float formula differs from it by one gray level here and there.
    """
    weights = np.rint(np.multiply(LUMINANCE, 2**16)).astype(np.uint32)
    return ((rgb @ weights + np.uint32(0x8000)) >> 16).astype(np.uint8)


def face_crop(image: np.ndarray) -> np.ndarray:
    """Columns 40-160 and rows 70-220 (end excluded) of an aligned uint8 image [H, W] or [H, W, 3] at 200x250; a view.

    At another size of these proportions the borders are scaled and rounded, halves to even: right only where the face
    is aligned alike (eye centers at 3/8 and 5/8 of the width, 1/2 of the height). Raises UserError for another dtype,
    shape or proportions, or a side under 10.
    """
    checked_stack(np.asarray(image)[None], "The images of a face crop", 10, channels=3 if np.ndim(image) == 3 else 0)
    height, width = np.shape(image)[:2]
    if abs(width - 0.8 * height) >= 1:
        raise UserError(f"The face-only crop needs faces aligned as 200x250; an image is {width}x{height}.")
    return image[face_part(height, width)]


def face_part(height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the face-only crop in an image of this size: those at 200x250, scaled and rounded."""
    return (
        slice(*(round(row * height / 250) for row in FACE_ROWS)),
        slice(*(round(column * width / 200) for column in FACE_COLUMNS)),
    )
