"""Streams: order, augmentation and resumption as functions of (seed, step)."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.streams.augmentation import Augmentation
from iacyclegan_tf.data.streams.batches import Worker, identity_stream, paired_stream, shuffled

PLAIN = Augmentation()
RICH = Augmentation(enlarge=1.3, flip=True)


def numbered(count: int, height: int = 4, width: int = 4) -> np.ndarray:
    """uint8 images that are their index all over."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones([1, height, width, 3], np.uint8)


def noise(count: int, height: int = 8, width: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, [count, height, width, 3]).astype(np.uint8)


def take(stream: tf.data.Dataset, count: int) -> list:
    return list(itertools.islice(stream.as_numpy_iterator(), count))


def numbers(images: np.ndarray) -> np.ndarray:
    """Which of the ``numbered`` images these are."""
    return np.round((images[:, 0, 0, 0] + 1) * 127.5).astype(int)


def grid(height: int, width: int) -> np.ndarray:
    """Red counts columns, green counts rows: says where a crop lies and whether it is flipped."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([4 * columns, 4 * rows, 0 * rows], -1).astype(np.uint8)


# ---------------------------------------------------------------- augmentation


def test_without_augmentation_pixels_are_scaled_to_minus_1_and_1():
    image = noise(1)[0]
    result = PLAIN(tf.constant(image), tf.constant([1, 2], tf.int64))
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, image / 127.5 - 1, atol=1e-6)
    extremes = PLAIN(tf.constant([[[0, 255, 0]]], tf.uint8), tf.constant([1, 2], tf.int64))
    assert extremes.numpy().ravel().tolist() == [-1, 1, -1]


def test_augmented_images_keep_their_size_and_range():
    image = tf.constant(np.where(noise(1)[0] > 127, 255, 0).astype(np.uint8))
    for number in range(50):
        result = RICH(image, tf.constant([3, number], tf.int64)).numpy()
        assert result.shape == image.shape and result.min() >= -1 and result.max() <= 1


def test_flips_are_about_half_and_exact():
    image = noise(1)[0]
    mirrored = image[:, ::-1] / 127.5 - 1
    flips = 0
    for number in range(400):
        result = Augmentation(flip=True)(tf.constant(image), tf.constant([5, number], tf.int64)).numpy()
        is_flip = np.allclose(result, mirrored, atol=1e-6)
        assert is_flip or np.allclose(result, image / 127.5 - 1, atol=1e-6)
        flips += is_flip
    assert abs(flips - 200) < 4 * 10  # four standard deviations of 400 fair coins


def test_crops_are_windows_of_the_enlarged_image_and_reach_every_place():
    height, width = 20, 10
    image = tf.constant(grid(height, width))
    larger = tf.image.resize(tf.cast(image, tf.float32), [24, 12]).numpy() / 127.5 - 1
    windows = {(t, left): larger[t : t + height, left : left + width] for t in range(5) for left in range(3)}
    seen = set()
    for number in range(300):
        result = Augmentation(enlarge=1.2)(image, tf.constant([1, number], tf.int64)).numpy()
        found = [place for place, window in windows.items() if np.allclose(result, window, atol=1e-5)]
        assert len(found) == 1
        seen |= set(found)
    assert seen == set(windows)


# ---------------------------------------------------------------- order


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 100])
def test_shuffled_is_a_permutation_that_the_seed_decides(count):
    def order(seed):
        return tuple(int(shuffled(tf.constant(p, tf.int64), count, tf.constant(seed, tf.int64))) for p in range(count))

    orders = [order([3, epoch]) for epoch in range(4)]
    assert all(sorted(o) == list(range(count)) for o in orders)
    assert order([3, 0]) == orders[0]
    if count > 6:
        assert len(set(orders)) == 4 and order([4, 0]) != orders[0]
        assert tuple(range(count)) not in orders


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_each_epoch_is_a_permutation_and_pairs_stay_together(batch):
    count, epochs = 7, 3
    stream = paired_stream(numbered(count), numbered(count) + 100, batch=batch, seed=5, augmentation=PLAIN)
    photos, sketches = (np.concatenate(part) for part in zip(*take(stream, count * epochs)))
    order = numbers(photos)
    np.testing.assert_array_equal(order + 100, numbers(sketches))
    by_epoch = order[: count * epochs].reshape(epochs, count)
    assert all(sorted(epoch) == list(range(count)) for epoch in by_epoch)
    assert len({tuple(epoch) for epoch in by_epoch}) == epochs


def paired(start, batch=2, **more):
    photos, sketches = noise(5), noise(5, seed=1)
    return paired_stream(photos, sketches, batch=batch, seed=7, augmentation=RICH, start_step=start, **more)


def identities(start, batch=6, **more):
    sources = [(noise(6), np.array([0, 1, 2, 0, 1, 2])), (noise(4, seed=1), np.array([2, 1, 0, 0]))]
    return identity_stream(sources, people=2, images=batch // 2, seed=7, augmentation=RICH, start_step=start, **more)


@pytest.mark.parametrize(
    "stream",
    [paired, lambda start: paired(start, together=False), identities],
    ids=["paired", "paired apart", "identities"],
)
@pytest.mark.parametrize("start", [1, 4, 13])
def test_a_stream_started_later_goes_on_bit_for_bit(stream, start):
    for whole, resumed in zip(take(stream(0), start + 4)[start:], take(stream(start), 4), strict=True):
        for a, b in zip(whole, resumed, strict=True):
            np.testing.assert_array_equal(a, b)


def test_streams_of_other_seeds_differ():
    a, b = (paired_stream(noise(5), noise(5), batch=5, seed=s, augmentation=RICH) for s in (1, 2))
    assert np.abs(take(a, 1)[0][0] - take(b, 1)[0][0]).max() > 0


@pytest.mark.parametrize("together", [True, False])
def test_one_crop_and_flip_for_both_images_of_a_pair_only_if_together(together):
    pictures = np.repeat(grid(20, 20)[None], 3, 0)
    stream = paired_stream(pictures, pictures, batch=1, seed=2, augmentation=RICH, together=together)
    same = [np.array_equal(photo, sketch) for photo, sketch in take(stream, 60)]
    assert all(same) if together else sum(same) < 20


def test_an_image_is_augmented_anew_in_each_epoch():
    stream = paired_stream(noise(1), noise(1), batch=1, seed=2, augmentation=RICH)
    photos = [photo for photo, _ in take(stream, 12)]
    assert len({photo.tobytes() for photo in photos}) > 6


@pytest.mark.parametrize("stream", [paired, identities], ids=["paired", "identities"])
def test_workers_together_see_the_batches_of_one_and_no_sample_twice(stream):
    shares = [take(stream(3, worker=Worker(number, 2), batch=4), 4) for number in range(2)]
    for whole, *parts in zip(take(stream(3, batch=4), 4), *shares, strict=True):
        for one, *halves in zip(whole, *parts, strict=True):
            np.testing.assert_array_equal(one, np.concatenate(halves))


def test_a_batch_that_workers_cannot_share_is_refused():
    with pytest.raises(UserError, match=r"batch of 4 .* 3 workers"):
        paired(0, worker=Worker(1, 3), batch=4)


# ---------------------------------------------------------------- people × images


def people_and_sources(stream, batches: int):
    """Per batch: numbers of the images and labels."""
    return [(numbers(images), labels) for images, labels in take(stream, batches)]


def two_sources(per_person: int, people: int):
    """Real images are numbered from 0, synthesized ones from 100, in mixed order."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(people), per_person))
    count = len(labels)
    fake_order = rng.permutation(count)
    sources = [(numbered(count), labels), (numbered(count)[fake_order] + 100, labels[fake_order])]
    return sources, labels


