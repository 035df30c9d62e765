"""The model in the pipeline: loaded once in each worker process, called on batches of images of one size."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
from apache_beam.utils.shared import Shared

from iacyclegan_tf.inference.pipeline.elements import Pixels, Result, count, failure
from iacyclegan_tf.serving.calling import same_size_batches


class Apply(beam.DoFn):
    """Lists of ``Pixels`` -> ``Result``, and the side output ``failed``.

    Args:
        folder: a SavedModel with the signature ``tensor`` (``serving/contract.py``), where every worker can read it.
        output: the signature's output, ``images`` or ``embedding``.
    """

    def __init__(self, folder: str, output: str):
        self.folder, self.output = folder, output
        self.shared, self.model = Shared(), None

    def process(self, elements: list[Pixels]):
        if self.model is None:  # here, not in setup(), so that the counter belongs to a bundle
            self.model = self.shared.acquire(self._load)
        for places in same_size_batches([element.image.shape for element in elements]):
            yield from self._results([elements[place] for place in places])

    def _load(self):
        from iacyclegan_tf.serving.calling import Served

        count("models loaded")
        return Served(self.folder)

    def _results(self, batch: list[Pixels]) -> Iterator:
        import tensorflow as tf

        try:
            values = self.model.tensor(np.stack([element.image for element in batch]).astype(np.float32))[
                self.output
            ].numpy()
        except tf.errors.OpError as error:
            if len(batch) == 1:
                yield failure(batch[0].name, f"the model refused it: {error.message}")
                return
            for element in batch:  # the others of its batch are not to blame
                yield from self._results([element])
            return
        for element, value in zip(batch, values.astype(np.uint8) if self.output == "images" else values, strict=True):
            yield Result(element.name, value)
