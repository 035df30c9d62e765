"""How unlike the training images an aligned face is: its distance from their face space.

Turk & Pentland 1991, *Eigenfaces for recognition*: the part of an image that the training images' principal components
do not explain. The recognizers' own embeddings do not tell it: of drawn faces' photo recognizer noise lay nearer to the
training people (cosine 0.84 to 0.86) than the validation people did (0.67 to 0.96; quickstart round 1, 2026-11-26).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 16, 20  # in color: what is finer, or gray, tells drawn faces from others less well
_COMPONENTS = 24
FEWEST = 8  # images
# An image farther than the farthest validation image by this factor is unlike: of 80 drawn of test people none was.
_MARGIN = 1.15


@dataclass(frozen=True)
class FaceSpace:
    """``mean`` float32 ``[D]``, ``directions`` ``[K, D]`` of length 1, and the distance that is called unlike."""

    mean: np.ndarray
    directions: np.ndarray
    threshold: float

    def distance(self, image: np.ndarray) -> float:
        """Of uint8 ``[h, w, 3]``: root mean square, in gray levels, of what is not explained."""
        rest = _vector(image) - self.mean
        rest = rest - self.directions.T @ (self.directions @ rest)
        return float(np.sqrt(np.mean(rest**2)))

    def as_json(self) -> dict:
        coded = {
            name: base64.b64encode(np.asarray(values, "<f2").tobytes()).decode()
            for name, values in (("mean", self.mean), ("directions", self.directions))
        }
        return coded | {"threshold": self.threshold, "size": [HEIGHT, WIDTH], "components": len(self.directions)}


def fit_face_space(training: Sequence[np.ndarray], validation: Sequence[np.ndarray]) -> FaceSpace | None:
    """From uint8 images ``[h, w, 3]`` of any sizes, aligned alike; None where there are too few."""
    if len(training) < FEWEST or not len(validation):
        return None
    vectors = np.stack([_vector(image) for image in training])
    mean = vectors.mean(0)
    # at most half of the directions that so few images have: with all of them, they would explain themselves
    directions = np.linalg.svd(vectors - mean, full_matrices=False)[2][: min(_COMPONENTS, len(vectors) // 2)]
    space = FaceSpace(mean, directions, 0.0)
    return FaceSpace(mean, directions, _MARGIN * max(map(space.distance, validation)))


def read_face_space(values: dict) -> FaceSpace:
    """From ``as_json``; ``ValueError``, ``KeyError`` or ``TypeError`` where it is not that."""
    mean, directions = (
        np.frombuffer(base64.b64decode(values[name], validate=True), "<f2").astype(np.float32)
        for name in ("mean", "directions")
    )
    space = FaceSpace(mean, directions.reshape(-1, len(mean)), float(values["threshold"]))
    if len(mean) != HEIGHT * WIDTH * 3 or not all(np.isfinite(part).all() for part in (mean, directions)):
        raise ValueError("a face space of another size, or numbers that are not finite")
    if not 0 < space.threshold < np.inf:
        raise ValueError("a face space without a threshold")
    return space


def _vector(image: np.ndarray) -> np.ndarray:
    """The means of equal areas of an image, ``[HEIGHT * WIDTH * 3]``."""
    rows, columns = _areas(image.shape[0], HEIGHT), _areas(image.shape[1], WIDTH)
    return np.einsum("yh,hwc,xw->yxc", rows, image.astype(np.float32), columns, optimize=True).ravel()


def _areas(length: int, parts: int) -> np.ndarray:
    """``[parts, length]``: the share of each pixel in each part, rows of sum 1."""
    ends = np.arange(parts + 1) * length / parts
    pixels = np.arange(length)
    over = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return (np.maximum(over, 0) * parts / length).astype(np.float32)
