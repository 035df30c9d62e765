"""What is served: the four servables, their signatures and the names in them. Clients may rely on these names."""

from __future__ import annotations

from dataclasses import dataclass

PHOTO_TO_SKETCH, SKETCH_TO_PHOTO = "photo_to_sketch", "sketch_to_photo"
PHOTO_RECOGNIZER, SKETCH_RECOGNIZER = "photo_recognizer", "sketch_recognizer"
SERVABLES = (PHOTO_TO_SKETCH, SKETCH_TO_PHOTO, PHOTO_RECOGNIZER, SKETCH_RECOGNIZER)
EXTRA = "assets.extra"  # the folder of an export that holds warm-up requests, model card and what else is not the graph


@dataclass(frozen=True)
class Signature:
    """Names of inputs and outputs with their types: ``string`` is encoded images, ``float32`` pixels or numbers."""

    inputs: dict[str, str]
    outputs: dict[str, str]


_TRANSLATOR = {
    "serving_default": Signature({"image_bytes": "string"}, {"image_bytes": "string"}),
    "tensor": Signature({"images": "float32"}, {"images": "float32"}),
}
_RECOGNIZER = {
    "serving_default": Signature({"image_bytes": "string"}, {"embedding": "float32"}),
    "tensor": Signature({"images": "float32"}, {"embedding": "float32"}),
    "match": Signature({"probe_bytes": "string", "gallery_bytes": "string"}, {"scores": "float32"}),
}


def is_recognizer(servable: str) -> bool:
    return servable in (PHOTO_RECOGNIZER, SKETCH_RECOGNIZER)


def signatures(servable: str) -> dict[str, Signature]:
    """By name, for one of ``SERVABLES``."""
    return _RECOGNIZER if is_recognizer(servable) else _TRANSLATOR


CALIBRATION = "calibration.json"  # in EXTRA: what a score of the recognizers is worth
