"""Measures of synthesized images pair by pair, against scikit-image and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity
from test_evaluation import faces, gray, pairs, pictures

from iacyclegan_tf.evaluation.image_quality import MEASURES, image_measures, means, nlda_of_sketches, trivial_measures
from iacyclegan_tf.metrics import fsim, fsimc, luminance, sharpness


def silent(items, words, total):
    items = list(items)
    assert len(items) == total, words  # a bar that would not end at 100 %
    return items


def energy(image):
    kernel = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    return np.mean(convolve2d(image, kernel, "valid") ** 2 + convolve2d(image, kernel.T, "valid") ** 2)


@pytest.mark.parametrize("direction", MEASURES)
def test_every_pair_is_measured_on_luminance(direction):
    images, truths = pictures(3, 1), pictures(3, 2)
    ours = image_measures(images, truths, MEASURES[direction], silent)
    grays = [(gray(a).astype(float), gray(b).astype(float)) for a, b in zip(images, truths)]
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = [structural_similarity(a, b, **wang) for a, b in grays]
    np.testing.assert_allclose(ours["ssim"], expected, atol=1e-9)
    np.testing.assert_allclose(ours["sharpness"], [energy(a) / energy(b) for a, b in grays], rtol=1e-9)
    # FSIM itself is held against the reference program in test_metrics_fsim.py
    np.testing.assert_allclose(ours["fsim"], [fsim(luminance(a), luminance(b)) for a, b in zip(images, truths)])
    assert ("fsimc" in ours) == (direction == "sketch_to_photo")
    if "fsimc" in ours:
        np.testing.assert_allclose(ours["fsimc"], [fsimc(a, b) for a, b in zip(images, truths)])


def test_a_pair_of_unequal_sizes_is_measured_at_its_truths():
    (truth,) = pictures(1, 3, 48, 36)
    smooth = gaussian_filter(truth.astype(float), (2, 2, 0))
    double = np.clip(np.rint(np.repeat(np.repeat(smooth, 2, 0), 2, 1)), 0, 255).astype(np.uint8)
    same = image_measures([np.rint(smooth).astype(np.uint8)], [truth], ["ssim"])
    scaled = image_measures([double], [truth], ["ssim"])
    assert scaled["ssim"] == pytest.approx(same["ssim"], abs=0.02) and scaled["ssim"].shape == (1,)


def test_trivial_measures_are_those_of_each_test_pair():
    data = faces(native=(50, 40))
    ours, test = trivial_measures(data, silent), data.test
    for direction, inputs, truths in (
        ("photo_to_sketch", test.original_photos, test.original_sketches),
        ("sketch_to_photo", test.original_sketches, test.original_photos),
    ):
        assert set(ours[direction]) == set(MEASURES[direction])
        for name, measure in (("fsim", fsim), ("sharpness", sharpness)):
            expected = [measure(luminance(a), luminance(b)) for a, b in zip(inputs, truths)]
            assert ours[direction][name]["input"] == pytest.approx(expected)
            assert ours[direction][name]["mean_training_image"] != pytest.approx(expected)
    assert means(ours)["sketch_to_photo"]["sharpness"]["mean_training_image"] < 0.5  # a mean is blurred
    rows = np.array([1, 3])
    some = means(ours, rows)["photo_to_sketch"]["fsim"]["input"]
    assert some == pytest.approx(np.mean([ours["photo_to_sketch"]["fsim"]["input"][row] for row in rows]))


def nlda_of(test, fake_sketches) -> dict:
    return nlda_of_sketches(test.original_sketches, fake_sketches, test.identities, "cufs")


def test_nlda_of_the_test_sketches():
    test = pairs(12, 20, first=6)
    perfect = nlda_of(test, list(test.original_sketches))
    assert perfect["mean"] == 1 and len(perfect["maxima"]) == 20 and "optimistic" in perfect["protocol"]
    assert nlda_of(test, pictures(12, 77))["mean"] < 0.7


def of_several_sizes():
    one, two = pairs(6, 20, first=6), pairs(6, 30, first=6, native=(40, 30))
    return replace(one, original_sketches=(*one.original_sketches[:3], *two.original_sketches[3:]))


@pytest.mark.parametrize(
    "test, words",
    [
        (pairs(3, 20, first=6), "at least 2 training and 2 test people"),
        (of_several_sizes(), "several"),
        (replace(pairs(6, 20), identities=tuple("aabbcc")), "one pair a person"),
    ],
    ids=["few people", "sizes", "two pairs a person"],
)
def test_nlda_that_cannot_be_measured_says_why(test, words):
    assert words in nlda_of(test, list(test.original_sketches))["not_measured"]
