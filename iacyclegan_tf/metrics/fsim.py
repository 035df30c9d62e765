"""Feature similarity of grey images (Zhang, Zhang, Mou, Zhang 2011, IEEE TIP 20(8), sec. III)."""

from typing import NamedTuple

import numpy as np

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.metrics.all_cores import on_all_cores
from iacyclegan_tf.metrics.image_pairs import checked_pairs
from iacyclegan_tf.metrics.phase_congruency import phase_congruency
from iacyclegan_tf.metrics.scharr import scharr_energy

MINIMUM_SIDE = 12  # twice the shortest wave of the filters
T1 = np.float32(0.85)  # phase congruency
T2 = np.float32(160)  # gradient


class Similarity(NamedTuple):
    """Similarity of two luminance images at each pixel, and its weight; float32 [h, w] after subsampling."""

    local: np.ndarray  # S_PC * S_G
    weight: np.ndarray  # max(PC_1, PC_2)


def fsim(first: np.ndarray, second: np.ndarray) -> float | np.ndarray:
    """FSIM, in (0, 1], of uint8 grey images [H, W] (a float) or [N, H, W] (float64 [N]); symmetric.

    Images are subsampled by F = max(1, round(min(H, W) / 256)) after an FxF mean: 1 for 200x250, 2 for
    480x600. Computed in float32, on all cores. Raises UserError for another dtype, unequal shapes, a side
    under 12, or a pair of constant images, for which FSIM is 0 / 0.
    """
    pairs = checked_pairs(first, second, MINIMUM_SIDE)
    return pairs.answer(defined(on_all_cores(_fsim, pairs.first, pairs.second)))


def _fsim(first: np.ndarray, second: np.ndarray) -> float:
    factor = subsampling(*first.shape)
    return weighted_mean(luminance_similarity(subsample(first, factor), subsample(second, factor)))


def luminance_similarity(first: np.ndarray, second: np.ndarray) -> Similarity:
    """S_PC * S_G and its weight of subsampled luminance, float32 [h, w] 0..255."""
    congruency_1, congruency_2 = phase_congruency(first), phase_congruency(second)
    features = similarity_ratio(congruency_1, congruency_2, T1)
    gradients = similarity_ratio(np.sqrt(scharr_energy(first)), np.sqrt(scharr_energy(second)), T2)
    return Similarity(features * gradients, np.maximum(congruency_1, congruency_2))


def similarity_ratio(first: np.ndarray, second: np.ndarray, constant: np.float32) -> np.ndarray:
    """(2 a b + T) / (a^2 + b^2 + T): 1 where both are equal."""
    return (2 * first * second + constant) / (first ** 2 + second ** 2 + constant)


def weighted_mean(similarity: Similarity) -> float:
    """FSIM from its map: the mean of the local similarity by weight; NaN where all weights are 0."""
    total = similarity.weight.sum(dtype=np.float64)
    if total == 0:
        return np.nan
    return (similarity.local * similarity.weight).sum(dtype=np.float64) / total


def defined(values: np.ndarray) -> np.ndarray:
    """The values of all pairs, or UserError naming the first pair without any feature."""
    if np.isnan(values).any():
        raise UserError(f"FSIM is not defined for pair {int(np.argmax(np.isnan(values)))} (from 0): both "
                        "images are constant and have no features.")
    return values


def subsampling(height: int, width: int) -> int:
    """F = max(1, round(min(height, width) / 256)), halves rounded up as MATLAB does."""
    return max(1, int(min(height, width) / 256 + 0.5))


def subsample(image: np.ndarray, factor: int) -> np.ndarray:
    """FxF mean filter (zero-padded), then every F-th pixel; real [H, W] to float32 [h, w]."""
    image = image.astype(np.float32)
    if factor == 1:
        return image
    from scipy.ndimage import uniform_filter

    # The window of an even size has no middle: MATLAB's conv2 'same' puts it one pixel further on than SciPy.
    means = uniform_filter(image, factor, mode="constant", origin=-1 if factor % 2 == 0 else 0)
    return np.ascontiguousarray(means[::factor, ::factor])
