"""A SavedModel, called in this process through its signatures, as a server calls it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.errors import UserError


class Served:
    """One exported version, in the place of the module it was made from (``servables.py``)."""

    def __init__(self, folder: Path):
        try:
            self._model = tf.saved_model.load(str(folder))  # kept: its variables live as long as it does
            self._tensor = self._model.signatures["tensor"]
        except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
            reason = str(error).split("\n")[0][:300]
            raise UserError(f"The SavedModel {folder} cannot be loaded: {reason}") from None

    def tensor(self, images: np.ndarray) -> dict[str, tf.Tensor]:
        """float32 ``[N, h, w, 3]`` RGB in 0..255 -> the signature's named outputs."""
        return self._tensor(images=tf.constant(images))
