"""An image as a caller gives it, a path, bytes or pixels, as pixels."""

from __future__ import annotations

import os

import numpy as np

from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.data.images.files import decode_image, read_image

Image = str | os.PathLike | bytes | np.ndarray


def decoded(image: Image) -> tuple[np.ndarray, str]:
    """A path, an encoded image or pixels as uint8 ``[h, w, 3]`` RGB of any size; and a name for messages.

    Raises ``UserError`` for what is no image, and ``ValueError`` for pixels of another type or shape.
    """
    if isinstance(image, bytes):
        return decode_image(image, "the image"), "the image"
    if isinstance(image, (str, os.PathLike)):
        return read_image(user_path(image)), f"'{os.fspath(image)}'"
    return _checked(image), "the image"


def _checked(pixels) -> np.ndarray:
    gray = isinstance(pixels, np.ndarray) and pixels.ndim == 2
    color = isinstance(pixels, np.ndarray) and pixels.ndim == 3 and pixels.shape[2] == 3
    if not (gray or color) or pixels.dtype != np.uint8 or not pixels.size:
        what = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ValueError(f"an image is a path, bytes, or uint8 [h, w, 3] or [h, w], not {what}")
    return np.repeat(pixels[..., None], 3, axis=2) if gray else pixels
