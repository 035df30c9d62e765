"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004, IEEE TIP 13(4), eq. 13), by scikit-image."""

import numpy as np

from iacyclegan_tf.metrics.image_pairs import measure_pairs

_PUBLISHED = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


def ssim(first: np.ndarray, second: np.ndarray) -> float | np.ndarray:
    """Mean SSIM, at most 1, of uint8 gray images [H, W] (a float) or [N, H, W] (float64 [N]); symmetric.

    Gaussian window 11x11 with sigma 1.5, K1 0.01, K2 0.03, range 255, population covariance, averaged over
    the valid region (5 pixels less on each side). Raises UserError for another dtype, unequal shapes, or a
    side under 11.
    """
    from skimage.metrics import structural_similarity

    return measure_pairs(lambda a, b: structural_similarity(a, b, **_PUBLISHED), first, second, minimum_side=11)
