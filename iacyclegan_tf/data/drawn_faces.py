"""Drawn faces: the embedded data set of face photos and artist's sketches of people who do not exist.

Made by parameters, so that the project runs, trains and is tested without any download. An identity is a set of
lasting traits (``drawn_person.py``); a rendering adds pose, expression, light, background and clothes. The sketch is
drawn after the photo of the same rendering by an artist who exaggerates and misplaces (``drawn_sketch.py``).
Everything follows from (seed, identity, rendering): the same call gives the same bytes in any process.
"""

from typing import NamedTuple

import cv2
import numpy as np

from iacyclegan_tf.data.drawn_person import Person, View, as_drawn, caricature, draw_person, draw_view, with_expression
from iacyclegan_tf.data.drawn_photo import paint_photo
from iacyclegan_tf.data.drawn_sketch import paint_sketch
from iacyclegan_tf.errors import UserError

LARGEST_SIDE = 2048
EXAGGERATION = 1.3
CAMERA_NOISE, PAPER_GRAIN = 2.5, 2.2  # standard deviation in grey levels
DRIFT = 3.8


class DrawnPeople(NamedTuple):
    """Renderings of one person follow one another; all three have count * renderings entries."""

    photos: np.ndarray      # uint8 [n, height, width, 3] RGB
    sketches: np.ndarray    # uint8 [n, height, width, 3], grey in all three channels
    identities: list[str]   # "drawn-0007"


def person(identity: int, *, seed: int) -> Person:
    """The lasting traits of an identity."""
    return draw_person(np.random.default_rng([seed, identity]))


def view(identity: int, rendering: int, *, seed: int) -> View:
    """Pose, expression, light, background and clothes of one rendering."""
    return draw_view(np.random.default_rng([seed, identity, rendering + 1]))


def draw_pair(identity: int, rendering: int, *, seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """One photo and the sketch drawn after it.

    Returns: photo uint8 [height, width, 3] RGB; sketch uint8 [height, width, 3], grey in all three channels.
    The eye centres lie near (0.375, 0.5) and (0.625, 0.5) of (width, height), up to the jitter of the pose.
    Raises: UserError if a side is not in 1 .. 2048, or identity, rendering or seed is negative.
    """
    _check(identity=identity, rendering=rendering, seed=seed, height=height, width=width)
    who, how = person(identity, seed=seed), view(identity, rendering, seed=seed)
    tall, wide = height * _oversampling(height), width * _oversampling(width)
    photo = paint_photo(with_expression(who, how), how, tall, wide)
    artist = np.random.default_rng([seed, identity, rendering + 1, 1])
    copied = as_drawn(how, artist)
    photo = paint_photo(with_expression(who, how), how, tall, wide)
    sketch = _warped(paint_sketch(with_expression(caricature(who, EXAGGERATION), copied), copied, tall, wide), artist)
    photo, sketch = (cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in (photo, sketch))
    photo = _grained(photo, CAMERA_NOISE, artist)
    sketch = _grained(sketch, PAPER_GRAIN, artist)
    return photo, np.repeat(sketch[:, :, None], 3, axis=2)


def draw_people(count: int, renderings: int, *, seed: int, height: int, width: int, first: int = 0) -> DrawnPeople:
    """``renderings`` pairs of each of the identities first .. first + count - 1.

    Raises: UserError if count or renderings is not positive, and as ``draw_pair``.
    """
    _check(count=count, renderings=renderings, first=first, seed=seed, height=height, width=width)
    photos = np.empty((count * renderings, height, width, 3), np.uint8)
    sketches = np.empty_like(photos)
    for n in range(count * renderings):
        photos[n], sketches[n] = draw_pair(first + n // renderings, n % renderings, seed=seed, height=height, width=width)
    names = [f"drawn-{first + n // renderings:04d}" for n in range(count * renderings)]
    return DrawnPeople(photos, sketches, names)


def _check(**settings: int) -> None:
    for name, value in settings.items():
        lowest = 1 if name in ("count", "renderings", "height", "width") else 0
        highest = LARGEST_SIDE if name in ("height", "width") else None
        if value < lowest or (highest is not None and value > highest):
            allowed = f"from {lowest} to {highest}" if highest else f"{lowest} or more"
            raise UserError(f"Drawn faces: {name} is {value}; it must be {allowed}.")


def _oversampling(side: int) -> int:
    """Canvas pixels per picture pixel: lines need about 180 pixels across to be drawn well."""
    return 1 if side > 600 else max(2, -(-180 // side))


def _warped(sketch: np.ndarray, artist: np.random.Generator) -> np.ndarray:
    """The artist's hand: features drift smoothly by a few units of the 200 x 250 portrait."""
    height, width = sketch.shape
    coarse = artist.normal(size=(2, 5, 4)).astype(np.float32) * DRIFT
    drift = [cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in coarse]
    x = np.arange(width, dtype=np.float32)[None] + drift[0] * np.float32(width / 200)
    y = np.arange(height, dtype=np.float32)[:, None] + drift[1] * np.float32(height / 250)
    return cv2.remap(sketch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _grained(picture: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Sensor noise or paper grain, the same in all channels."""
    grain = random.standard_normal(picture.shape[:2], dtype=np.float32) * np.float32(sigma)
    return np.clip(np.rint(picture + (grain[:, :, None] if picture.ndim == 3 else grain)), 0, 255).astype(np.uint8)
