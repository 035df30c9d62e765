"""A run's exported networks, called through their signatures: what is measured here is what a server answers."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.checkpoint import read_folder
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.finished_run import TrainedRun
from iacyclegan_tf.matching import Matcher, from_servables
from iacyclegan_tf.networks import build_recognizer
from iacyclegan_tf.servables import Embedder
from iacyclegan_tf.serving.contract import SERVABLES
from iacyclegan_tf.serving.loaded import Served


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
