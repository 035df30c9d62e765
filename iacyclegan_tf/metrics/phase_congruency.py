"""Phase congruency (Kovesi 1999, "Image features from phase congruency") with the settings of FSIM.

FSIM (Zhang, Zhang, Mou, Zhang 2011, IEEE TIP 20(8), sec. II-A) takes 4 scales, 4 orientations, minimum
wavelength 6 pixels, factor 2, sigma_onf 0.55, angular spread 1.2, k 2, epsilon 1e-4, and a Butterworth low
pass of cut-off 0.45 and order 15. The noise threshold comes from the median of the smallest scale's squared
amplitude and is divided by 1.7. Filters and transforms are periodic, as in the published program.
"""

from functools import lru_cache

import numpy as np

SCALES = ORIENTATIONS = 4
SHORTEST_WAVE = 6.0
SCALE_FACTOR = 2.0
SIGMA_ONF = 0.55
SIGMA_ANGLE = np.pi / ORIENTATIONS / 1.2
NOISE_K = 2.0
NOISE_DIVISOR = 1.7
EPSILON = 1e-4
CUTOFF, ORDER = 0.45, 15


def phase_congruency(image: np.ndarray) -> np.ndarray:
    """Phase congruency, in [0, 1], of a gray image [H, W] of any real dtype and 0..255; float32 [H, W].

    It is 0 where no filter answers at all (a constant image), where the published program divides 0 by 0.
    """
    from scipy.fft import fft2, ifft2

    # No filter passes the mean: without it float32 loses nothing to it, and a constant image is exactly 0.
    spectrum = fft2((image - np.mean(image, dtype=np.float64)).astype(np.float32))
    energy = np.zeros(image.shape, np.float32)
    amplitude = np.zeros(image.shape, np.float32)
    for filters, noise in zip(*filter_bank(*image.shape)):
        answers = ifft2(spectrum * filters, overwrite_x=True)
        amplitudes = np.abs(answers)
        threshold = noise * np.sqrt(np.median(amplitudes[0] ** 2))
        energy += np.maximum(_energy(answers) - np.float32(threshold), 0)
        amplitude += amplitudes.sum(axis=0)
    return np.divide(energy, amplitude, out=np.zeros_like(energy), where=amplitude > 0)


def _energy(answers: np.ndarray) -> np.ndarray:
    """Sum over scales of A_n (cos(phase deviation) - |sin(phase deviation)|), before noise is taken off."""
    total = answers.sum(axis=0)
    length = np.abs(total)
    mean_phase = total / (length + np.float32(EPSILON))
    return length * np.abs(mean_phase) - np.abs((answers * mean_phase.conj()).imag).sum(axis=0)


@lru_cache(maxsize=4)
def filter_bank(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The log-Gabor filters of one image size and their noise factors.

    Filters: float32 [orientations, scales, H, W], zero frequency at [0, 0]. Noise: float64 [orientations], the
    threshold for a median squared amplitude of 1.
    """
    # Radius (cycles a pixel) and angle of each frequency; odd sides are over one less, as published.
    rows, columns = (np.fft.ifftshift((np.arange(n) - n // 2) / (n - n % 2)) for n in (height, width))
    radius, angle = np.hypot(rows[:, None], columns), np.arctan2(-rows[:, None], columns)
    low_pass = 1 / (1 + (radius / CUTOFF) ** (2 * ORDER))
    radius[0, 0] = 1  # any number above 0: the filters are set to 0 there
    waves = SHORTEST_WAVE * SCALE_FACTOR ** np.arange(SCALES)
    radial = [_log_gabor(radius, wave) * low_pass for wave in waves]
    filters = np.stack(
        [[band * _spread(angle, number * np.pi / ORIENTATIONS) for band in radial] for number in range(ORIENTATIONS)]
    )
    filters[..., 0, 0] = 0
    return filters.astype(np.float32), np.array([_noise_factor(bands) for bands in filters])


def _log_gabor(radius: np.ndarray, wavelength: float) -> np.ndarray:
    return np.exp(-(np.log(radius * wavelength) ** 2) / (2 * np.log(SIGMA_ONF) ** 2))


def _spread(angle: np.ndarray, direction: float) -> np.ndarray:
    difference = np.abs(np.angle(np.exp(1j * (angle - direction))))
    return np.exp(-(difference**2) / (2 * SIGMA_ANGLE**2))


def _noise_factor(bands: np.ndarray) -> float:
    """Noise threshold of one orientation, for a median squared amplitude of 1 at the smallest scale.

    The amplitude of noise is Rayleigh distributed: its mean square is median / -ln 0.5, and the threshold is
    mean + k sigma of the noise energy, whose square sums over all pairs of filters (Kovesi 1999).
    """
    power = (1 / -np.log(0.5)) / (bands[0] ** 2).sum()
    kernels = np.fft.ifft2(bands).real * np.sqrt(bands[0].size)
    squares = (kernels**2).sum()
    products = ((kernels.sum(axis=0) ** 2).sum() - squares) / 2  # over all pairs of two scales
    tau = np.sqrt(power * (squares + 2 * products))
    return tau * (np.sqrt(np.pi / 2) + NOISE_K * np.sqrt(2 - np.pi / 2)) / NOISE_DIVISOR
