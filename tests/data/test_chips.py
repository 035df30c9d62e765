"""Chips of a data set: cut by landmarks where a face is found, by the fixed place where not, and found only once."""

import json
from dataclasses import replace

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig, RecognizerConfig
from iacyclegan_tf.data.alignment import chips as module
from iacyclegan_tf.data.alignment.chips import BOX, Landmarks, cut, landmarks_for
from iacyclegan_tf.data.alignment.landmarks import CHIP, face_chip, find_faces
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import write_png
from iacyclegan_tf.data.load_faces import load_faces


@pytest.fixture(scope="module")
def pair():
    return draw_pair(3, 0, seed=7, height=250, width=200)


def test_a_chip_is_cut_by_the_landmarks_of_the_image(pair):
    landmarks = Landmarks()
    made = landmarks.chips(iter(pair))
    assert made.images.shape == (2, CHIP, CHIP, 3) and made.missed == 0
    expected = face_chip(pair[0], find_faces(pair[0])[0].points)
    assert np.abs(made.images[0].astype(int) - expected).mean() < 0.2  # points are rounded to six digits


def test_what_is_synthesized_at_another_size_is_cut_in_the_same_place(pair):
    import cv2

    made = Landmarks().chips(pair[:1])
    larger = cv2.resize(pair[0], (400, 500), interpolation=cv2.INTER_CUBIC)
    again = made.cut([larger])[0]
    assert np.abs(again.astype(int) - made.images[0]).mean() < 2.0


def test_without_a_face_the_fixed_place_of_an_aligned_crop_is_taken():
    image = np.zeros((250, 200, 3), np.uint8)
    top, left, bottom, right = (round(share * side) for share, side in zip(BOX, (250, 200, 250, 200)))
    image[top:bottom, left:right] = 200
    made = Landmarks().chips([image])
    assert made.missed == 1 and made.points == (None,)
    assert (made.images == 200).all()


def test_the_fixed_place_is_the_chip_of_a_face_whose_eyes_are_in_place():
    """BOX was measured on CUFS; the chip by eyes alone has the same centre and size within a few pixels."""
    y, x = np.mgrid[:250, :200]
    ramp = np.stack([x, y, y], -1).astype(np.uint8)
    by_eyes = cut(ramp, (np.array([[75.0, 125.0], [125.0, 125.0]]) + 0.5) / [200, 250]).astype(float)
    fixed = cut(ramp, None).astype(float)
    inside = by_eyes[..., 0] > 0
    assert np.abs(by_eyes - fixed)[inside].mean() < 8


def test_landmarks_are_found_once_and_kept_with_the_run(pair, tmp_path, monkeypatch):
    file = tmp_path / "landmarks.json"
    first = Landmarks(file)
    images = [*pair, np.zeros((60, 50, 3), np.uint8)]
    made = first.chips(images)
    first.save()
    monkeypatch.setattr(module, "find_faces", None)  # looking again would fail
    again = Landmarks(file).chips(images)
    np.testing.assert_array_equal(again.images, made.images)
    assert again.missed == 1


@pytest.mark.parametrize("values", [[[1, 2]], "words", [[None, 1]] * 5, 7])
def test_a_damaged_file_is_named(tmp_path, values):
    (tmp_path / "landmarks.json").write_text(json.dumps({"a": values}))
    with pytest.raises(UserError, match=r"landmarks\.json holds something else"):
        Landmarks(tmp_path / "landmarks.json")


def test_only_the_network_that_is_shown_chips_has_landmarks(tmp_path):
    assert landmarks_for(RecognizerConfig(network="vggface"), tmp_path) is None
    assert landmarks_for(RecognizerConfig(network="dlib"), tmp_path) is not None


@pytest.mark.parametrize("in_memory", [True, False])
def test_pairs_come_with_their_chips(tmp_path, in_memory):
    for split, people in (("train", range(4)), ("dev", range(4, 6))):
        for person in people:
            for side, image in zip(("photos", "sketches"), draw_pair(person, 0, seed=7, height=250, width=200)):
                (tmp_path / split / side).mkdir(parents=True, exist_ok=True)
                write_png(tmp_path / split / side / f"p{person}.png", image)
    settings = replace(DataConfig(), source="pairs", root=str(tmp_path), in_memory=in_memory, validation_share=0.4)
    faces = load_faces(settings, 0, landmarks=Landmarks(tmp_path / "landmarks.json"))
    for part in (faces.fitting, faces.validation, faces.test):
        assert part.photo_chips.images.shape == part.sketch_chips.images.shape == (2, CHIP, CHIP, 3)
        assert part.shown[0] is part.photo_chips.images and part.photo_chips.missed == 0
    sure = Landmarks().chips(faces.test.original_sketches)
    np.testing.assert_array_equal(faces.test.sketch_chips.images, sure.images)
    assert (tmp_path / "landmarks.json").exists()
    plain = load_faces(settings, 0)
    assert plain.test.photo_chips is None and plain.test.shown[0] is plain.test.photos
