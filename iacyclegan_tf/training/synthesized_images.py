"""Training images through a generator, to fine-tune a recognizer on: in memory, or PNG files where the set itself
stays on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import FinetuneConfig
from iacyclegan_tf.data.alignment.chips import Chips
from iacyclegan_tf.data.images.files import read_image, write_png
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.data.streams.batches import IdentityChoice
from iacyclegan_tf.data.streams.image_sources import ImageFiles, ImageSource, plain

_BATCH = 8


def synthesized(
    generator: keras.Model, images: np.ndarray, chips: Chips | None = None, fit: Fit | None = None
) -> np.ndarray:
    """uint8 ``[N, H, W, 3]`` -> what the generator makes of them, of the same shape, or cut out as ``chips`` are."""
    made = np.concatenate([_translated(generator, images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)])
    return made if chips is None else chips.cut(made, fit)


@contextmanager
def synthesized_partners(
    generator: keras.Model,
    images: np.ndarray | ImageSource,
    chips: Chips | None,
    fit: Fit,
    labels: np.ndarray,
    settings: FinetuneConfig,
    seed: int,
    folder: Path,
) -> Iterator[np.ndarray | ImageSource]:
    """``images`` through the generator, as the second of two sources of ``identity_stream`` with this seed.

    An array gives an array. Of image files only those are translated that the stream will ask for, into PNG files in
    ``folder``; what an earlier call left whole there is used again. With ``chips``, those of ``images``, what is
    synthesized is cut out as they are.
    """
    if isinstance(images, np.ndarray):
        yield synthesized(generator, images, chips, fit)
        return
    numbers = IdentityChoice([labels, labels], people=settings.people, images=settings.images, seed=seed).used(
        settings.steps
    )
    numbers = numbers[numbers >= len(labels)] - len(labels)  # the first source holds the real ones
    paths = [folder / f"{number:07d}.png" for number in range(len(labels))]
    missing = np.array([number for number in numbers if not _is_whole(paths[number], images.shape[1:])], np.int64)
    with images.reading():
        for number, image in zip(missing, _one_by_one(generator, images, missing)):
            write_png(paths[number], image)
    size, cut = images.shape[1:3], None
    if chips is not None:
        size, cut = chips.images.shape[1:3], partial(chips.cut_one, fit=fit)
    stored = ImageFiles(paths, size, None, numbers, cut)
    with stored.reading():
        yield stored


def _is_whole(path: Path, shape: tuple[int, int, int]) -> bool:
    try:
        return path.exists() and read_image(path).shape == shape
    except UserError:
        return False


def _one_by_one(generator: keras.Model, images: ImageSource, numbers: np.ndarray) -> Iterator[np.ndarray]:
    batches = tf.data.Dataset.from_tensor_slices(numbers).map(images, images.parallel, deterministic=True).batch(_BATCH)
    for batch in plain(batches.prefetch(1)).as_numpy_iterator():
        yield from _translated(generator, batch)


def _translated(generator: keras.Model, images: np.ndarray) -> np.ndarray:
    fakes = generator(images.astype(np.float32) / 127.5 - 1.0).numpy()
    return np.clip(np.round((fakes + 1.0) * 127.5), 0, 255).astype(np.uint8)
