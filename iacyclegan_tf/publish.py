"""SavedModels, one version a round: ``savedmodels/<run>/<servable>/<round>``, written aside and renamed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.errors import UserError

SERVABLES = ("photo_to_sketch", "sketch_to_photo", "photo_recognizer", "sketch_recognizer")


def export(module: tf.Module, folder: Path) -> Path:
    """Saves ``module`` with its signatures to ``folder``, whose name is the version; an existing one is never changed.

    A server that polls the parent sees either nothing or the complete version: the sibling that is written has
    a name that is no integer. Operations outside stock TensorFlow are refused at save time.
    """
    if folder.exists():
        return folder
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        tf.saved_model.save(module, str(aside), signatures=module.signatures(),
                            options=tf.saved_model.SaveOptions(namespace_whitelist=[]))
        for path in [*aside.rglob("*"), aside]:
            _fsync(path)
        os.rename(aside, folder)
        _fsync(folder.parent)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise UserError(f"The SavedModel {folder} could not be written: {error}.") from None
    return folder


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
