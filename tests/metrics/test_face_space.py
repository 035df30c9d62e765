"""The distance from face space, against NumPy's least squares, and on drawn faces."""

import json

import numpy as np
import pytest

from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.metrics.face_space import HEIGHT, WIDTH, fit_face_space, read_face_space


def drawn(numbers, side: int = 0) -> list[np.ndarray]:
    return [draw_pair(number, 0, seed=7, height=HEIGHT * 2, width=WIDTH * 2)[side] for number in numbers]


def test_it_is_what_least_squares_leaves():
    images = [np.random.default_rng(n).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for n in range(12)]
    space = fit_face_space(images[:10], images[10:11])
    vectors = np.stack([image.astype(float).ravel() for image in images])
    mean = vectors[:10].mean(0)
    directions = np.linalg.eigh(np.cov(vectors[:10].T))[1][:, -5:]
    rest = vectors[11] - mean
    rest = rest - directions @ np.linalg.lstsq(directions, rest, rcond=None)[0]
    assert space.distance(images[11]) == pytest.approx(np.sqrt((rest**2).mean()), rel=1e-3)


@pytest.mark.parametrize("side", [0, 1])
def test_other_people_are_alike_and_noise_and_shifted_faces_are_not(side):
    space = fit_face_space(drawn(range(60), side), drawn(range(60, 75), side))
    strange = [space.distance(image) / space.threshold for image in drawn(range(80, 95), side)]
    assert np.mean(np.array(strange) < 1) > 0.9
    noise = np.random.default_rng(0).integers(0, 256, (250, 200, 3), np.uint8)
    shifted = np.roll(drawn([80], side)[0], 8, axis=1)
    assert space.distance(noise) > space.threshold and space.distance(shifted) > space.threshold


def test_it_is_kept_as_json_and_damage_is_told():
    space = fit_face_space(drawn(range(12)), drawn([20]))
    values = json.loads(json.dumps(space.as_json()))
    again = read_face_space(values)
    (image,) = drawn([30])
    assert again.distance(image) == pytest.approx(space.distance(image), rel=0.01)
    for wrong in ({"threshold": 0}, {"mean": "AAAA"}, {"directions": "?"}, {"threshold": "x"}):
        with pytest.raises((ValueError, KeyError, TypeError)):
            read_face_space(values | wrong)
    assert fit_face_space(drawn(range(3)), drawn([4])) is None
