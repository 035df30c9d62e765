"""The picture grid of a round: photo | sketch | fake sketch | fake photo | cycled photo | cycled sketch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.data.images.files import write_png
from iacyclegan_tf.data.load_faces import FacePairs
from iacyclegan_tf.training.engine.history import History, PhaseCallback

COLUMNS = ("photo", "sketch", "fake sketch", "fake photo", "cycled photo", "cycled sketch")
_GAP = 2  # white pixels around each tile
_LABEL_WIDTH, _LABEL_HEIGHT = 96, 20  # that the longest name takes


def grid(photos: np.ndarray, sketches: np.ndarray, to_sketch, to_photo) -> np.ndarray:
    """One row a person. Inputs uint8 ``[N, H, W, 3]``, generators on [−1, 1]; returns one uint8 picture."""
    x, y = (tf.constant(images / 127.5 - 1.0, tf.float32) for images in (photos, sketches))
    fake_sketches, fake_photos = to_sketch(x), to_photo(y)
    columns = [x, y, fake_sketches, fake_photos, to_photo(fake_sketches), to_sketch(fake_photos)]
    tiles = np.stack([np.clip(np.round((np.asarray(c) + 1.0) * 127.5), 0, 255).astype(np.uint8) for c in columns], 1)
    tiles = np.pad(tiles, [(0, 0), (0, 0), (_GAP, _GAP), (_GAP, _GAP), (0, 0)], constant_values=255)
    rows, cols, height, width, _ = tiles.shape
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, cols * width, 3)


def labeled(picture: np.ndarray) -> np.ndarray:
    """A ``grid`` enlarged until its columns hold their names, which stand above them; uint8."""
    import cv2

    width = picture.shape[1] // len(COLUMNS)
    factor = max(1, -(-_LABEL_WIDTH // width))
    picture = np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)
    head = np.full((_LABEL_HEIGHT, picture.shape[1], 3), 255, np.uint8)
    for place, words in enumerate(COLUMNS):
        at = place * width * factor + _GAP, _LABEL_HEIGHT - 6
        cv2.putText(head, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([head, picture])


def difference(images: np.ndarray) -> float:
    """How much images uint8 ``[N, H, W, 3]`` differ: standard deviation over N in gray levels, averaged."""
    return float(np.std(images.astype(np.float32), axis=0).mean())


class Snapshots(PhaseCallback):
    """Every ``every`` steps and at the end: the same people through the generators, to TensorBoard and one PNG.

    Warns when a generator has collapsed: its images of different people differ from each other less than ``COLLAPSED``
    times as much as the real ones do.
    """

    COLLAPSED = 0.1

    def __init__(
        self,
        gan,
        people: FacePairs,
        history: History,
        path: Path,
        count: int,
        every: int,
        say: Callable[[str], None] = print,
    ):
        super().__init__()
        chosen = np.unique(np.linspace(0, len(people) - 1, min(count, len(people))).astype(int))
        self.photos, self.sketches = people.photos[chosen], people.sketches[chosen]
        self.gan, self.history, self.path, self.every, self.say = gan, history, path, every, say

    def after_step(self, logs):
        if self.step % self.every == 0 or self.step == self.total_steps:
            picture = grid(self.photos, self.sketches, self.gan.photo_to_sketch, self.gan.sketch_to_photo)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_png(self.path, labeled(picture))
            self.history.image("grid/" + " | ".join(COLUMNS), picture)
            self._warn_of_collapse(picture)

    def _warn_of_collapse(self, picture: np.ndarray) -> None:
        people, height, width = self.photos.shape[:3]
        tiles = picture.reshape(people, height + 2 * _GAP, len(COLUMNS), width + 2 * _GAP, 3)
        of = {name: difference(tiles[:, _GAP:-_GAP, i, _GAP:-_GAP]) for i, name in enumerate(COLUMNS)}
        for side, words in (("sketch", "sketches"), ("photo", "photos")):
            if people > 1 and of[f"fake {side}"] < self.COLLAPSED * of[side]:
                self.say(
                    f"Warning: {self.phase_name}, step {self.step}: the synthesized {words} of {people} people differ "
                    f"by {of[f'fake {side}']:.2g} gray levels, the real ones by {of[side]:.2g}: the generator has "
                    "collapsed to one image, or has not learned yet to tell people apart."
                )
