"""Views of faces: parts against SciPy's interpolation, chance from the seed alone."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import map_coordinates

from iacyclegan_tf.data.streams.face_views import FaceViews, sampled

H, W = 40, 32


def face(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, [H, W, 3], np.uint8)


def part(image: np.ndarray, crop: float) -> np.ndarray:
    """The box around (0.5, 0.5 + 0.2 (1 - crop)) of the sides, sampled at the centres of H x W pixels, in [-1, 1]."""
    top, left = (0.5 + 0.2 * (1 - crop) - crop / 2) * H, (0.5 - crop / 2) * W
    rows, columns = top + crop * (np.arange(H) + 0.5) - 0.5, left + crop * (np.arange(W) + 0.5) - 0.5
    grid = np.meshgrid(rows, columns, indexing="ij")
    return (
        np.stack([map_coordinates(image[..., c].astype(float), grid, order=1, mode="nearest") for c in range(3)], -1)
        / 127.5
        - 1
    )


@pytest.mark.parametrize("crop", [1.0, 0.8, 0.6, 0.3])
def test_the_central_part_is_scipys(crop):
    np.testing.assert_allclose(FaceViews(crop).central(tf.constant(face())), part(face(), crop), atol=1e-4)


def test_the_smallest_crop_of_the_field_lies_about_on_the_face_alone():
    """Columns 40-160 and rows 70-220 of 200x250 are 0.6 of the sides, with their centre at 0.58 of the height."""
    image = np.zeros([250, 200, 3], np.uint8)
    image[70:220, 40:160] = 255
    seen = FaceViews(0.6).central(tf.constant(image)).numpy()
    assert (seen > 0.99).mean() > 0.97


def test_without_settings_the_image_is_only_scaled_to_its_range():
    view = FaceViews()(tf.constant(face()), tf.constant([1, 2], tf.int64))
    np.testing.assert_allclose(view, face() / 127.5 - 1, atol=1e-5)


@pytest.mark.parametrize("settings", [{"crop": 0.6}, {"shift": 0.1}, {"light": 0.3}, {"flip": True}])
def test_a_view_follows_from_its_seed(settings):
    views, image = FaceViews(**settings), tf.constant(face())
    seeds = [tf.constant([7, g], tf.int64) for g in range(8)]
    seen = [views(image, seed).numpy() for seed in seeds]
    for view, seed in zip(seen, seeds):
        np.testing.assert_array_equal(view, views(image, seed))
        assert view.shape == (H, W, 3) and view.dtype == np.float32
    assert len({view.tobytes() for view in seen}) == (2 if "flip" in settings else 8)


def test_flipping_mirrors():
    seen = {
        FaceViews(flip=True)(tf.constant(face()), tf.constant([7, g], tf.int64)).numpy().tobytes() for g in range(8)
    }
    plain = FaceViews()(tf.constant(face()), tf.constant([0, 0], tf.int64)).numpy()
    assert seen == {plain.tobytes(), plain[:, ::-1].tobytes()}


def test_crops_are_between_the_smallest_and_the_whole():
    """In a ramp the distance of a view's first and last row is the share that it shows."""
    ramp = np.broadcast_to(np.linspace(0, 255, H)[:, None, None], [H, W, 3]).round().astype(np.uint8)
    shares = []
    for g in range(60):
        view = FaceViews(0.6)(tf.constant(ramp), tf.constant([3, g], tf.int64)).numpy()[:, W // 2, 0]
        shares.append((view[-1] - view[0]) / 2)
    assert 0.58 < min(shares) < 0.65 and 0.92 < max(shares) <= 1.0


def test_light_changes_contrast_and_brightness_and_fades_colors_as_far_as_it_may():
    image = face()
    plain = image / 127.5 - 1
    for g in range(20):
        view = FaceViews(light=0.2)(tf.constant(image), tf.constant([5, g], tf.int64)).numpy()
        gray, seen = plain.mean(-1), view.mean(-1)
        slope, level = np.polyfit(gray.ravel(), seen.ravel(), 1)
        assert 0.8 - 1e-4 <= slope <= 1.2 + 1e-4 and abs(level) <= 0.2 + 1e-4
        np.testing.assert_allclose(seen, slope * gray + level, atol=1e-4)  # gray stays a function of gray
        color = (view - seen[..., None]).std() / (plain - gray[..., None]).std()
        assert -1e-4 <= color <= 1.2 + 1e-4


def test_sampling_is_bilinear_as_scipys_and_goes_on_beyond_the_edges():
    image = face().astype(np.float32)
    places = np.random.default_rng(3).uniform(-6, 50, (17, 13, 2)).astype(np.float32)
    ours = sampled(tf.constant(image), tf.constant(places)).numpy()
    for channel in range(3):
        theirs = map_coordinates(image[..., channel], places.transpose(2, 0, 1), order=1, mode="nearest")
        np.testing.assert_allclose(ours[..., channel], theirs, atol=1e-2)
