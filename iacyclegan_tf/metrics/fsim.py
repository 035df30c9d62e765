"""Feature similarity of gray and color images (Zhang, Zhang, Mou, Zhang 2011, IEEE TIP 20(8), sec. III)."""

import numpy as np

from iacyclegan_tf.metrics.image_pairs import LUMINANCE, measure_pairs
from iacyclegan_tf.metrics.phase_congruency import phase_congruency

MINIMUM_SIDE = 12  # twice the shortest wave of the filters
T1 = np.float32(0.85)  # phase congruency
T2 = np.float32(160)  # gradient
T3 = T4 = np.float32(200)  # the two chroma channels
RGB_TO_YIQ = np.array([LUMINANCE, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
CHROMA_EXPONENT = 0.03
_UNDEFINED = "FSIM is not defined for pair {} (from 0): both images are constant and have no features."


def fsim(first: np.ndarray, second: np.ndarray) -> float | np.ndarray:
    """FSIM, in (0, 1], of uint8 gray images [H, W] (a float) or [N, H, W] (float64 [N]); symmetric.

    Images are subsampled by F = max(1, round(min(H, W) / 256)) after an FxF mean: 1 for 200x250, 2 for
    480x600. Computed in float32, on all cores. Raises UserError for another dtype, unequal shapes, a side
    under 12, or a pair of constant images, for which FSIM is 0 / 0.
    """
    return measure_pairs(_fsim, first, second, MINIMUM_SIDE, undefined=_UNDEFINED)


def fsimc(first: np.ndarray, second: np.ndarray) -> float | np.ndarray:
    """FSIMc of uint8 RGB images [H, W, 3] (a float) or [N, H, W, 3] (float64 [N]); 1 for equal images.

    Symmetric. Subsampling and errors are those of ``fsim``. Luminance is the Y of YIQ, not rounded to 8
    bits; gray images given as RGB have their FSIM. As in the published program a negative chroma product
    (opposite hues) is raised to 0.03 as a complex number, of which the real part counts.
    """
    return measure_pairs(_fsimc, first, second, MINIMUM_SIDE, channels=3, undefined=_UNDEFINED)


def _fsim(first: np.ndarray, second: np.ndarray) -> float:
    return _weighted_mean(*_luminance_similarity(subsample(first), subsample(second)))


def _fsimc(first: np.ndarray, second: np.ndarray) -> float:
    (luminance_1, *chroma_1), (luminance_2, *chroma_2) = (
        [subsample(image @ weights) for weights in RGB_TO_YIQ] for image in (first, second)
    )
    local, weight = _luminance_similarity(luminance_1, luminance_2)
    in_phase, quadrature = (_ratio(a, b, constant) for a, b, constant in zip(chroma_1, chroma_2, (T3, T4)))
    return _weighted_mean(local * ((in_phase * quadrature).astype(np.complex128) ** CHROMA_EXPONENT).real, weight)


def _luminance_similarity(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similarity S_PC * S_G and weight max(PC_1, PC_2) at each pixel of subsampled luminance, float32 [h, w] 0..255."""
    congruency_1, congruency_2 = phase_congruency(first), phase_congruency(second)
    features = _ratio(congruency_1, congruency_2, T1)
    gradients = _ratio(np.sqrt(scharr_energy(first)), np.sqrt(scharr_energy(second)), T2)
    return features * gradients, np.maximum(congruency_1, congruency_2)


def _ratio(first: np.ndarray, second: np.ndarray, constant: np.float32) -> np.ndarray:
    """(2 a b + T) / (a^2 + b^2 + T): 1 where both are equal."""
    return (2 * first * second + constant) / (first**2 + second**2 + constant)


def _weighted_mean(local: np.ndarray, weight: np.ndarray) -> float:
    """FSIM from its map; NaN where all weights are 0."""
    total = weight.sum(dtype=np.float64)
    return (local * weight).sum(dtype=np.float64) / total if total else np.nan


def subsample(image: np.ndarray) -> np.ndarray:
    """FxF mean (zero-padded), then every F-th pixel; real [H, W] to float32 [h, w].

    F = max(1, round(min(H, W) / 256)), halves rounded up as MATLAB does.
    """
    factor = max(1, int(min(image.shape) / 256 + 0.5))
    image = image.astype(np.float32)
    if factor == 1:
        return image
    from scipy.ndimage import uniform_filter

    # The window of an even size has no middle: MATLAB's conv2 'same' puts it one pixel further on than SciPy.
    means = uniform_filter(image, factor, mode="constant", origin=-1 if factor % 2 == 0 else 0)
    return np.ascontiguousarray(means[::factor, ::factor])


def scharr_energy(image: np.ndarray) -> np.ndarray:
    """Squared gradient magnitude of a real image [H, W], zero-padded at the border; [H, W] in the same dtype.

    The kernel [3 0 -3; 10 0 -10; 3 0 -3] / 16 and its transpose (Zhang 2011): a slope of one gray
    level a pixel gives a gradient of 2.
    """
    return _derivative(image, 0) ** 2 + _derivative(image, 1) ** 2


def _derivative(image: np.ndarray, axis: int) -> np.ndarray:
    from scipy.ndimage import correlate1d

    smooth = correlate1d(image, np.array([3, 10, 3]) / 16, axis=1 - axis, mode="constant")
    return correlate1d(smooth, [-1, 0, 1], axis=axis, mode="constant")
