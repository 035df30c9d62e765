"""The one check of grey images before anything is measured on them."""

from typing import NamedTuple

import numpy as np

from iacyclegan_tf.errors import UserError


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
        raise UserError(f"{what} must be 8-bit images (uint8, 0..255); these are {images.dtype}. "
                        "Convert floats with rint and clip first.")
    one = 2 + bool(channels)
    if images.ndim not in (one, one + 1) or (channels and images.shape[-1] != channels):
        raise UserError(f"{what} must have the shape [H, W{tail}] or [N, H, W{tail}]; "
                        f"these have {list(images.shape)}.")
    stack = images[None] if images.ndim == one else images
    if len(stack) == 0:
        raise UserError(f"{what} are an empty stack of shape {list(images.shape)}; "
                        "at least one image is needed.")
    if min(stack.shape[1:3]) < minimum_side:
        raise UserError(f"{what} are {stack.shape[2]}x{stack.shape[1]} pixels (width x height); "
                        f"this measure needs at least {minimum_side} on each side.")
    return stack


def checked_pairs(first: np.ndarray, second: np.ndarray, minimum_side: int, channels: int = 0) -> ImagePairs:
    """Two equally shaped uint8 images or stacks as ImagePairs; raises UserError as ``checked_stack`` does."""
    stacks = [checked_stack(images, what, minimum_side, channels)
              for images, what in ((first, "The first images"), (second, "The second images"))]
    if np.shape(first) != np.shape(second):
        raise UserError(f"The images of a pair must have equal shapes; these have {list(np.shape(first))} "
                        f"and {list(np.shape(second))}.")
    return ImagePairs(*stacks, single=stacks[0].ndim != np.ndim(first))
