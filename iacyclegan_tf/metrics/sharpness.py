"""Sharpness beside SSIM and FSIM, which can be bought with blur."""

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics.fsim import scharr_energy
from iacyclegan_tf.metrics.image_pairs import checked_pairs


def sharpness(synthesised: np.ndarray, real: np.ndarray) -> float | np.ndarray:
    """Mean Scharr gradient energy (squared magnitude) of the synthesised image over that of the real one.

    uint8 grey images [H, W] (a float from 0) or [N, H, W] (float64 [N], one ratio a pair); averaged over the
    valid region (1 pixel less on each side). 1 is as sharp as the real image; a result outside 0.8..1.2 is no
    improvement, whatever its SSIM. Raises UserError for another dtype, unequal shapes, a side under 3, or a
    real image without any gradient.
    """
    pairs = checked_pairs(synthesised, real, minimum_side=3)
    energies = [np.array([_mean_energy(image) for image in stack]) for stack in (pairs.first, pairs.second)]
    if not energies[1].all():
        raise UserError(
            f"Sharpness divides by the gradient energy of the real image, and real image "
            f"{int(np.argmin(energies[1]))} (from 0) is constant."
        )
    return pairs.answer(energies[0] / energies[1])


def _mean_energy(image: np.ndarray) -> float:
    return scharr_energy(image.astype(np.float64))[1:-1, 1:-1].mean()
