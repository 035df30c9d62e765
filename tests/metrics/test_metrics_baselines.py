"""Sharpness, face crop, the HOG row, and the published figures of the real development people."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from skimage.feature import hog

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import (
    face_crop,
    hog_scores,
    margins,
    needed_impostor_pairs,
    rank_k,
    rank_of_match,
    sharpness,
    verification_rate,
)

DEV = Path(__file__).parents[2] / "../shared/data/cufs-student/dev"


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def plain_energy(image):
    kernel = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    return np.mean(convolve2d(image, kernel, "valid") ** 2 + convolve2d(image, kernel.T, "valid") ** 2)


def test_sharpness_agrees_with_scipy_convolution():
    synthesized, real = random_images(3, 30, 41), random_images(3, 30, 41, seed=1)
    synthesized[1] = 9
    want = [plain_energy(a.astype(float)) / plain_energy(b.astype(float)) for a, b in zip(synthesized, real)]
    np.testing.assert_allclose(sharpness(synthesized, real), want, rtol=1e-12)
    assert want[1] == 0
    assert sharpness(real[0], real[0]) == 1


def test_sharpness_of_a_slope_is_the_square_of_its_ratio():
    slope = np.tile(np.arange(20, dtype=np.uint8), (20, 1))
    assert sharpness(3 * slope, slope) == pytest.approx(9)
    assert sharpness(3 * slope, slope.T.copy()) == pytest.approx(9)


def test_blur_lowers_sharpness():
    real = random_images(40, 40)
    blurred = np.rint(gaussian_filter(real.astype(float), 1)).astype(np.uint8)
    assert sharpness(blurred, real) < 0.3


def test_sharpness_refuses():
    with pytest.raises(UserError, match=r"real image 1 \(from 0\) is constant"):
        sharpness(random_images(2, 9, 9), np.stack([random_images(9, 9), np.full((9, 9), 5, np.uint8)]))
    with pytest.raises(UserError, match="at least 3"):
        sharpness(random_images(2, 9), random_images(2, 9))


def test_face_crop():
    for image in (random_images(250, 200), random_images(250, 200, 3)):
        np.testing.assert_array_equal(face_crop(image), image[70:220, 40:160])
    half = random_images(125, 100)
    np.testing.assert_array_equal(face_crop(half), half[35:110, 20:80])
    with pytest.raises(UserError, match="float32"):
        face_crop(np.zeros((250, 200), np.float32))
    with pytest.raises(UserError, match="200x250; an image is 128x128"):
        face_crop(random_images(128, 128, 3))
    with pytest.raises(UserError, match=r"uint8 \[1, 2, 2, 250, 200\]"):
        face_crop(random_images(2, 2, 250, 200))


def test_hog_scores_agree_with_a_loop():
    probes, gallery = random_images(4, 40, 50), random_images(3, 40, 50, seed=1)
    features = [[hog(i, 9, (10, 10), (2, 2)) for i in images] for images in (probes, gallery)]
    centered = [[f - sum(side) / len(side) for f in side] for side in features]
    want = [[p @ g / np.sqrt((p @ p) * (g @ g)) for g in centered[1]] for p in centered[0]]
    np.testing.assert_allclose(hog_scores(probes, gallery), want, atol=1e-12)
    own = hog_scores(probes, probes)
    np.testing.assert_allclose(np.diag(own), 1)


def test_hog_scores_refuses():
    images = random_images(3, 40, 50)
    with pytest.raises(UserError, match=r"probes have no HOG features .* or a single one"):
        hog_scores(images[0], images)
    with pytest.raises(UserError, match="gallery images have no HOG features"):
        hog_scores(images, np.full_like(images, 200))
    with pytest.raises(UserError, match="gallery images have no HOG features"):
        hog_scores(images, np.repeat(images[:1], 3, axis=0))
    with pytest.raises(UserError, match="at least 20 pixels on each side"):
        hog_scores(images[:, :19], images[:, :19])


def test_import_is_light():
    code = (
        "import sys, iacyclegan_tf.metrics; "
        "print([m for m in ('scipy', 'skimage', 'sklearn', 'tensorflow', 'cv2') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.skipif(not DEV.is_dir(), reason="../shared/data/cufs-student/dev is not here")
@pytest.mark.parametrize(
    "crop, rate_1, rate_01, gap",
    [(np.asarray, 1, 0.917, 0.209), (face_crop, 0.979, 0.896, 0.155)],
    ids=["whole", "face"],
)
def test_hog_row_of_the_development_people(crop, rate_1, rate_01, gap):
    """The figures that the field's HOG baseline has on these 48 people, to their last printed digit."""
    people = sorted(path.stem for path in (DEV / "photos").glob("*.jpg"))
    photos, sketches = (
        np.stack([np.asarray(Image.open(DEV / name.format(person)).convert("L")) for person in people])
        for name in ("photos/{}.jpg", "sketches/{}-sz1.jpg")
    )
    arguments = (
        hog_scores(*(np.stack([crop(image) for image in side]) for side in (sketches, photos))),
        people,
        people,
    )
    assert len(people) == 48 and rank_k(rank_of_match(*arguments), 1) == 1
    assert verification_rate(*arguments, 0.01) == pytest.approx(rate_1, abs=5e-4)
    assert verification_rate(*arguments, 0.001) == pytest.approx(rate_01, abs=5e-4)
    assert needed_impostor_pairs(0.001) > 48 * 47  # so that the rate at 0.1 % is only indicative
    assert margins(*arguments).mean() == pytest.approx(gap, abs=5e-4)
