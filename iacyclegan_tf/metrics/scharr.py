"""Scharr gradient: smoothing 3, 10, 3 across, central difference along; over 16."""

import numpy as np


def scharr_energy(image: np.ndarray) -> np.ndarray:
    """Squared gradient magnitude of a real image [H, W], zero-padded at the border; [H, W] in the same dtype.

    The kernel [3 0 -3; 10 0 -10; 3 0 -3] / 16 and its transpose (Zhang 2011): a slope of one grey
    level a pixel gives a gradient of 2.
    """
    return _derivative(image, 0) ** 2 + _derivative(image, 1) ** 2


def _derivative(image: np.ndarray, axis: int) -> np.ndarray:
    from scipy.ndimage import correlate1d

    smooth = correlate1d(image, np.array([3, 10, 3]) / 16, axis=1 - axis, mode="constant")
    return correlate1d(smooth, [-1, 0, 1], axis=axis, mode="constant")
