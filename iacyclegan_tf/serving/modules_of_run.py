"""Float32 copies of a run's networks on one device, inside the modules that are measured and exported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.models.build import build_recognizer, build_synthesis, copy_weights
from iacyclegan_tf.models.saved_state import read_folder
from iacyclegan_tf.serving.served_modules import Embedder, Translator


class ServedNetworks:
    """Built once: each round gives its weights by assignment, whatever the training's precision and devices.

    ``modules`` holds ``Translator``s and ``Embedder``s under the names of ``serving/signatures.py`` and
    ``initial_recognizer``.
    """

    def __init__(self, config: Config, image_shape: tuple[int, int, int], fit: Fit):
        self.synthesis = build_synthesis(config, image_shape, seed=0)
        self.recognizers = {
            name: build_recognizer(config, name)
            for name in ("initial_recognizer", "photo_recognizer", "sketch_recognizer")
        }
        generators = (self.synthesis.photo_to_sketch, self.synthesis.sketch_to_photo)
        self.modules: dict[str, tf.Module] = {network.name: Translator(network, fit) for network in generators}
        self.modules |= {name: Embedder(network, fit) for name, network in self.recognizers.items()}
        self._plain = {network.name: network for network in (*generators, *self.recognizers.values())}

    def with_weights_of(self, networks: Iterable[keras.Model]) -> dict[str, tf.Module]:
        """The modules, with the weights of the networks of the same names."""
        for source in networks:
            copy_weights(source, self._plain[source.name])
        return self.modules

    def read_round(self, run: Path, number: int) -> dict[str, tf.Module]:
        """The modules, with the weights that round ``number`` left in the run's folder."""
        read_folder(run / f"round_{number}" / "networks", self.synthesis.checkpoint())
        places = {"initial_recognizer": run / "recognizer_0"}
        for name, recognizer in self.recognizers.items():
            place = places.get(name, run / f"round_{number}" / name)
            read_folder(place, tf.train.Checkpoint(recognizer=recognizer))
        return self.modules
