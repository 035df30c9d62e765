"""A run's exported networks, called through their signatures: what is measured here is what a server answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.checkpoint import read_folder
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.errors import UserError
from iacyclegan_tf.finished_run import TrainedRun
from iacyclegan_tf.matching import Matcher, from_servables
from iacyclegan_tf.networks import build_recognizer
from iacyclegan_tf.servables import Embedder
from iacyclegan_tf.serving.contract import SERVABLES


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


def served_matcher(run: TrainedRun, number: int, initial: Embedder) -> Matcher:
    """Round ``number`` of a run from its SavedModels; ``initial`` from ``initial_recognizer``."""
    servables = {name: Served(run.servable(name, number)) for name in SERVABLES}
    return from_servables(servables["photo_to_sketch"], servables["sketch_to_photo"], initial,
                          servables["photo_recognizer"], servables["sketch_recognizer"])


def initial_recognizer(run: TrainedRun, fit: Fit) -> Embedder:
    """Φ0, which no server needs: from the run's folder ``recognizer_0``, in the module that exports are made of."""
    recognizer = build_recognizer(run.config, "initial_recognizer")
    read_folder(run.path / "recognizer_0", tf.train.Checkpoint(recognizer=recognizer))
    return Embedder(recognizer, fit)
