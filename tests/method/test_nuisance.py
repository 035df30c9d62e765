"""Directions in which two images of a person differ, and embeddings without them, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
import tiny
from tiny import noise_faces as faces

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.data.images.files import write_png
from iacyclegan_tf.data.streams.face_views import FaceViews
from iacyclegan_tf.data.streams.image_sources import ImageFiles, joined
from iacyclegan_tf.method.centring import MOST, set_centres, set_nuisance, strongest
from iacyclegan_tf.models.build import KINDS, copy_weights
from iacyclegan_tf.models.embedding import CROPS
from iacyclegan_tf.models.recognizer import Recognizer

COUNT = KINDS * len(CROPS)


def network(nuisance: int = 3, **settings) -> Recognizer:
    return tiny.recognizer(centres=COUNT, nuisance=nuisance, **settings)


def scaled(images: np.ndarray) -> tf.Tensor:
    return tf.constant(images, tf.float32) / 127.5 - 1


def differences(photos: np.ndarray, sketches: np.ndarray) -> np.ndarray:
    """As ``set_nuisance`` should find them, one image after the other, by a recognizer that has no room for
    directions."""
    plain, found = network(0), []
    set_centres(plain, [photos, sketches])
    for crop in CROPS:
        embedded = [
            np.concatenate([plain(FaceViews(crop).central(tf.constant(image))[None]) for image in images])
            for images in (photos, sketches)
        ]
        found.append(embedded[0] - embedded[1] - (embedded[0] - embedded[1]).mean(0))
    return np.concatenate(found).astype(np.float64)


@pytest.mark.parametrize("rows, columns, count", [(5, 40, 3), (40, 5, 3), (4, 30, 9), (6, 20_000, 4)])
def test_the_strongest_directions_are_the_first_singular_vectors(rows, columns, count):
    matrix = np.random.default_rng(0).normal(size=[rows, columns])
    found, expected = strongest(matrix, count), np.linalg.svd(matrix, full_matrices=False)[2][:count]
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.abs(np.sum(found * expected, 1)), 1, atol=1e-9)  # but for the sign
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-9)


def test_directions_of_nothing_are_none():
    assert strongest(np.zeros([4, 6]), 3).shape == (0, 6)
    assert strongest(np.outer([1.0, 2.0, -3.0], [0.0, 3.0, 4.0]), 3).shape == (1, 3)


def test_the_directions_are_those_of_the_centred_differences_at_each_crop():
    made, photos, sketches = network(), faces(9, 0), faces(9, 1, 120)
    set_centres(made, [photos, sketches])
    set_nuisance(made, [photos, sketches])
    expected = np.linalg.svd(differences(photos, sketches), full_matrices=False)[2][:3]
    found = made.nuisance.numpy()
    np.testing.assert_allclose(found.T @ found, expected.T @ expected, atol=1e-5)  # the projection: whatever the signs


def test_embeddings_have_no_part_along_them():
    made, plain, photos, sketches = network(), network(0), faces(9, 0), faces(9, 1, 120)
    for one in (made, plain):
        set_centres(one, [photos, sketches])
        set_nuisance(one, [photos, sketches])
    images, directions = scaled(faces(4, 5)), made.nuisance.numpy().astype(np.float64)
    before, found = plain(images).numpy().astype(np.float64), made(images).numpy()
    assert np.abs(before @ directions.T).max() > 0.01  # else nothing would be shown
    assert np.abs(found @ directions.T).max() < 1e-5
    expected = before - before @ directions.T @ directions
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(made.centred(images), before, atol=1e-6)


def test_they_bring_the_two_images_of_new_people_together():
    """Sketches are the photos, each with a pattern whose strength is chance: a mean cannot take it away."""
    chance = np.random.default_rng(4)
    pattern = 60.0 * np.sign(np.sin(np.arange(32) / 2))[None, :, None, None] * np.ones([1, 32, 32, 3])
    photos = np.clip(chance.normal(110, 12, [40, 32, 32, 3]), 0, 255)
    sketches = np.clip(photos + pattern * chance.uniform(0, 1, [40, 1, 1, 1]), 0, 255)
    photos, sketches, scores = photos.astype(np.uint8), sketches.astype(np.uint8), {}
    for count in (0, 6):
        made = network(count)
        set_centres(made, [photos[:20], sketches[:20]])
        set_nuisance(made, [photos[:20], sketches[:20]])
        cosines = made(scaled(photos[20:])).numpy() @ made(scaled(sketches[20:])).numpy().T
        scores[count] = np.mean(np.diag(cosines)) - np.mean(cosines[~np.eye(20, dtype=bool)])
    assert scores[6] > scores[0] + 0.02, scores


def test_fewer_differences_than_directions_leave_the_rest_at_zero():
    made, photos, sketches = network(12), faces(3, 0), faces(3, 1, 120)
    set_centres(made, [photos, sketches])
    set_nuisance(made, [photos, sketches])
    lengths = np.linalg.norm(made.nuisance.numpy(), axis=1)
    rank = len(CROPS) * (3 - 1)  # each crop's differences lost their mean
    np.testing.assert_allclose(lengths, [1] * rank + [0] * (12 - rank), atol=1e-5)


def test_before_they_are_set_they_change_nothing_and_without_room_there_are_none():
    images = scaled(faces(3, 2))
    np.testing.assert_allclose(network()(images), network(0)(images), atol=1e-6)
    made = network(0)
    assert made.nuisance is None and made.nuisance_count == 0 and not any("nuisance" in v.name for v in made.variables)
    set_nuisance(made, [faces(3, 0), faces(3, 1)])


def test_of_many_pairs_some_are_taken_over_all_of_them(monkeypatch):
    import iacyclegan_tf.method.centring as module

    monkeypatch.setattr(module, "MOST", 4)
    made, photos, sketches = network(), faces(10, 0), faces(10, 1, 120)
    set_centres(made, [photos, sketches])
    set_nuisance(made, [photos, sketches])
    few, chosen = network(), [0, 3, 6, 9]
    few.centres.assign(made.centres)
    set_nuisance(few, [photos[chosen], sketches[chosen]])
    np.testing.assert_allclose(
        made.nuisance.numpy().T @ made.nuisance.numpy(), few.nuisance.numpy().T @ few.nuisance.numpy(), atol=1e-5
    )
    assert MOST * len(CROPS) <= 1000


def test_of_synthesized_images_on_the_disk_only_those_are_read_that_are_there(tmp_path):
    """Also for the centres: ``synthesized_partners`` makes no more of them than training asks for."""
    photos, sketches, numbers = faces(8, 0), faces(8, 1, 120), np.array([0, 2, 5, 7])
    paths = [tmp_path / f"{number}.png" for number in range(len(sketches))]
    for number in numbers:
        write_png(paths[number], sketches[number])
    stored, made, same = ImageFiles(paths, sketches.shape[1:3], None, numbers), network(), network()
    set_centres(made, [photos, stored])
    set_centres(same, [photos, sketches[numbers]])
    np.testing.assert_allclose(made.centres, same.centres, atol=1e-6)
    set_nuisance(made, [photos, stored])
    set_nuisance(same, [photos[numbers], sketches[numbers]])
    np.testing.assert_allclose(
        made.nuisance.numpy().T @ made.nuisance.numpy(), same.nuisance.numpy().T @ same.nuisance.numpy(), atol=1e-5
    )
    assert joined([photos, stored]).numbers.tolist() == [*range(8), 8, 10, 13, 15]


def test_they_go_with_copies_and_checkpoints(tmp_path):
    made, copied, restored = network(), network(), network()
    set_nuisance(made, [faces(5, 0), faces(5, 1, 100)])
    assert np.any(made.nuisance)
    copy_weights(made, copied)
    path = tf.train.Checkpoint(recognizer=made).write(str(tmp_path / "state"))
    tf.train.Checkpoint(recognizer=restored).read(path).assert_consumed()
    for other in (copied, restored):
        np.testing.assert_array_equal(other.nuisance, made.nuisance)


def test_training_goes_through_them():
    made = network(normalization="batch")
    set_nuisance(made, [faces(5, 0), faces(5, 1, 100)])
    tiny.assert_trained_through(made, made.nuisance)


@pytest.mark.parametrize(
    "settings, words",
    [
        (["recognizer.nuisance=1001", "recognizer.centred=true"], "from 0 to 1000"),
        (["recognizer.nuisance=-1", "recognizer.centred=true"], "from 0 to 1000"),
        (["recognizer.nuisance=4"], "recognizer.centred=true, or 0"),
    ],
)
def test_settings_that_no_run_could_use_are_refused(settings, words):
    with pytest.raises(UserError, match=words):
        load_config(None, settings)
