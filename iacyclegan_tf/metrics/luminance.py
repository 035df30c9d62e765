"""8-bit luminance (ITU-R BT.601), bit equal to Pillow's ``convert('L')``."""

import numpy as np

from iacyclegan_tf.errors import UserError


def luminance(rgb: np.ndarray) -> np.ndarray:
    """uint8 RGB [..., 3] to uint8 grey [...].

    L = (19595 R + 38470 G + 7471 B + 32768) >> 16: 0.299, 0.587, 0.114 in 16-bit fixed point, rounded, as in
    Pillow's ``Convert.c``; a float formula differs from it by one grey level here and there.
    Raises UserError for another dtype or last axis.
    """
    rgb = np.asarray(rgb)
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise UserError(f"Luminance needs uint8 RGB images of shape [..., 3]; these are {rgb.dtype} "
                        f"of shape {list(rgb.shape)}.")
    weights = np.array([19595, 38470, 7471], np.uint32)
    return ((rgb @ weights + np.uint32(0x8000)) >> 16).astype(np.uint8)
