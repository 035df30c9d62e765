"""A round's numbers against NumPy and scikit-image."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.load_faces import FacePairs, Faces
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.evaluation.image_quality import SSIM, means, trivial_measures
from iacyclegan_tf.evaluation.matching import WAYS, Matcher
from iacyclegan_tf.evaluation.recognition_rates import recognition
from iacyclegan_tf.evaluation.round_metrics import evaluate_round, protocol


def pictures(count: int, seed: int, height: int = 32, width: int = 24) -> np.ndarray:
    """Smooth noise: neighboring pixels are alike, as in faces."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=[count, height, width, 3])
    smooth = np.stack([gaussian_filter(n, (2, 2, 0)) for n in noise])
    return np.clip(128 + 300 * smooth, 0, 255).astype(np.uint8)


def pairs(people: int, seed: int, first: int = 0, size=(32, 24), native=None) -> FacePairs:
    photos, sketches = pictures(people, seed, *size), pictures(people, seed + 1, *size)
    names = tuple(f"person-{first + i:02d}" for i in range(people))
    if native is None:
        return FacePairs(photos, sketches, names, tuple(photos), tuple(sketches))
    return FacePairs(
        photos, sketches, names, tuple(pictures(people, seed + 2, *native)), tuple(pictures(people, seed + 3, *native))
    )


def faces(native=None) -> Faces:
    return Faces(
        pairs(4, 0),
        pairs(2, 10, first=4),
        pairs(5, 20, first=6, native=native),
        "test",
        Fit("squeeze", 32, 24),
        "0123abcd",
    )


def gray(image: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L"))


def reference_ssim(image, truth) -> float:
    """Wang et al. 2004's settings in scikit-image; the mean is over the valid region, as its crop does."""
    return structural_similarity(
        gray(image), gray(truth), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )


# ---------------------------------------------------------------- SSIM


@pytest.mark.parametrize("native", [None, (50, 40)])
def test_trivial_baselines(native):
    import cv2

    data = faces(native)
    ours, test = means(trivial_measures(data, measures=SSIM)), data.test
    mean_images = {
        side: np.round(np.concatenate([getattr(data.fitting, side), getattr(data.validation, side)]).mean(0))
        for side in ("photos", "sketches")
    }
    for direction, inputs, side in (
        ("photo_to_sketch", test.original_photos, "sketches"),
        ("sketch_to_photo", test.original_sketches, "photos"),
    ):
        truths = getattr(test, f"original_{side}")
        expected = np.mean([reference_ssim(i, t) for i, t in zip(inputs, truths)])
        assert ours[direction]["ssim"]["input"] == pytest.approx(expected, abs=1e-6)
        height, width = truths[0].shape[:2]
        mean = mean_images[side].astype(np.uint8)
        if native is not None:
            mean = cv2.resize(mean, (width, height), interpolation=cv2.INTER_CUBIC)
        expected = np.mean([reference_ssim(mean, t) for t in truths])
        # OpenCV's bicubic has another constant (−0.75 for −0.5), hence the room where it is used
        assert ours[direction]["ssim"]["mean_training_image"] == pytest.approx(
            expected, abs=1e-6 if native is None else 0.02
        )


# ---------------------------------------------------------------- a round


def linear(seed: int):
    weights = np.random.default_rng(seed).normal(size=[32 * 24 * 3, 5])
    return lambda images: np.stack([image.reshape(-1).astype(np.float64) for image in images]) @ weights


def test_evaluate_round_measures_each_direction_and_way():
    data = faces()
    embeds = [linear(seed) for seed in range(3)]
    matcher = Matcher(lambda images: [255 - i for i in images], lambda images: [i // 2 for i in images], *embeds)
    metrics = evaluate_round(3, Config(), data, matcher)
    photos, sketches = data.test.original_photos, data.test.original_sketches
    fake_sketches, fake_photos = [255 - p for p in photos], [s // 2 for s in sketches]
    assert metrics["round"] == 3 and tuple(metrics["retrieval"]) == WAYS
    assert metrics["photo_to_sketch"]["ssim"] == pytest.approx(
        np.mean([*map(reference_ssim, fake_sketches, sketches)]), abs=1e-6
    )
    assert metrics["sketch_to_photo"]["ssim"] == pytest.approx(
        np.mean([*map(reference_ssim, fake_photos, photos)]), abs=1e-6
    )
    matrices = {
        "none": embeds[0](sketches) @ embeds[0](photos).T,
        "photo": embeds[1](fake_photos) @ embeds[1](photos).T,
        "sketch": embeds[2](sketches) @ embeds[2](fake_sketches).T,
    }
    for way, scores in matrices.items():
        assert metrics["retrieval"][way] == recognition(scores, data.test.identities, data.test.identities)
    assert metrics["protocol"] == protocol(Config(), data)


def test_protocol_says_what_a_number_depends_on():
    said = protocol(Config(seed=5), faces(native=(50, 40)))
    assert (said["precision"], said["generator_ema"], said["seed"]) == ("float32", 0.99, 5)
    assert said["measured_at"] == ["40x50"] and said["network_size"] == "24x32" and said["fit"] == "squeeze"
    assert (said["test_pairs"], said["test_people"], said["test_split"], said["split_sha256"]) == (
        5,
        5,
        "test",
        "0123abcd",
    )
