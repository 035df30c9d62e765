"""Mean embeddings of the training images, from which a recognizer with ``centres`` measures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import tensorflow as tf

from iacyclegan_tf.data.streams.face_views import FaceViews
from iacyclegan_tf.data.streams.image_sources import ImageFiles, ImageSource, each, source_of
from iacyclegan_tf.models.vggface import Recognizer

_BATCH = 16


def set_centres(recognizer: Recognizer, sources: Sequence[np.ndarray | ImageSource]) -> None:
    """One centre for each of the two ``sources`` (uint8 ``[N, H, W, 3]``) at each of its ``crops``, by assignment.

    Which centre an image is measured from is found by the network itself, the nearest one: nobody has to say whether
    an image is a photo or a sketch, real or synthesized, cropped or not. Without centres nothing is done.
    """
    if recognizer.centres is None:
        return
    centres = [_mean(recognizer, source_of(images), crop) for images in sources for crop in recognizer.crops]
    recognizer.centres.assign(np.stack(centres).astype(np.float32))


def _mean(recognizer: Recognizer, images: ImageSource, crop: float) -> np.ndarray:
    """The mean embedding of all images, each in the same view, without chance."""
    view, numbers = FaceViews(crop), tf.constant(images.numbers, tf.int64)
    batches = each(len(images.numbers), lambda place: view.central(images(numbers[place])), images.parallel)
    with images.reading() if isinstance(images, ImageFiles) else nullcontext():
        total = sum(
            recognizer.vectors(batch, recognizer.embedding).numpy().astype(np.float64).sum(0)
            for batch in batches.batch(_BATCH)
        )
    return total / len(images.numbers)
