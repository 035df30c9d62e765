"""Pre-training by matching photos and sketches: the loss against loops in NumPy, and that strangers profit."""

import numpy as np
import pytest
import tensorflow as tf
from golden import images, recognizer

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.method.pair_matching import PairMatching, freed_of_means


def free(vectors: np.ndarray) -> np.ndarray:
    result = vectors.astype(np.float64)
    for kind in (0, 1):
        result[kind::2] -= result[kind::2].mean(0)
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def loss_of(vectors: np.ndarray, scale: float) -> float:
    """-log of the share of the own partner among all others, averaged."""
    scores = scale * vectors @ vectors.T
    terms = []
    for i in range(len(vectors)):
        partner, others = i ^ 1, [j for j in range(len(vectors)) if j != i]
        terms.append(np.log(np.exp(scores[i, others]).sum()) - scores[i, partner])
    return float(np.mean(terms))


def test_each_kind_is_freed_of_its_own_mean():
    vectors = np.random.default_rng(0).normal(size=[10, 6]).astype(np.float32)
    np.testing.assert_allclose(freed_of_means(tf.constant(vectors)), free(vectors), atol=1e-6)


def test_a_difference_of_the_kinds_changes_nothing():
    vectors = np.random.default_rng(1).normal(size=[8, 5]).astype(np.float32)
    moved = vectors + np.tile([[0.0], [3.0]], [4, 1]).astype(np.float32)
    np.testing.assert_allclose(freed_of_means(tf.constant(moved)), freed_of_means(tf.constant(vectors)), atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 16.0])
def test_a_step_reports_the_loss_before_it_and_descends(scale):
    model = PairMatching(recognizer(1, embedding="pool2"), scale)
    model.compile(keras.optimizers.Adam(1e-3))
    batch, labels = images(8, width=32), tf.constant([0, 0, 1, 1, 2, 2, 3, 3])
    expected = loss_of(free(model(batch, training=True).numpy()), scale)
    steps = tf.data.Dataset.from_tensors((batch, labels))
    assert model.fit(steps, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-3)
    assert model.fit(steps.repeat(30), verbose=0).history["loss"][0] < expected


def test_only_the_layers_of_the_embedding_are_trained():
    model = PairMatching(recognizer(1, embedding="pool2"))
    assert {v.name.split("/")[-2] for v in model.trained_variables} == {"conv1_1", "conv1_2", "conv2_1", "conv2_2"}
