"""The door for pictures that people have: what is found, where, what is taken as it is, and what goes back."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data

from benchmarks.portraits import LARGEST_ERROR, SEED, has_face, of_real, of_scene
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment import landmarks
from iacyclegan_tf.data.alignment.portrait import find_portrait, is_aligned
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.drawn.scene import draw_scene

needs_dlib = pytest.mark.skipif(landmarks._dlib() is None, reason="dlib-bin and its predictor are not installed")
ASTRONAUT = skimage.data.astronaut()


@needs_dlib
def test_faces_in_drawn_scenes_are_found_and_aligned():
    """All hundred: ``python -m benchmarks.portraits``."""
    errors = np.array([of_scene(number) for number in range(15)])
    assert (errors <= LARGEST_ERROR).sum() >= 14


@needs_dlib
def test_grounds_without_a_face_give_none():
    assert not any(has_face(number) for number in range(3))


@pytest.mark.parametrize("side", ["photo", "sketch"])
@needs_dlib
def test_real_pictures_are_aligned_as_the_published_crops(real_pairs, side):
    errors = of_real(real_pairs / "raw", side)
    assert len(errors) == 12 and max(errors) < 3  # pixels of the crop of 200x250


@needs_dlib
@pytest.mark.parametrize("size", [(80, 64), (250, 200)])
def test_the_aligned_crop_is_taken_as_it_is(size):
    for number in range(4):
        for image in draw_pair(number, 0, seed=7, height=size[0], width=size[1]):
            portrait = find_portrait(image)
            assert portrait.is_crop and portrait.cut() is image and portrait.put_back(image) is image


def test_what_is_the_crop_is_told_by_the_eyes_and_the_proportions():
    eyes = np.array([[75.0, 125.0], [125.0, 125.0]])
    assert is_aligned(eyes, (250, 200)) and is_aligned(eyes + [4, -4], (250, 200))
    assert not is_aligned(eyes + [12, 0], (250, 200)) and not is_aligned(eyes, (250, 250))
    assert is_aligned((eyes + 0.5) * 2 - 0.5, (500, 400)) and not is_aligned(eyes, (500, 400))


def test_given_eyes_are_believed_and_the_oval_goes_back():
    portrait = find_portrait(ASTRONAUT, "a", np.array([[203.0, 100.0], [246.0, 102.0]]))
    assert portrait.cut().shape == (250, 200, 3) and not portrait.is_crop and portrait.remarks() == []
    back = portrait.put_back(np.zeros((250, 200, 3), np.uint8))
    changed = (back != ASTRONAUT).any(axis=2)
    assert not back[102, 225].any() and 0.1 < changed.mean() < 0.13 and not changed[:, :130].any()
    with pytest.raises(UserError, match="outside its 512x512 pixels"):
        find_portrait(ASTRONAUT, "'a'", np.array([[3.0, 100.0], [546.0, 102.0]]))


@needs_dlib
def test_of_several_faces_the_largest_is_taken_and_said():
    scene = [
        draw_scene(n, seed=SEED, share=s, degrees=0, ground="color", height=500, width=420)[0]
        for n, s in ((1, 0.4), (2, 0.6))
    ]
    portrait = find_portrait(np.hstack(scene))
    assert len(portrait.faces) == 2 and portrait.face.eyes[0, 0] > 420
    assert portrait.remarks() == ["2 faces were found, and the largest is taken"]
    other = portrait.choose(1)
    assert other.face.eyes[1, 0] < 420 and "number 2" in other.remarks()[0]
    with pytest.raises(UserError, match="no face 3; 2 were found"):
        portrait.choose(2)


@needs_dlib
def test_threads_find_faces_side_by_side():
    """One detector for all of them ended the process."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: find_portrait(ASTRONAUT).face.eyes, range(12)))
    assert all(np.array_equal(eyes, found[0]) for eyes in found)
