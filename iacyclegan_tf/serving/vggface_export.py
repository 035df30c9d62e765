"""A file of VGG-Face's weights, in any of their formats, as a SavedModel."""

from __future__ import annotations

import json
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.models.vggface_weights import VGGFaceWeights
from iacyclegan_tf.serving.publishing.export import new_export
from iacyclegan_tf.serving.served_modules import Embedder
from iacyclegan_tf.serving.signatures import EXTRA, PHOTO_RECOGNIZER

FILE = "origin.json"  # in assets.extra: from what the SavedModel was made


def export_vggface(weights: VGGFaceWeights, folder: Path, origin: dict) -> None:
    """Writes the SavedModel of VGG-Face's fc7, or pool5 where the file has no top, whole or not at all.

    Its signatures are those of the served recognizers (docs/serving.md).

    Raises:
        UserError: ``folder`` exists or cannot be written, or the widths are not the published ones.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; a SavedModel is never changed. Give another folder.")
    recognizer = Recognizer(embedding="fc7" if weights.has_top else "pool5")
    recognizer.load_vggface(weights)
    module = Embedder(recognizer, Fit("squeeze", recognizer.input_size, recognizer.input_size))
    with new_export(module, PHOTO_RECOGNIZER, folder) as aside:
        (aside / EXTRA / FILE).write_text(json.dumps(origin, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