def test_identity_stream_gives_p_people_with_k_images_each_from_the_sources_in_turn():
    sources, labels_of = two_sources(per_person=3, people=6)
    stream = identity_stream(sources, people=4, images=4, seed=1, augmentation=PLAIN)
    for images, labels in people_and_sources(stream, 20):
        assert len(set(labels)) == 4 and all((labels == person).sum() == 4 for person in labels)
        for person in set(labels):
            mine = images[labels == person]
            assert [n // 100 for n in mine] == [0, 1, 0, 1]  # real, synthesized, real, synthesized
            assert (labels_of[mine % 100] == person).all()
            assert len(set(mine)) == 4  # two different images from each source


def test_identity_stream_draws_all_people_and_all_images():
    sources, _ = two_sources(per_person=3, people=6)
    stream = identity_stream(sources, people=4, images=2, seed=1, augmentation=PLAIN)
    batches = people_and_sources(stream, 80)
    people = np.bincount(np.concatenate([sorted(set(labels)) for _, labels in batches]), minlength=6)
    assert (np.abs(people - 80 * 4 / 6) < 4 * np.sqrt(80 * (4 / 6) * (2 / 6))).all()
    assert set(np.concatenate([images for images, _ in batches])) == {*range(18), *range(100, 118)}


def test_more_people_asked_than_there_are_gives_all_of_them():
    sources, _ = two_sources(per_person=2, people=3)
    for images, labels in take(identity_stream(sources, people=16, images=4, seed=1, augmentation=PLAIN), 5):
        assert len(images) == 12 and sorted(set(labels)) == [0, 1, 2]


def test_a_person_with_fewer_images_than_asked_gives_each_before_any_again():
    labels = np.array([0, 1, 1, 1, 1])  # person 0 has one image, person 1 four
    stream = identity_stream([(numbered(5), labels)], people=2, images=4, seed=1, augmentation=PLAIN)
    for images, of in people_and_sources(stream, 10):
        assert images[of == 0].tolist() == [0] * 4 and sorted(images[of == 1]) == [1, 2, 3, 4]
    stream = identity_stream([(numbered(5), np.array([0, 0, 0, 1, 1]))], people=2, images=4, seed=1, augmentation=PLAIN)
    for images, of in people_and_sources(stream, 10):
        assert sorted(np.bincount(images[of == 0], minlength=3)) == [1, 1, 2]


def test_images_of_one_batch_are_augmented_apart():
    pictures = np.repeat(grid(20, 20)[None], 2, 0)
    stream = identity_stream([(pictures, np.array([0, 1]))], people=2, images=4, seed=1, augmentation=RICH)
    images, _ = take(stream, 1)[0]
    assert len({image.tobytes() for image in images}) > 3


def test_one_view_is_the_same_for_all_images_of_a_batch_and_another_in_the_next():
    """Equal pictures: in one view they stay equal, in views of their own they do not."""
    pictures = np.repeat(np.random.default_rng(0).integers(0, 256, [1, 20, 16, 3]).astype(np.uint8), 6, 0)
    labels = np.repeat(np.arange(3), 2)
    first, second = take(
        identity_stream([(pictures, labels)], people=3, images=2, seed=3, augmentation=RICH, one_view=True), 2
    )
    assert all(np.array_equal(image, first[0][0]) for image in first[0])
    assert not np.array_equal(first[0][0], second[0][0])
    ((own, _),) = take(identity_stream([(pictures, labels)], people=3, images=2, seed=3, augmentation=RICH), 1)
    assert any(not np.array_equal(image, own[0]) for image in own)
