"""SavedModels, one version a round: ``savedmodels/<run>/<servable>/<round>``, written aside and renamed."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.atomic_files import new_folder
from iacyclegan_tf.errors import UserError

SERVABLES = ("photo_to_sketch", "sketch_to_photo", "photo_recognizer", "sketch_recognizer")


def export(module: tf.Module, folder: Path) -> Path:
    """Saves ``module`` with its signatures to ``folder``, whose name is the version; an existing one is never changed.

    A server that polls the parent sees either nothing or the complete version: the sibling that is written has
    a name that is no integer. Operations outside stock TensorFlow are refused at save time.
    """
    if folder.exists():
        return folder
    try:
        with new_folder(folder) as aside:
            tf.saved_model.save(module, str(aside), signatures=module.signatures(),
                                options=tf.saved_model.SaveOptions(namespace_whitelist=[]))
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"The SavedModel {folder} could not be written: {error}.") from None
    return folder
