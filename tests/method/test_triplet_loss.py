"""The twin of tensorflow-addons' loss: equal to it where it is installed, and to loops everywhere."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.method.triplet_loss import semihard_triplet_loss, twin

MARGIN = 0.3
SHAPES = ((2, 3), (7, 2), (12, 32), (24, 16))
ADDONS = importlib.util.find_spec("tensorflow_addons")


def batches() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """200 random ones of unit embeddings in a few shapes, a third of them with equal ones; one person; all equal."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        count, width, people = (*SHAPES[seed % 4], int(rng.integers(1, 9)))
        x = rng.normal(size=(count, width)).astype(np.float32)
        if seed % 3 == 0:  # equal embeddings of the same and of other people: ties in every minimum and maximum
            x = x[rng.integers(0, count, count)]
        elif seed % 3 == 1:
            x = np.sign(x)
        labels = rng.integers(0, people, count).astype(np.int32)
        labels[1] = labels[0]
        found.append((f"random {seed}", labels, x / np.linalg.norm(x, axis=1, keepdims=True)))
    x = found[0][2]
    found.append(("one person", np.zeros(len(x), np.int32), x))
    found.append(("all equal", np.arange(24, dtype=np.int32) // 2, np.full((24, 16), 0.25, np.float32)))
    return found


def loss_and_gradient(loss, labels, x) -> tuple[float, np.ndarray]:
    with tf.GradientTape() as tape:
        x = tf.Variable(x)
        value = loss(labels, x)
    return float(value), tape.gradient(value, x).numpy()


@pytest.mark.skipif(not ADDONS, reason="tensorflow-addons is in the pinned set alone")
def test_the_twin_equals_tensorflow_addons():
    addons = semihard_triplet_loss(MARGIN)
    assert type(addons).__module__ == "tensorflow_addons.losses.triplet"
    for name, labels, x in batches():
        theirs, ours = (loss_and_gradient(f, labels, x) for f in (addons, lambda y, e: twin(y, e, MARGIN)))
        assert ours[0] == pytest.approx(theirs[0], abs=1e-6), name
        np.testing.assert_allclose(ours[1], theirs[1], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.skipif(bool(ADDONS), reason="here tensorflow-addons does the work")
def test_the_twin_stands_in():
    _, labels, x = batches()[1]
    assert float(semihard_triplet_loss(MARGIN)(labels, x)) == float(twin(labels, x, MARGIN))


def test_the_loss_equals_loops():
    for name, labels, x in batches()[2::12]:  # without ties, where rounding decides
        distances = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(2)
        terms = []
        for a in range(len(x)):
            for p in np.flatnonzero(labels == labels[a]):
                others = distances[a][labels != labels[a]]
                farther = others[others > distances[a, p]]
                # of a person alone, the farthest is 0: the distance to oneself
                n = farther.min() if farther.size else others.max() if others.size else 0.0
                terms += [max(0.0, distances[a, p] - n + MARGIN)] if p != a else []
        for loss in (semihard_triplet_loss(MARGIN), lambda y, e: twin(y, e, MARGIN)):
            assert float(loss(labels, x)) == pytest.approx(np.mean(terms), abs=1e-5), name


def test_without_two_images_of_a_person_there_is_no_mean():
    for loss in (semihard_triplet_loss(MARGIN), lambda y, e: twin(y, e, MARGIN)):
        assert np.isnan(loss(np.arange(3, dtype=np.int32), np.eye(3, dtype=np.float32)))
