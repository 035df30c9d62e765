"""The four ways to compare a probe sketch with gallery photos: none, photo, sketch and fusion (Section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.metrics import fuse
from iacyclegan_tf.serving.calling import Images, call, embed

WAYS = ("none", "photo", "sketch", "fusion")


@dataclass(frozen=True)
class Matcher:
    """The models of one round, as functions on uint8 images (``from_servables``)."""

    to_sketch: Callable[[Images], list[np.ndarray]]
    to_photo: Callable[[Images], list[np.ndarray]]
    embed_initial: Callable[[Images], np.ndarray]
    embed_photo: Callable[[Images], np.ndarray]
    embed_sketch: Callable[[Images], np.ndarray]


def from_servables(photo_to_sketch, sketch_to_photo, initial, photo_recognizer, sketch_recognizer) -> Matcher:
    """A ``Matcher`` from ``servables.Translator`` and ``servables.Embedder`` modules."""
    return Matcher(
        lambda images: call(photo_to_sketch, images),
        lambda images: call(sketch_to_photo, images),
        *(
            lambda images, module=module: embed(module, images)
            for module in (initial, photo_recognizer, sketch_recognizer)
        ),
    )


def match(
    matcher: Matcher, sketches: Images, photos: Images, fake_photos: Images, fake_sketches: Images
) -> dict[str, np.ndarray]:
    """Score matrices ``[probes, gallery]``, cosines (fusion: added z-scores); probes are sketches, the gallery photos.

    ``none``: the initial Φ0 on both images. ``photo``: Φp on the probe's synthesised photo and the gallery's photo.
    ``sketch``: Φs on the probe's sketch and the gallery's synthesised sketch. ``fusion``: both, z-normalised, added.
    ``fake_photos`` belong to ``sketches``, ``fake_sketches`` to ``photos``, by index.
    """
    learned = recognizer_scores(matcher, sketches, photos, fake_photos, fake_sketches)
    return {
        "none": matcher.embed_initial(sketches) @ matcher.embed_initial(photos).T,
        **learned,
        "fusion": fuse([learned["photo"], learned["sketch"]]),
    }


def recognizer_scores(
    matcher: Matcher, sketches: Images, photos: Images, fake_photos: Images, fake_sketches: Images
) -> dict[str, np.ndarray]:
    """``photo`` and ``sketch`` of ``match``."""
    return {
        "photo": matcher.embed_photo(fake_photos) @ matcher.embed_photo(photos).T,
        "sketch": matcher.embed_sketch(sketches) @ matcher.embed_sketch(fake_sketches).T,
    }
