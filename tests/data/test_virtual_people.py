"""Virtual people: who is in a batch, which photos, and that one warp is given to all photos of a person alike."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import map_coordinates

from iacyclegan_tf.data.streams.virtual_people import Portrait, sampled, symmetric_field, virtual_people_stream

STILL = Portrait(flip=False)
RICH = Portrait(rotation=8, zoom=0.1, shift=0.05, warp=0.05)


def key(*numbers) -> tf.Tensor:
    return tf.constant(numbers, tf.int64)


def numbered(people: int, photos: int) -> tuple[np.ndarray, np.ndarray]:
    """Images that are 10 · person + photo all over, and labels; not in the order of people."""
    labels = np.tile(np.arange(people), photos)
    values = 10 * labels + np.repeat(np.arange(photos), people)
    return values.astype(np.uint8)[:, None, None, None] * np.ones([1, 8, 8, 3], np.uint8), labels


def batches(count: int, images, labels, portrait=STILL, start: int = 0, **size) -> list:
    size = {"people": 3, "variants": 2, "photos": 2, "seed": 4} | size
    stream = virtual_people_stream(images, labels, portrait=portrait, start_step=start, **size)
    return list(itertools.islice(stream.as_numpy_iterator(), count))


def picture(height: int = 24, width: int = 20, seed: int = 0) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([9 * rows, 10 * columns, np.random.default_rng(seed).integers(0, 255, (height, width))], -1).astype(
        np.uint8
    )


# ---------------------------------------------------------------- batches


def test_a_batch_holds_p_people_v_variants_k_photos():
    images, labels = numbered(people=5, photos=4)
    seen = set()
    for pictures, numbers in batches(20, images, labels):
        values = np.round((pictures[:, 0, 0, 0] + 1) * 127.5).astype(int)
        people = values // 10
        assert len(set(people)) == 3 and np.array_equal(people, numbers // 2)
        for label in set(numbers):
            assert (numbers == label).sum() == 2
            assert len(set(values[numbers == label])) == 2, "the photos of one person are different photos"
        assert set(numbers) == {2 * p + v for p in people for v in (0, 1)}
        seen |= set(values)
    assert seen == {10 * p + n for p in range(5) for n in range(4)}, "every photo gets its turn"


def test_fewer_people_or_photos_than_wanted():
    images, labels = numbered(people=2, photos=2)
    pictures, numbers = batches(1, images, labels, people=8, photos=4)[0]
    assert pictures.shape[0] == 2 * 2 * 4
    for label in set(numbers):
        values = np.round((pictures[numbers == label][:, 0, 0, 0] + 1) * 127.5).astype(int)
        assert sorted(values) == sorted(2 * [10 * (label // 2), 10 * (label // 2) + 1])


def test_a_later_start_gives_the_very_same_batches():
    images, labels = np.stack([picture(seed=s) for s in range(6)]), np.arange(6) % 3
    whole, later = batches(5, images, labels, RICH), batches(2, images, labels, RICH, start=3)
    for (a, la), (b, lb) in zip(whole[3:], later):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(la, lb)
    other = batches(1, images, labels, RICH, seed=5)[0][0]
    assert not np.array_equal(whole[0][0], other)
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_one_warp_for_all_photos_of_a_virtual_person_and_a_new_one_each_time():
    """All photos are one picture, so that only the warp can tell the results apart."""
    images, labels = np.stack([picture()] * 6), np.arange(6) % 3
    plain = picture() / 127.5 - 1.0
    warped = []
    for pictures, numbers in batches(3, images, labels, Portrait(warp=0.05, flip=False)):
        for label in set(numbers):
            one, two = pictures[numbers == label]
            np.testing.assert_array_equal(one, two)
            if label % 2 == 0:
                np.testing.assert_allclose(one, plain, atol=1e-6)
            else:
                warped.append(one)
    assert len(warped) == 9
    for a, b in itertools.combinations([plain, *warped], 2):
        assert np.abs(a - b).mean() > 0.01


# ---------------------------------------------------------------- views and warps


def test_sampling_is_bilinear_as_scipys():
    image, random = picture().astype(np.float32), np.random.default_rng(3)
    places = random.uniform(-6, 30, (17, 13, 2)).astype(np.float32)
    ours = sampled(tf.constant(image), tf.constant(places)).numpy()
    for channel in range(3):
        theirs = map_coordinates(image[..., channel], places.transpose(2, 0, 1), order=1, mode="nearest")
        np.testing.assert_allclose(ours[..., channel], theirs, atol=1e-2)


def test_fields_are_alike_in_both_halves_of_the_face():
    fields = np.stack([symmetric_field(key(7, n), 30, 26).numpy() for n in range(200)])
    np.testing.assert_allclose(fields[..., 0], fields[:, :, ::-1, 0], atol=1e-5)
    np.testing.assert_allclose(fields[..., 1], -fields[:, :, ::-1, 1], atol=1e-5)
    assert 0.6 < fields[..., 0].std() < 1.1 and abs(fields.mean()) < 0.1
    assert np.abs(np.diff(fields, axis=1)).max() < 1.0, "smooth"


def test_a_still_portrait_changes_nothing():
    view = STILL(tf.constant(picture()), key(1, 2), key(3, 4), tf.constant(False))
    np.testing.assert_allclose(view, picture() / 127.5 - 1.0, atol=1e-6)


@pytest.mark.parametrize(
    "portrait, largest", [(Portrait(rotation=8, flip=False), 8), (Portrait(rotation=30, flip=False), 30)]
)
def test_turns_stay_within_their_limit_and_go_both_ways(portrait, largest):
    """A ramp tells by its gradient how far it was turned."""
    _rows, columns = np.mgrid[:41, :41]
    ramp = np.repeat((3 * columns)[..., None], 3, -1).astype(np.uint8)
    angles = []
    for n in range(60):
        view = portrait(tf.constant(ramp), key(0, n), key(0, 0), tf.constant(False)).numpy()[15:26, 15:26, 0]
        down, right = (np.diff(view, axis=axis).mean() for axis in (0, 1))
        angles.append(np.degrees(np.arctan2(down, right)))
    assert np.abs(angles).max() <= largest + 0.01 and min(angles) < -0.6 * largest and max(angles) > 0.6 * largest


def test_zoom_and_shift_stay_within_their_limits():
    rows, columns = np.mgrid[:41, :41]
    ramp = np.stack([3 * columns, 3 * rows, 0 * rows], -1).astype(np.uint8)
    sizes, middles = [], []
    for n in range(60):
        zoomed = Portrait(zoom=0.2, flip=False)(tf.constant(ramp), key(0, n), key(0, 0), tf.constant(False)).numpy()
        sizes.append(np.diff(zoomed[20, 15:26, 0]).mean() * 127.5 / 3)
        shifted = Portrait(shift=0.1, flip=False)(tf.constant(ramp), key(0, n), key(0, 0), tf.constant(False)).numpy()
        middles.append((shifted[20, 20, :2] + 1) * 127.5 / 3 - 20)
    assert np.exp(-0.2) - 1e-3 <= min(sizes) < 0.9 and 1.1 < max(sizes) <= np.exp(0.2) + 1e-3
    assert (
        np.abs(middles).max() <= 4.1 + 1e-3 and (np.min(middles, 0) < -2.5).all() and (np.max(middles, 0) > 2.5).all()
    )


def test_half_of_all_views_are_mirrored():
    plain = picture() / 127.5 - 1.0
    mirrored = [
        bool(
            np.allclose(
                Portrait()(tf.constant(picture()), key(0, n), key(0, 0), tf.constant(False)), plain[:, ::-1], atol=1e-5
            )
        )
        for n in range(60)
    ]
    assert 15 < sum(mirrored) < 45
