"""SSIM against TensorFlow's and by hand, luminance against Pillow."""

import numpy as np
import pytest
from PIL import Image

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import luminance, ssim


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def smooth_images(count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / rng.uniform(3, 30) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(3, 30)) for _ in range(count)]
    return np.stack([np.rint(127.5 + 120 * w).astype(np.uint8) for w in waves])


@pytest.mark.parametrize("a, b", [(0, 0), (255, 0), (128, 128), (7, 200)])
def test_constant_images(a, b):
    first, second = np.full((20, 20), a, np.uint8), np.full((20, 20), b, np.uint8)
    luminance_term = (2 * a * b + 2.55**2) / (a * a + b * b + 2.55**2)
    assert ssim(first, second) == pytest.approx(luminance_term, abs=1e-9)


def test_is_one_for_equal_images_and_symmetric():
    a, b = random_images(2, 30, 40)
    assert ssim(a, a) == pytest.approx(1, abs=1e-12)
    assert ssim(a, b) == ssim(b, a) < 1


@pytest.mark.parametrize("height, width", [(60, 50), (11, 11)])
def test_agrees_with_tensorflow(height, width):
    tf = pytest.importorskip("tensorflow")
    a, b = smooth_images(4, height, width), smooth_images(4, height, width, seed=1)
    want = tf.image.ssim(a[..., None].astype(np.float32), b[..., None].astype(np.float32), 255).numpy()
    np.testing.assert_allclose(ssim(a, b), want, atol=2e-5)  # TensorFlow computes in float32


@pytest.mark.parametrize(
    "a, b, sentence",
    [
        (np.zeros((20, 20), np.float32), np.zeros((20, 20), np.uint8), "these are float32"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8), r"\[20, 20\] and \[20, 21\]"),
        (np.zeros((10, 20), np.uint8), np.zeros((10, 20), np.uint8), r"at least 11 pixels .* \[10, 20\]"),
        (np.zeros(20, np.uint8), np.zeros(20, np.uint8), r"uint8 \[20\]"),
        (np.zeros((0, 20, 20), np.uint8), np.zeros((0, 20, 20), np.uint8), r"uint8 \[0, 20, 20\]"),
        (np.zeros((1, 20, 20), np.uint8), np.zeros((20, 20), np.uint8), "equal shapes"),
        (np.zeros((2, 20, 20, 3), np.uint8), np.zeros((2, 20, 20, 3), np.uint8), r"\[H, W\] or \[N, H, W\]"),
    ],
)
def test_refuses(a, b, sentence):
    with pytest.raises(UserError, match=sentence):
        ssim(a, b)


def test_luminance_is_bit_equal_to_pillow():
    levels = np.arange(0, 256, 3, np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, len(levels), 3)
    np.testing.assert_array_equal(luminance(rgb), np.asarray(Image.fromarray(rgb).convert("L")))
    noise = random_images(2, 50, 60, 3)
    np.testing.assert_array_equal(luminance(noise)[1], np.asarray(Image.fromarray(noise[1]).convert("L")))
    assert luminance(noise).dtype == np.uint8
