"""Feature similarity of colour images (Zhang, Zhang, Mou, Zhang 2011, IEEE TIP 20(8), sec. III)."""

import numpy as np

from iacyclegan_tf.metrics.all_cores import on_all_cores
from iacyclegan_tf.metrics.fsim import (MINIMUM_SIDE, Similarity, defined, luminance_similarity,
                                        similarity_ratio, subsample, subsampling, weighted_mean)
from iacyclegan_tf.metrics.image_pairs import checked_pairs

RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
T3 = T4 = np.float32(200)
CHROMA_EXPONENT = 0.03


def fsimc(first: np.ndarray, second: np.ndarray) -> float | np.ndarray:
    """FSIMc of uint8 RGB images [H, W, 3] (a float) or [N, H, W, 3] (float64 [N]); 1 for equal images.

    Symmetric. Subsampling and errors are those of ``fsim``. Luminance is the Y of YIQ, not rounded to 8
    bits; grey images given as RGB have their FSIM. As in the published program a negative chroma product
    (opposite hues) is raised to 0.03 as a complex number, of which the real part counts.
    """
    pairs = checked_pairs(first, second, MINIMUM_SIDE, channels=3)
    return pairs.answer(defined(on_all_cores(_fsimc, pairs.first, pairs.second)))


def _fsimc(first: np.ndarray, second: np.ndarray) -> float:
    (luminance_1, *chroma_1), (luminance_2, *chroma_2) = _yiq(first), _yiq(second)
    similarity = luminance_similarity(luminance_1, luminance_2)
    in_phase, quadrature = (similarity_ratio(a, b, constant)
                            for a, b, constant in zip(chroma_1, chroma_2, (T3, T4)))
    powers = ((in_phase * quadrature).astype(np.complex128) ** CHROMA_EXPONENT).real
    return weighted_mean(Similarity(similarity.local * powers, similarity.weight))


def _yiq(image: np.ndarray) -> list[np.ndarray]:
    """Y, I, Q, subsampled, float32 [h, w] each."""
    factor = subsampling(*image.shape[:2])
    return [subsample(image @ weights, factor) for weights in RGB_TO_YIQ]
