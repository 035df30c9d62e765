"""Sharpening of generated images: the filter against SciPy, the amount against the measure that it has to meet."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import convolve1d, gaussian_filter

from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.metrics import luminance, sharpness
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.layers import sharpened
from iacyclegan_tf.training.calibrate_sharpening import MOST, calibrate_sharpening

H, W = 24, 20


@pytest.mark.parametrize("amount", [0.0, 0.7, 3.0])
def test_the_filter_is_scipys(amount):
    images = np.random.default_rng(0).uniform(-1, 1, [2, H, W, 3])
    smooth = images
    for axis in (1, 2):
        smooth = convolve1d(smooth, [0.25, 0.5, 0.25], axis=axis, mode="nearest")
    expected = np.clip(images + amount * (images - smooth), -1, 1)
    np.testing.assert_allclose(sharpened(tf.constant(images, tf.float32), amount), expected, atol=1e-5)


def test_flat_images_stay_flat():
    np.testing.assert_allclose(sharpened(tf.fill([1, H, W, 3], 0.3), 4.0), 0.3, atol=1e-6)


def test_a_generator_sharpens_outside_training_only():
    images = tf.constant(np.random.default_rng(1).uniform(-1, 1, [1, H, W, 3]), tf.float32)
    made, plain = Generator(4, 1, seed=2, sharpening=True), Generator(4, 1, seed=2)
    assert plain.sharpening is None and not any("sharpening" in v.name for v in plain.variables)
    np.testing.assert_array_equal(made(images), plain(images))  # the amount is 0 at first
    made.sharpening.assign(1.5)
    np.testing.assert_array_equal(made(images, training=True), plain(images))
    np.testing.assert_allclose(made(images), sharpened(plain(images), 1.5), atol=1e-6)
    assert all(v is not made.sharpening for v in made.trainable_variables)


class Blurred:
    """Stands in for a generator: what it is given, blurred by sigma pixels, and sharpened as a generator does."""

    def __init__(self, sigma: float):
        self.sigma, self.sharpening = sigma, tf.Variable(0.0)

    def __call__(self, images):
        blurred = gaussian_filter(np.asarray(images), (0, self.sigma, self.sigma, 0))
        return sharpened(tf.constant(blurred, tf.float32), self.sharpening)


def faces() -> tuple[np.ndarray, tuple[np.ndarray, ...], Fit]:
    """Images at the network's size, and themselves in their own."""
    random, fit = np.random.default_rng(3), Fit("squeeze", 32, 24)
    own = tuple(
        np.clip(gaussian_filter(random.normal(128, 250, [50, 40, 3]), (1.2, 1.2, 0)), 0, 255).astype(np.uint8)
        for _ in range(4)
    )
    return np.stack([fit.apply(image) for image in own]), own, fit


def measured(generator, images, truths, fit) -> float:
    outputs = np.round((generator(images.astype(np.float32) / 127.5 - 1).numpy() + 1) * 127.5)
    return float(
        np.mean(
            [
                sharpness(luminance(fit.undo(output, truth.shape[:2])), luminance(truth))
                for output, truth in zip(outputs, truths)
            ]
        )
    )


@pytest.mark.parametrize("target", [0.7, 0.9])
def test_the_amount_meets_the_target_at_the_images_own_size(target):
    images, truths, fit = faces()
    generator = Blurred(0.6)
    before_it = measured(generator, images, truths, fit)
    amount, before, after = calibrate_sharpening(generator, fit, images, truths, target)
    assert before == pytest.approx(before_it, abs=0.01) and before < target - 0.1
    assert after == pytest.approx(target, abs=0.02) and 0 < amount < MOST
    assert float(generator.sharpening) == pytest.approx(amount)
    assert measured(generator, images, truths, fit) == pytest.approx(target, abs=0.03)


def test_what_is_sharp_enough_stays_as_it_is():
    images, truths, fit = faces()
    generator = Blurred(0.0)
    amount, before, after = calibrate_sharpening(generator, fit, images, truths, 0.05)
    assert amount == 0 and before == after > 0.05 and float(generator.sharpening) == 0


def test_what_cannot_be_reached_ends_at_the_most():
    images, truths, fit = faces()
    generator = Blurred(6.0)
    amount, before, after = calibrate_sharpening(generator, fit, images, truths, 0.9)
    assert amount == MOST and before < after < 0.9


def test_an_earlier_amount_has_no_part_in_the_new_one():
    images, truths, fit = faces()
    fresh, used = Blurred(0.6), Blurred(0.6)
    used.sharpening.assign(2.0)
    assert calibrate_sharpening(fresh, fit, images, truths, 0.8) == calibrate_sharpening(used, fit, images, truths, 0.8)
