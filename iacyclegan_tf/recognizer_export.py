"""A weights file as a SavedModel: VGG-Face's in any of their formats, or a recognizer of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.errors import UserError
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.models.recognizer_file import RecognizerFile, load_recognizer
from iacyclegan_tf.models.vggface_weights import VGGFaceWeights
from iacyclegan_tf.publish import new_export
from iacyclegan_tf.servables import Embedder
from iacyclegan_tf.serving.contract import EXTRA, PHOTO_RECOGNIZER

FILE = "origin.json"  # in assets.extra: from what the SavedModel was made


def vggface_module(weights: VGGFaceWeights) -> Embedder:
    """VGG-Face's fc7, or pool5 where the file has no top; ``UserError`` for other widths than the published ones."""
    recognizer = Recognizer(embedding="fc7" if weights.has_top else "pool5")
    recognizer.load_vggface(weights)
    return Embedder(_trimmed(recognizer), Fit("squeeze", recognizer.input_size, recognizer.input_size))


def own_module(path: Path, file: RecognizerFile) -> Embedder:
    """The recognizer in the file at ``path``; images are brought to it as when it was trained."""
    recognizer = Recognizer(**file.settings)
    load_recognizer(recognizer, path)
    try:
        fit = Fit(**file.origin["fit"])
    except (KeyError, TypeError):
        raise UserError(f"{path} does not say how images were brought to it; train it again, or load it with "
                        "recognizer.weights.") from None
    return Embedder(_trimmed(recognizer), fit)


def _trimmed(recognizer: Recognizer) -> Recognizer:
    """Without the layers above the embedding, which a file need not hold: else their random numbers would be saved too."""
    needed = {id(layer) for layer in recognizer.layers_up_to(recognizer.embedding)}
    for name in ("blocks", "norms"):
        setattr(recognizer, name, [[layer for layer in layers if id(layer) in needed] for layers in getattr(recognizer, name)])
    for name in ("fc6", "fc7"):
        if id(getattr(recognizer, name)) not in needed:
            setattr(recognizer, name, tf.Module())  # Keras would go on saving a layer that is merely deleted
    return recognizer


def export_recognizer(module: Embedder, folder: Path, origin: dict) -> None:
    """Writes the SavedModel, whole or not at all, with the signatures of the served recognizers (docs/serving.md).

    ``UserError`` where ``folder`` exists or cannot be written.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; a SavedModel is never changed. Give another folder.")
    with new_export(module, PHOTO_RECOGNIZER, folder) as aside:
        (aside / EXTRA / FILE).write_text(json.dumps(origin, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
