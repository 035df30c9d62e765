"""Training of the recognizers: semi-hard triplets and statistics against loops in NumPy, steps against a manual one."""

import numpy as np
import pytest
import tensorflow as tf
from golden import images, recognizer, triplet_trainer

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.method.pair_matching import contrast
from iacyclegan_tf.method.recognizer_training import TripletTrainer, triplet_statistics


def unit(count: int, length: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=[count, length])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def distances(embeddings) -> np.ndarray:
    return ((embeddings[:, None].astype(np.float64) - embeddings[None]) ** 2).sum(-1)


def semi_hard(embeddings, labels, margin: float) -> float:
    """Schroff et al. 2015, Section 3.2: all anchor-positive pairs, the nearest negative beyond the positive."""
    d, losses = distances(embeddings), []
    for a in range(len(labels)):
        negatives = [d[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        for p in range(len(labels)):
            if p != a and labels[p] == labels[a]:
                beyond = [n for n in negatives if n > d[a, p]]
                losses.append(max(0.0, d[a, p] - (min(beyond) if beyond else max(negatives)) + margin))
    return float(np.mean(losses))


@pytest.mark.parametrize("margin", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [3, 1, 3, 1, 2, 2, 3], [0] * 4 + [1] * 4 + [2] * 4])
@pytest.mark.parametrize("length", [2, 16])
def test_triplet_loss_is_facenets(margin, labels, length):
    trainer = triplet_trainer(margin=margin)
    for seed in range(3):
        embeddings = unit(len(labels), length, seed).astype(np.float32)
        loss = trainer.triplet_loss(tf.constant(labels), tf.constant(embeddings))
        assert loss.shape == () and loss.dtype == tf.float32
        assert float(loss) == pytest.approx(semi_hard(embeddings, labels, margin), rel=1e-4, abs=1e-6)


def test_triplet_loss_of_well_separated_people_is_0_and_of_a_collapse_the_margin():
    trainer, labels = triplet_trainer(margin=0.3), tf.constant([0, 0, 1, 1])
    apart = tf.constant([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert float(trainer.triplet_loss(labels, apart)) == pytest.approx(0, abs=1e-6)
    assert float(trainer.triplet_loss(labels, tf.ones([4, 2]) / np.sqrt(2))) == pytest.approx(0.3, abs=1e-5)


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_triplet_statistics_equal_loops(margin):
    labels = np.array([0, 1, 0, 2, 1, 0, 2])
    embeddings = unit(7, 5, 4).astype(np.float32)
    d, everyone = distances(embeddings), range(7)
    positives = [(a, p) for a in everyone for p in everyone if a != p and labels[a] == labels[p]]
    negatives = [(a, n) for a in everyone for n in everyone if labels[a] != labels[n]]
    active = [d[a, p] - d[a, n] + margin > 0 for a, p in positives for b, n in negatives if a == b]
    ours = triplet_statistics(tf.constant(embeddings), tf.constant(labels), margin)
    assert ours["active_triplets"].numpy() == pytest.approx(np.mean(active), abs=1e-6)
    assert ours["positive_distance"].numpy() == pytest.approx(np.mean([d[i] for i in positives]), rel=1e-5)
    assert ours["negative_distance"].numpy() == pytest.approx(np.mean([d[i] for i in negatives]), rel=1e-5)


def test_triplet_statistics_of_a_batch_without_triplets_are_0_and_finite():
    for labels in ([0, 1, 2], [0, 0, 0]):
        values = triplet_statistics(tf.constant(unit(3, 4, 0), tf.float32), tf.constant(labels), 0.3)
        assert values["active_triplets"] == 0 and all(np.isfinite(v) for v in values.values())


def test_one_triplet_step_descends_the_gradient_of_the_loss():
    """The gradient of a loss written out here with loops; plain descent shows it unscaled."""
    batch, labels = images(6, width=32), [0, 1, 0, 2, 1, 2]
    trainer, twin = triplet_trainer(1), recognizer(1)
    trainer.compile(keras.optimizers.SGD(1.0))
    with tf.GradientTape() as tape:
        e = twin(batch)
        d = tf.reduce_sum((e[:, None] - e[None]) ** 2, -1)
        d64, terms = d.numpy(), []
        for a in range(6):
            (p,) = [i for i in range(6) if i != a and labels[i] == labels[a]]
            negatives = [n for n in range(6) if labels[n] != labels[a]]
            beyond = [n for n in negatives if d64[a, n] > d64[a, p]]
            n = min(beyond, key=lambda i: d64[a, i]) if beyond else max(negatives, key=lambda i: d64[a, i])
            terms.append(tf.nn.relu(d[a, p] - d[a, n] + 0.3))
        loss = tf.add_n(terms) / 6
    gradients = tape.gradient(loss, twin.trainable_variables)
    logs = trainer.train_step((batch, tf.constant(labels)))
    assert float(logs["loss"]) == pytest.approx(float(loss), rel=1e-4)
    for start, gradient, after in zip(
        twin.trainable_variables, gradients, trainer.recognizer.trainable_variables, strict=True
    ):
        largest = np.abs(gradient).max()
        assert largest > 0
        np.testing.assert_allclose(start.numpy() - after.numpy(), gradient, atol=2e-3 * largest + 2e-7)


def test_fine_tuning_at_rate_0_changes_no_embedding():
    """Statistics of batch normalization are as much a part of the recognizer as its weights."""
    trainer = TripletTrainer(recognizer(1, normalization="batch"), 0.3)
    trainer.compile(keras.optimizers.SGD(0.0))
    batch, labels = images(4, width=32), tf.constant([0, 0, 1, 1])
    before = trainer.recognizer(batch).numpy()
    trainer.fit(tf.data.Dataset.from_tensors((3 * batch, labels)).repeat(3), verbose=0)
    np.testing.assert_array_equal(trainer.recognizer(batch).numpy(), before)


def test_triplet_training_brings_positives_nearer_than_negatives():
    """Four people that differ in tone, each image with noise."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 4).astype(np.int32)
    tones = np.array([-0.6, -0.2, 0.2, 0.6])[labels][:, None, None, None] * [1.0, -1.0, 0.3]
    batch = (tf.constant(np.clip(tones + rng.normal(0, 0.3, [16, 32, 32, 3]), -1, 1), tf.float32), tf.constant(labels))
    trainer = TripletTrainer(recognizer(1, normalization="batch"), 0.3)
    trainer.compile(keras.optimizers.Adam(1e-3))
    before = trainer.fit(tf.data.Dataset.from_tensors(batch), verbose=0).history
    after = trainer.fit(tf.data.Dataset.from_tensors(batch).repeat(40), verbose=0).history
    assert after["active_triplets"][0] < 0.5 * before["active_triplets"][0]
    assert after["negative_distance"][0] - after["positive_distance"][0] > 0.3


# ---------------------------------------------------------------- people with several photos


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [5, 2, 5, 2, 2, 9, 9], [0] * 4 + [1] * 4 + [2] * 4])
@pytest.mark.parametrize("scale", [1.0, 16.0])
def test_contrast_is_khoslas_loss(labels, scale):
    """Khosla et al. 2020, Eq. 2 (L_out), with 1 / temperature = scale."""
    vectors = unit(len(labels), 5, 3).astype(np.float32)
    cosines, everyone = vectors.astype(np.float64) @ vectors.T.astype(np.float64), range(len(labels))
    losses, nearest = [], []
    for i in everyone:
        others = [a for a in everyone if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        total = sum(np.exp(scale * cosines[i, a]) for a in others)
        losses.append(-np.mean([np.log(np.exp(scale * cosines[i, p]) / total) for p in positives]))
        nearest.append(labels[max(others, key=lambda a: cosines[i, a])] == labels[i])
    ours, found = contrast(tf.constant(vectors), tf.constant(labels), scale)
    assert float(ours) == pytest.approx(np.mean(losses), rel=1e-5)
    assert found.numpy().tolist() == nearest
