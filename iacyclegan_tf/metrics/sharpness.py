"""Sharpness beside SSIM and FSIM, which can be bought with blur."""

import numpy as np

from iacyclegan_tf.metrics.fsim import scharr_energy
from iacyclegan_tf.metrics.image_pairs import measure_pairs


def sharpness(synthesized: np.ndarray, real: np.ndarray) -> float | np.ndarray:
    """Mean Scharr gradient energy (squared magnitude) of the synthesized image over that of the real one.

    uint8 gray images [H, W] (a float from 0) or [N, H, W] (float64 [N], one ratio a pair); averaged over the
    valid region (1 pixel less on each side). 1 is as sharp as the real image; a result outside 0.8..1.2 is no
    improvement, whatever its SSIM. Raises UserError for another dtype, unequal shapes, a side under 3, or a
    real image without any gradient.
    """
    words = "Sharpness divides by the gradient energy of the real image, and real image {} (from 0) is constant."
    return measure_pairs(_ratio, synthesized, real, minimum_side=3, undefined=words)


def _ratio(synthesized: np.ndarray, real: np.ndarray) -> float:
    """NaN where the real image is constant."""
    energy = _mean_energy(real)
    return _mean_energy(synthesized) / energy if energy else np.nan


def _mean_energy(image: np.ndarray) -> float:
    return scharr_energy(image.astype(np.float64))[1:-1, 1:-1].mean()
