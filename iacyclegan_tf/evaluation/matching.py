"""The four ways to compare a probe sketch with gallery photos: none, photo, sketch and fusion (Section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from iacyclegan_tf.data.face_pairs import FacePairs
from iacyclegan_tf.metrics import fuse
from iacyclegan_tf.serving.calling import Images, call, embed

WAYS = ("none", "photo", "sketch", "fusion")
LEARNED = WAYS[1:]  # those of a run's own recognizers, which a gallery offers


@dataclass(frozen=True)
class Matcher:
    """The models of one round, as functions on uint8 images (``from_servables``)."""

    to_sketch: Callable[[Images], list[np.ndarray]]
    to_photo: Callable[[Images], list[np.ndarray]]
    embed_initial: Callable[[Images], np.ndarray]
    embed_photo: Callable[[Images], np.ndarray]
    embed_sketch: Callable[[Images], np.ndarray]


def from_servables(photo_to_sketch, sketch_to_photo, initial, photo_recognizer, sketch_recognizer) -> Matcher:
    """A ``Matcher`` from ``served_modules.Translator`` and ``Embedder``."""
    recognizers = (initial, photo_recognizer, sketch_recognizer)
    return Matcher(
        partial(call, photo_to_sketch), partial(call, sketch_to_photo), *(partial(embed, one) for one in recognizers)
    )


def shown(pairs: FacePairs, fake_photos: Images, fake_sketches: Images) -> tuple[Images, Images, Images, Images]:
    """Sketches, photos, fake photos and fake sketches as recognizers are shown them: chips where ``pairs`` have them,
    a synthesized image's cut where its source's was."""
    if pairs.photo_chips is None:
        return pairs.original_sketches, pairs.original_photos, fake_photos, fake_sketches
    return (
        *(pairs.sketch_chips.images, pairs.photo_chips.images),
        *(pairs.sketch_chips.cut(fake_photos), pairs.photo_chips.cut(fake_sketches)),
    )


def match(
    matcher: Matcher, sketches: Images, photos: Images, fake_photos: Images, fake_sketches: Images
) -> dict[str, np.ndarray]:
    """Score matrices ``[probes, gallery]``, cosines (fusion: added z-scores); probes are sketches, the gallery photos.

    ``none``: the initial Φ0 on both images. ``photo``: Φp on the probe's synthesized photo and the gallery's photo.
    ``sketch``: Φs on the probe's sketch and the gallery's synthesized sketch. ``fusion``: both, z-normalized, added.
    ``fake_photos`` belong to ``sketches``, ``fake_sketches`` to ``photos``, by index.
    """
    learned = recognizer_scores(matcher, sketches, photos, fake_photos, fake_sketches)
    none = matcher.embed_initial(sketches) @ matcher.embed_initial(photos).T
    return {"none": none, **learned, "fusion": fuse(list(learned.values()))}


def recognizer_scores(
    matcher: Matcher, sketches: Images, photos: Images, fake_photos: Images, fake_sketches: Images
) -> dict[str, np.ndarray]:
    """The score matrices of Φp and Φs alone: ``photo`` and ``sketch`` of ``match``."""
    return {
        "photo": matcher.embed_photo(fake_photos) @ matcher.embed_photo(photos).T,
        "sketch": matcher.embed_sketch(sketches) @ matcher.embed_sketch(fake_sketches).T,
    }
