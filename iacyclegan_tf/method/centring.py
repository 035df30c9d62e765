"""Mean embeddings of the training images, from which a recognizer with ``centres`` measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from iacyclegan_tf.config.settings import MOST_NUISANCE
from iacyclegan_tf.data.streams.face_views import FaceViews
from iacyclegan_tf.data.streams.image_sources import ImageSource, each, source_of
from iacyclegan_tf.models.embedding import CROPS
from iacyclegan_tf.models.recognizer import Recognizer

_BATCH = 16


def set_centres(recognizer: Recognizer, sources: Sequence[np.ndarray | ImageSource]) -> None:
    """One centre for each of the two ``sources`` (uint8 ``[N, H, W, 3]``) at each of its ``crops``, by assignment.

    Which of them an image is measured from is found by the network itself, the nearest one: nobody has to say whether
    an image is a photo or a sketch, real or synthesized, cropped or not. Without centres nothing is done.
    """
    if recognizer.centres is None:
        return
    centres = [_mean(recognizer, source_of(images), FaceViews(crop)) for images in sources for crop in recognizer.crops]
    recognizer.centres.assign(np.stack(centres).astype(np.float32))


def _mean(recognizer: Recognizer, images: ImageSource, view: FaceViews) -> np.ndarray:
    total = sum(
        recognizer.vectors(batch, recognizer.embedding).numpy().astype(np.float64).sum(0)
        for batch in seen(images, view, images.numbers)
    )
    return total / len(images.numbers)


def seen(images: ImageSource, view: FaceViews, numbers: np.ndarray) -> tf.data.Dataset:
    """Batches of these images, each in the same view, without chance."""
    chosen = tf.constant(numbers, tf.int64)
    return each(len(numbers), lambda place: view.central(images(chosen[place])), images.parallel).batch(_BATCH)


MOST = MOST_NUISANCE // len(CROPS)  # pairs that are compared; their differences are held in memory, at each crop
_COLUMNS = 8192


def set_nuisance(recognizer: Recognizer, sources: Sequence[np.ndarray | ImageSource]) -> None:
    """The strongest directions of the differences between two ``sources`` (uint8 ``[N, H, W, 3]``, paired by index),
    by assignment.

    Differences of centred embeddings, each less the mean difference of its crop, at each of the recognizer's
    ``crops``. Where there are fewer directions than the recognizer has room for, the rest stay zero and remove
    nothing. Without room nothing is done.
    """
    if recognizer.nuisance is None:
        return
    one, two = map(source_of, sources)
    numbers = np.intersect1d(one.numbers, two.numbers)
    if len(numbers) > MOST:
        numbers = numbers[np.linspace(0, len(numbers) - 1, MOST).round().astype(int)]
    found = strongest(
        np.concatenate([_differences(recognizer, one, two, FaceViews(crop), numbers) for crop in recognizer.crops]),
        recognizer.nuisance.shape[0],
    )
    rows = np.zeros(recognizer.nuisance.shape, np.float32)
    rows[: len(found)] = found
    recognizer.nuisance.assign(rows)


def strongest(differences: np.ndarray, count: int) -> np.ndarray:
    """The first right singular vectors of ``[M, D]``: at most ``count`` orthonormal rows ``[K, D]``, strongest first.

    From the eigenvectors of the ``[M, M]`` products, since D may be many times M; float64, a part of the columns at
    a time.
    """
    parts = [differences[:, start : start + _COLUMNS] for start in range(0, differences.shape[1], _COLUMNS)]
    energy, vectors = np.linalg.eigh(sum(np.matmul(part, part.T, dtype=np.float64) for part in parts))
    order = np.argsort(energy)[::-1][:count]
    order = order[energy[order] > 1e-10 * max(energy[-1], 1e-300)]
    weights = (vectors[:, order] / np.sqrt(energy[order])).T
    return np.concatenate([weights @ part for part in parts], axis=1)


def _differences(
    recognizer: Recognizer, one: ImageSource, two: ImageSource, view: FaceViews, numbers: np.ndarray
) -> np.ndarray:
    first, second = (
        np.concatenate([recognizer.centred(batch).numpy() for batch in seen(images, view, numbers)])
        for images in (one, two)
    )
    differences = first - second
    return differences - differences.mean(0)
