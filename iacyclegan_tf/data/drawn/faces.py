"""Drawn faces: the embedded data set of face photos and artist's sketches of people who do not exist.

Made by parameters, so that the project runs, trains and is tested without any download. An identity is a set
of lasting traits, a rendering adds pose, expression, light, background and clothes (``person.py``). The
sketch (``sketch.py``) is made after the photo (``photo.py``) by an artist who exaggerates,
straightens and misplaces, so that sketch and photo cannot simply be laid over each other.
Everything follows from (seed, identity, rendering): the same call gives the same bytes in any process with
the same NumPy and OpenCV. The amounts below were set by measuring; see ``tests/data/test_drawn_faces.py``.
"""

import cv2
import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.drawn.person import Person, View, as_drawn, caricature, draw_person, draw_view, with_expression
from iacyclegan_tf.data.drawn.photo import paint_photo
from iacyclegan_tf.data.drawn.sketch import paint_sketch

LARGEST_SIDE = 2048
EXAGGERATION = 1.3  # how far the artist pushes a trait away from the mean face; 1 is true to life
CAMERA_NOISE = 1.0  # standard deviation in gray levels
PAPER_GRAIN = 1.0
DRIFT = 2.3  # smooth drift of the artist's hand: standard deviation in units of 200 x 250


def person(identity: int, *, seed: int) -> Person:
    """The lasting traits of an identity."""
    return draw_person(np.random.default_rng([seed, identity]))


def view(identity: int, rendering: int, *, seed: int) -> View:
    """Pose, expression, light, background and clothes of one rendering."""
    return draw_view(np.random.default_rng([seed, identity, rendering + 1]))


def draw_pair(identity: int, rendering: int, *, seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """One photo and the sketch drawn after it.

    Returns: photo uint8 [height, width, 3] RGB; sketch uint8 [height, width, 3], gray in all three channels.
    The eye centers lie near (0.375, 0.5) and (0.625, 0.5) of (width, height), up to the jitter of the pose.
    Raises: UserError for a side beyond ``LARGEST_SIDE`` or a negative seed, which no setting bounds.
    """
    if seed < 0 or not 1 <= min(height, width) <= max(height, width) <= LARGEST_SIDE:
        raise UserError(
            f"Drawn faces: the seed is {seed}, height and width are {height} and {width}; the seed must be 0 or more, "
            f"height and width from 1 to {LARGEST_SIDE}."
        )
    who, how = person(identity, seed=seed), view(identity, rendering, seed=seed)
    tall, wide = height * _oversampling(height), width * _oversampling(width)
    artist = np.random.default_rng([seed, identity, rendering + 1, 1])
    copied = as_drawn(how, artist)
    exaggerated = with_expression(caricature(who, EXAGGERATION), copied)
    photo = paint_photo(with_expression(who, how), how, tall, wide)
    sketch = _warped(paint_sketch(exaggerated, copied, tall, wide), artist)
    photo, sketch = (cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in (photo, sketch))
    photo, sketch = _grained(photo, CAMERA_NOISE, artist), _grained(sketch, PAPER_GRAIN, artist)
    return photo, np.repeat(sketch[:, :, None], 3, axis=2)


def _oversampling(side: int) -> int:
    """Canvas pixels per picture pixel: lines need about 180 pixels across to be drawn well."""
    return 1 if side > 600 else max(2, -(-180 // side))


def _warped(sketch: np.ndarray, artist: np.random.Generator) -> np.ndarray:
    """The artist's hand: features drift smoothly by a few units of the 200 x 250 portrait.

    The portrait is then aligned by its eyes again, as sketches are: the drift is taken against that of the eyes.
    """
    height, width = sketch.shape
    coarse = artist.normal(size=(2, 4, 3)).astype(np.float32) * DRIFT
    drift = [cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in coarse]
    eyes = [height // 2] * 2, [round(0.375 * width), round(0.625 * width)]
    drift = [d - d[eyes].mean() for d in drift]
    x = np.arange(width, dtype=np.float32)[None] + drift[0] * np.float32(width / 200)
    y = np.arange(height, dtype=np.float32)[:, None] + drift[1] * np.float32(height / 250)
    return cv2.remap(sketch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _grained(picture: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Sensor noise or paper grain, the same in all channels."""
    grain = random.standard_normal(picture.shape[:2], dtype=np.float32) * np.float32(sigma)
    grain = grain.reshape(grain.shape + (1,) * (picture.ndim - 2))
    return np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
