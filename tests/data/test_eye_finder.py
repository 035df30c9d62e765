"""Eyes found by OpenCV's cascades: on a public photograph, moved in known ways (more in test_landmarks.py)."""

import math

import cv2
import numpy as np
import pytest
import skimage.data

from iacyclegan_tf.data.alignment.eye_finder import find_eyes

ASTRONAUT = skimage.data.astronaut()  # 512x512, NASA, public domain; comes with scikit-image
EYES = np.array([[204.0, 101.0], [246.0, 102.5]])  # marked by hand


def misplaced(found: np.ndarray, true: np.ndarray) -> float:
    """The worse eye's distance from its place, in distances between the eyes."""
    return float(np.hypot(*(found - true).T).max() / np.hypot(*(true[1] - true[0])))


@pytest.mark.parametrize("degrees, scale", [(0, 1.0), (8, 1.0), (-8, 1.0), (0, 0.4), (0, 2.5), (5, 1.7)])
def test_the_eyes_go_with_the_picture(degrees, scale):
    angle = math.radians(degrees)
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    side = round(512 * scale)
    shift = np.array([side / 2, side / 2]) - turn @ [256, 180]
    moved = cv2.warpAffine(ASTRONAUT, np.column_stack([turn, shift]), (side, side), flags=cv2.INTER_AREA)
    assert misplaced(find_eyes(moved), EYES @ turn.T + shift) < 0.12


def test_mirrored_the_image_left_eye_still_comes_first():
    mirrored = (EYES * [-1, 1] + [511, 0])[::-1]
    assert misplaced(find_eyes(ASTRONAUT[:, ::-1].copy()), mirrored) < 0.1


def test_the_largest_of_two_faces():
    small = cv2.resize(ASTRONAUT[:256, 100:356], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    both = ASTRONAUT.copy()
    both[300:428, 20:148] = small
    assert misplaced(find_eyes(both), EYES) < 0.1


def test_a_face_without_eyes_has_none():
    blind = ASTRONAUT.copy()
    for x, y in EYES.astype(int):
        blind[y - 9 : y + 10, x - 16 : x + 17] = cv2.GaussianBlur(ASTRONAUT, (0, 0), 12)[
            y + 26 : y + 45, x - 16 : x + 17
        ]
    assert find_eyes(blind) is None
