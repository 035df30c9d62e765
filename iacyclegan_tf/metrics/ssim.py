"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004, IEEE TIP 13(4), eq. 13), as published."""

import numpy as np

from iacyclegan_tf.metrics.image_pairs import measure_pairs

SIGMA = 1.5
RADIUS = 5  # an 11x11 window
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ssim(first: np.ndarray, second: np.ndarray) -> float | np.ndarray:
    """Mean SSIM, at most 1, of uint8 gray images [H, W] (a float) or [N, H, W] (float64 [N]); symmetric.

    Gaussian window 11x11 with sigma 1.5, K1 0.01, K2 0.03, range 255, population covariance, averaged over
    the valid region (5 pixels less on each side). Raises UserError for another dtype, unequal shapes, or a
    side under 11.
    """
    return measure_pairs(_ssim, first, second, minimum_side=2 * RADIUS + 1)


def _ssim(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first.astype(np.float64), second.astype(np.float64)
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance = _window_mean(a * b) - product
    variances = _window_mean(a * a + b * b) - squares  # only the sum of both variances enters eq. 13
    score = (2 * product + C1) * (2 * covariance + C2) / ((squares + C1) * (variances + C2))
    return score.mean()


def _window_mean(image: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, SIGMA, radius=RADIUS)[RADIUS:-RADIUS, RADIUS:-RADIUS]
