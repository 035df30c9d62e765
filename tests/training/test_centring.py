"""Embeddings measured from the nearest mean of the training images, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
import tiny
from tiny import noise_faces as faces

from iacyclegan_tf.data.streams.face_views import FaceViews
from iacyclegan_tf.data.streams.image_sources import InMemory
from iacyclegan_tf.models.build import KINDS, copy_weights
from iacyclegan_tf.models.embedding import CROPS
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.training.centring import set_centres

COUNT = KINDS * len(CROPS)


def network(centres: int = COUNT, **settings) -> Recognizer:
    return tiny.recognizer(centres=centres, **settings)


def plain(made: Recognizer, images: np.ndarray) -> np.ndarray:
    return made.vectors(tf.constant(images, tf.float32) / 127.5 - 1, "pool2").numpy().astype(np.float64)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("source", [lambda images: images, InMemory])
def test_centres_are_the_means_of_each_source_at_each_crop(source):
    made, photos, sketches = network(), faces(19, 0), faces(5, 1, 120)
    set_centres(made, [source(photos), source(sketches)])
    row = 0
    for images in (photos, sketches):
        for crop in CROPS:
            seen = np.stack([FaceViews(crop).central(tf.constant(image)) for image in images])
            expected = made.vectors(tf.constant(seen), "pool2").numpy().mean(0)
            np.testing.assert_allclose(made.centres[row], expected, atol=1e-5)
            row += 1
    assert row == made.centres.shape[0] == COUNT


def test_an_embedding_is_measured_from_the_centre_that_is_nearest():
    made, dark, light = network(), faces(9, 0), faces(9, 1, 130)
    set_centres(made, [dark, light])
    centres, images = made.centres.numpy().astype(np.float64), np.concatenate([faces(4, 5), faces(4, 6, 130)])
    vectors = plain(made, images)
    nearest = np.argmax(vectors @ unit(centres).T, 1)
    assert len(set(nearest)) > 1  # else nothing would be shown
    np.testing.assert_allclose(
        made(tf.constant(images, tf.float32) / 127.5 - 1), unit(vectors - centres[nearest]), atol=1e-4
    )


def test_before_they_are_set_centres_change_nothing():
    images = faces(3, 2)
    made = network()
    np.testing.assert_allclose(made(tf.constant(images, tf.float32) / 127.5 - 1), plain(made, images), atol=1e-6)


def test_without_centres_there_is_no_variable_and_nothing_to_set():
    made = network(0)
    assert made.centres is None
    assert not any("centres" in v.name for v in made.variables)
    set_centres(made, [faces(3, 0), faces(3, 1)])
    np.testing.assert_array_equal(made(tf.zeros([1, 32, 32, 3])), made.vectors(tf.zeros([1, 32, 32, 3]), "pool2"))


def test_centres_go_with_copies_and_checkpoints(tmp_path):
    made, copied, restored = network(), network(), network()
    set_centres(made, [faces(3, 0), faces(3, 1, 100)])
    copy_weights(made, copied)
    path = tf.train.Checkpoint(recognizer=made).write(str(tmp_path / "state"))
    tf.train.Checkpoint(recognizer=restored).read(path).assert_consumed()
    for other in (copied, restored):
        np.testing.assert_array_equal(other.centres, made.centres)


def test_training_goes_through_them():
    made = network(normalization="batch")
    set_centres(made, [faces(5, 0), faces(5, 1, 100)])
    tiny.assert_trained_through(made, made.centres)
