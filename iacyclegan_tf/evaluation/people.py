"""How well people are told apart from one photo each: a recognizer, and two matchers that were never trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.people.folder import PeoplePhotos
from iacyclegan_tf.evaluation.recognition import hog_cell
from iacyclegan_tf.metrics import hog_scores, luminance, rank1_by_gallery_choice

PROTOCOL = (
    "one photo of each person is the gallery, all other photos are probes; rank-1 by cosine, ties count against the "
    "system; averaged over the choices of gallery photo (the j-th of every person, for every j that all have)"
)
RAW, HOG, LEARNED = "raw pixels, standardised", "HOG", "this recognizer"


def measure_people(
    people: PeoplePhotos, embed: Callable[[Sequence[np.ndarray]], np.ndarray], fit: Callable[[np.ndarray], np.ndarray]
) -> dict:
    """``{matcher: {"mean", "least", "most", "choices"}}``, shares in 0..1; a matcher that cannot be used: ``{"why"}``.

    ``embed``: uint8 images -> unit vectors ``[N, D]``. ``fit`` brings photos of several sizes to one for the others.
    """
    photos = people.photos
    if len({photo.shape for photo in photos}) > 1:
        photos = [fit(photo) for photo in photos]
    gray = np.stack([luminance(photo) for photo in photos])
    vectors = embed(people.photos)
    result = {RAW: _summary(_standardized(gray), people.identities)}
    try:
        result[HOG] = _summary(hog_scores(gray, gray, hog_cell(photos[0])), people.identities)
    except UserError as error:
        result[HOG] = {"why": str(error)}
    return result | {LEARNED: _summary(vectors @ vectors.T, people.identities)}


def _standardized(gray: np.ndarray) -> np.ndarray:
    """Scores by nearness of pixels with mean 0 and deviation 1 in each photo: the correlation of two photos."""
    pixels = gray.reshape(len(gray), -1).astype(np.float64)
    pixels -= pixels.mean(1, keepdims=True)
    pixels /= np.maximum(np.linalg.norm(pixels, axis=1, keepdims=True), 1e-12)
    return pixels @ pixels.T


def _summary(scores: np.ndarray, identities: Sequence[str]) -> dict:
    choices = rank1_by_gallery_choice(scores, identities)
    return {
        "mean": float(choices.mean()),
        "least": float(choices.min()),
        "most": float(choices.max()),
        "choices": choices.tolist(),
    }
