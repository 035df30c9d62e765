"""FSIM and FSIMc against a plain loop over scales and orientations, and against the published program."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import fsim, fsimc
from iacyclegan_tf.metrics.fsim import subsample

SHARED = Path(__file__).parents[2] / "../shared"


def plain_phase_congruency(image):
    """Kovesi's phase congruency step by step, in double precision."""
    rows, cols = image.shape
    x = (np.arange(cols) - (cols - 1) / 2) / (cols - 1) if cols % 2 else (np.arange(cols) - cols / 2) / cols
    y = (np.arange(rows) - (rows - 1) / 2) / (rows - 1) if rows % 2 else (np.arange(rows) - rows / 2) / rows
    x, y = np.meshgrid(x, y)
    radius, theta = np.fft.ifftshift(np.sqrt(x**2 + y**2)), np.fft.ifftshift(np.arctan2(-y, x))
    low_pass = 1 / (1 + (radius / 0.45) ** 30)
    radius[0, 0] = 1
    spectrum = np.fft.fft2(image)
    energy_all, amplitude_all = 0, 0
    for orientation in range(4):
        angle = orientation * np.pi / 4
        ds = np.sin(theta) * np.cos(angle) - np.cos(theta) * np.sin(angle)
        dc = np.cos(theta) * np.cos(angle) + np.sin(theta) * np.sin(angle)
        spread = np.exp(-(np.arctan2(ds, dc) ** 2) / (2 * (np.pi / 4 / 1.2) ** 2))
        answers, kernels = [], []
        for scale in range(4):
            band = np.exp(-(np.log(radius * 6 * 2**scale) ** 2) / (2 * np.log(0.55) ** 2)) * low_pass
            band[0, 0] = 0
            kernels.append(np.fft.ifft2(band * spread).real * np.sqrt(rows * cols))
            answers.append(np.fft.ifft2(spectrum * band * spread))
            if scale == 0:
                filter_power = ((band * spread) ** 2).sum()
        even, odd = sum(a.real for a in answers), sum(a.imag for a in answers)
        length = np.sqrt(even**2 + odd**2) + 1e-4
        mean_even, mean_odd = even / length, odd / length
        energy = sum(
            a.real * mean_even + a.imag * mean_odd - abs(a.real * mean_odd - a.imag * mean_even) for a in answers
        )
        noise_power = np.median(abs(answers[0]) ** 2) / -np.log(0.5) / filter_power
        noise_energy = 2 * noise_power * sum((k**2).sum() for k in kernels)
        for i in range(4):
            for j in range(i + 1, 4):
                noise_energy += 4 * noise_power * (kernels[i] * kernels[j]).sum()
        tau = np.sqrt(noise_energy / 2)
        threshold = (tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7
        energy_all = energy_all + np.maximum(energy - threshold, 0)
        amplitude_all = amplitude_all + sum(abs(a) for a in answers)
    return energy_all / amplitude_all


def convolve_same(image, kernel):
    """MATLAB's conv2(image, kernel, 'same'), neighbor by neighbor."""
    n, m = kernel.shape
    full = np.zeros((image.shape[0] + n - 1, image.shape[1] + m - 1))
    for i in range(n):
        for j in range(m):
            full[i : i + image.shape[0], j : j + image.shape[1]] += kernel[i, j] * image
    return full[n // 2 : n // 2 + image.shape[0], m // 2 : m // 2 + image.shape[1]]


def plain_maps(first, second):
    """Local similarity and weight of two luminance images, already subsampled."""
    kernel = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    g1, g2 = (np.hypot(convolve_same(image, kernel), convolve_same(image, kernel.T)) for image in (first, second))
    p1, p2 = plain_phase_congruency(first), plain_phase_congruency(second)
    pc = (2 * p1 * p2 + 0.85) / (p1**2 + p2**2 + 0.85)
    gradient = (2 * g1 * g2 + 160) / (g1**2 + g2**2 + 160)
    return pc * gradient, np.maximum(p1, p2)


def plain_subsample(image):
    side = min(image.shape) / 256
    factor = max(1, int(np.floor(side + 0.5)))
    return convolve_same(image.astype(float), np.ones((factor, factor)) / factor**2)[::factor, ::factor]


def plain_fsim(first, second):
    local, weight = plain_maps(plain_subsample(first), plain_subsample(second))
    return (local * weight).sum() / weight.sum()


def plain_fsimc(first, second):
    yiq = []
    for image in (first, second):
        r, g, b = np.moveaxis(image.astype(float), -1, 0)
        yiq.append(
            [
                plain_subsample(channel)
                for channel in (
                    0.299 * r + 0.587 * g + 0.114 * b,
                    0.596 * r - 0.274 * g - 0.322 * b,
                    0.211 * r - 0.523 * g + 0.312 * b,
                )
            ]
        )
    (y1, i1, q1), (y2, i2, q2) = yiq
    local, weight = plain_maps(y1, y2)
    chroma = (2 * i1 * i2 + 200) / (i1**2 + i2**2 + 200) * (2 * q1 * q2 + 200) / (q1**2 + q2**2 + 200)
    assert (chroma < 0).any()  # else the complex power is not tried
    return (local * (chroma.astype(complex) ** 0.03).real * weight).sum() / weight.sum()


def drawn_pair(height, width, seed=0, channels=()):
    """Blobs and lines, and the same with other lines, blur-free noise on half of it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    images = []
    for _ in range(2):
        image = np.zeros((height, width, *channels))
        for _ in range(12):
            cy, cx, size = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(3, 25)
            inside = (y - cy) ** 2 + (x - cx) ** 2 < size**2
            image[inside] += rng.uniform(-120, 120, channels)
        image[:, : width // 2] += rng.normal(0, 8, image[:, : width // 2].shape)
        images.append(np.clip(np.rint(image + 128), 0, 255).astype(np.uint8))
    return images


# Even and odd sides; 384 and 480 are subsampled by 2 (384 / 256 = 1.5, rounded up), 640 by 3, 900 by 4.
@pytest.mark.parametrize(
    "height, width", [(250, 200), (63, 48), (75, 91), (12, 12), (600, 480), (384, 401), (640, 645), (901, 900)]
)
def test_agrees_with_the_plain_loop(height, width):
    first, second = drawn_pair(height, width)
    assert fsim(first, second) == pytest.approx(plain_fsim(first, second), abs=1e-6)


@pytest.mark.parametrize("height, width", [(64, 72), (480, 400)])
def test_color_agrees_with_the_plain_loop(height, width):
    first, second = drawn_pair(height, width, seed=3, channels=(3,))
    assert fsimc(first, second) == pytest.approx(plain_fsimc(first, second), abs=1e-6)


@pytest.mark.parametrize("side, factor", [(12, 1), (200, 1), (383, 1), (384, 2), (480, 2), (640, 3)])
def test_subsampling_rounds_halves_up(side, factor):
    assert subsample(np.zeros((side, side + 100))).shape == (-(-side // factor), -(-(side + 100) // factor))


def test_equal_images_symmetry_and_stacks():
    pairs = [drawn_pair(60, 50, seed) for seed in range(4)]
    first, second = np.stack([a for a, _ in pairs]), np.stack([b for _, b in pairs])
    assert fsim(first[0], first[0]) == pytest.approx(1, abs=1e-6)
    values = fsim(first, second)
    assert values.shape == (4,) and values.dtype == np.float64 and (values < 0.99).all()
    np.testing.assert_allclose(values, fsim(second, first), atol=1e-6)
    assert [fsim(a, b) for a, b in pairs] == values.tolist()


def test_gray_images_given_as_color_have_their_fsim():
    first, second = (np.repeat(image[..., None], 3, -1) for image in drawn_pair(60, 50))
    assert fsimc(first, second) == pytest.approx(fsim(first[..., 0], second[..., 0]), abs=1e-5)
    assert fsimc(first, first) == pytest.approx(1, abs=1e-6)


def test_one_constant_image_is_measured():
    image, _ = drawn_pair(60, 50)
    value = fsim(image, np.full_like(image, 77))
    congruency = plain_phase_congruency(image.astype(float))
    kernel = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    flat = np.full(image.shape, 77.0)
    g1, g2 = (
        np.hypot(convolve_same(i.astype(float), kernel), convolve_same(i.astype(float), kernel.T))
        for i in (image, flat)
    )
    local = 0.85 / (congruency**2 + 0.85) * (2 * g1 * g2 + 160) / (g1**2 + g2**2 + 160)
    assert value == pytest.approx((local * congruency).sum() / congruency.sum(), abs=1e-6)


@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_a_pair_of_constant_images_is_refused(level):
    good, _ = drawn_pair(37, 50)
    flat = np.full_like(good, level)
    with pytest.raises(UserError, match=r"pair 1 \(from 0\)"):
        fsim(np.stack([good, flat]), np.stack([good, 255 - flat]))
    with pytest.raises(UserError, match=r"pair 0 \(from 0\)"):
        fsimc(np.repeat(flat[..., None], 3, -1), np.repeat(flat[..., None], 3, -1))


@pytest.mark.parametrize(
    "measure, a, b, sentence",
    [
        (fsim, np.zeros((20, 11), np.uint8), np.zeros((20, 11), np.uint8), r"at least 12 pixels .* \[20, 11\]"),
        (fsimc, np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), r"\[H, W, 3\] or \[N, H, W, 3\]"),
        (fsimc, np.zeros((20, 20, 4), np.uint8), np.zeros((20, 20, 4), np.uint8), r"uint8 \[20, 20, 4\]"),
    ],
)
def test_refuses(measure, a, b, sentence):
    with pytest.raises(UserError, match=sentence):
        measure(a, b)


@pytest.mark.skipif(not (SHARED / "data/cufs-student/dev").is_dir(), reason="../shared/data is not here")
def test_agrees_with_the_published_program():
    with open(SHARED / "reference/fsim.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    dev = SHARED / "data/cufs-student/dev"
    photos, sketches = (
        np.stack([np.asarray(Image.open(dev / name.format(row["identity"])).convert("L")) for row in rows])
        for name in ("photos/{}.jpg", "sketches/{}-sz1.jpg")
    )
    want = np.array([float(row["fsim_photo_vs_sketch"]) for row in rows])
    assert len(want) == 48
    np.testing.assert_allclose(fsim(photos, sketches), want, atol=1e-6)
