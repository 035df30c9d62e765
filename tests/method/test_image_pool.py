"""The history of generated images against a plain Python model of the public CycleGAN's pool."""

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.method.image_pool import ImagePool

SHAPE = (2, 3, 3)


class PlainPool:
    """util/image_pool.py of the public CycleGAN, its ``random`` calls replaced by draws that are handed in."""

    def __init__(self, size: int):
        self.size, self.images = size, []

    def query(self, image, swap: bool, place: int):
        if self.size == 0:
            return image
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if swap:
            old, self.images[place] = self.images[place], image
            return old
        return image


def draws(seed: int, step: int, batch: int, capacity: int):
    """The documented draws, functions of (seed, step), recomputed here."""
    key = tf.constant([seed, step], tf.int64)
    swap = tf.random.stateless_uniform([batch], key) < 0.5
    return swap.numpy(), tf.random.stateless_uniform([batch], key + [1_000_003, 0], 0, capacity, tf.int32).numpy()


def batch_of(numbers) -> tf.Tensor:
    """Images that are their number all over."""
    return tf.ones([len(numbers), *SHAPE]) * tf.reshape(tf.constant(numbers, tf.float32), [-1, 1, 1, 1])


def play(pool: ImagePool, batch: int, steps: range) -> list[list[int]]:
    """Numbers of the images that come back; every pixel must agree."""
    query, answers = tf.function(pool.query), []
    for step in steps:
        images = query(batch_of(range(step * batch, (step + 1) * batch)), tf.constant(step, tf.int64)).numpy()
        assert (images == images[:, :1, :1, :1]).all()
        answers.append([int(n) for n in images[:, 0, 0, 0]])
    return answers


@pytest.mark.parametrize("capacity, batch", [(1, 1), (3, 1), (5, 2), (4, 3), (2, 5), (50, 1)])
def test_equals_the_public_pool_under_the_same_draws(capacity, batch):
    pool, plain, expected = ImagePool(capacity, SHAPE, seed=9), PlainPool(capacity), []
    for step in range(80):
        swaps, places = draws(9, step, batch, capacity)
        expected.append([plain.query(step * batch + i, swaps[i], places[i]) for i in range(batch)])
    assert play(pool, batch, range(80)) == expected
    assert [int(n) for n in pool.images[0, :, 0, 0, 0].numpy()] == plain.images
    assert pool.stored.numpy().tolist() == [capacity]


def test_first_images_come_back_as_they_are_and_later_ones_are_themselves_or_from_the_past():
    answers = [a for (a,) in play(ImagePool(10, SHAPE, seed=1), 1, range(200))]
    assert answers[:10] == list(range(10))
    assert all(answer <= step for step, answer in enumerate(answers))
    fresh = [step for step, answer in enumerate(answers) if answer == step]
    past = [answer for step, answer in enumerate(answers) if answer != step]
    assert len(set(past)) == len(past)  # an image that came out of the pool has left it
    assert not set(past) & set(fresh[10:])  # and one that was passed through never was in it


def test_about_half_of_the_images_are_swapped_and_all_places_alike():
    capacity, steps = 4, 1600
    pool = ImagePool(capacity, (1, 1, 1), seed=3)
    query = tf.function(pool.query)
    swapped, before = np.zeros(capacity), None
    for step in range(steps):
        answer = query(tf.fill([1, 1, 1, 1], float(step)), tf.constant(step, tf.int64)).numpy().item()
        now = pool.images.numpy().ravel()
        if answer != step:
            swapped[np.flatnonzero(now != before)] += 1
        before = now
    tries = steps - capacity
    assert abs(swapped.sum() / tries - 0.5) < 4 * 0.5 / np.sqrt(tries)  # four standard errors
    assert (np.abs(swapped - tries / 8) < 4 * np.sqrt(tries / 8)).all()


def test_images_of_one_batch_are_drawn_apart():
    swaps = np.array([draws(0, step, 2, 5)[0] for step in range(400)])
    assert 0.35 < (swaps[:, 0] != swaps[:, 1]).mean() < 0.65


def test_capacity_0_passes_images_through():
    pool = ImagePool(0, SHAPE)
    assert play(pool, 2, range(5)) == [[2 * s, 2 * s + 1] for s in range(5)]


def test_equal_seeds_repeat_and_other_seeds_do_not():
    def answers(seed):
        return play(ImagePool(3, SHAPE, seed=seed), 1, range(60))

    assert answers(4) == answers(4) != answers(5)


def test_eager_and_graph_agree():
    pool = ImagePool(3, SHAPE, seed=4)
    eager = [int(pool.query(batch_of([s]), tf.constant(s, tf.int64)).numpy().flat[0]) for s in range(40)]
    assert [[e] for e in eager] == play(ImagePool(3, SHAPE, seed=4), 1, range(40))


def test_saved_and_restored_pool_goes_on_as_the_unbroken_one(tmp_path):
    whole = play(ImagePool(3, SHAPE, seed=4), 2, range(40))
    first = ImagePool(3, SHAPE, seed=4)
    play(first, 2, range(17))
    path = tf.train.Checkpoint(pool=first).write(str(tmp_path / "pool"))
    second = ImagePool(3, SHAPE, seed=4)
    tf.train.Checkpoint(pool=second).read(path).assert_consumed()
    assert play(second, 2, range(17, 40)) == whole[17:]


def test_nothing_in_the_pool_is_trainable():
    pool = ImagePool(1, SHAPE, seed=0)
    pool.query(batch_of([1]), tf.constant(0, tf.int64))
    assert pool.trainable_variables == () and len(pool.variables) == 2


def test_one_replica_never_writes_into_another_ones_row():
    pool = ImagePool(2, SHAPE, replicas=2, seed=5)
    for step in range(4):
        pool.query(batch_of([step + 1]), tf.constant(step, tf.int64))
    assert pool.stored.numpy().tolist() == [2, 0] and not pool.images[1].numpy().any()
