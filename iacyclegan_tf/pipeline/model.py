"""The model in the pipeline: loaded once in each worker process, called on batches of images of one size."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
from apache_beam.utils.shared import Shared

from iacyclegan_tf.pipeline.elements import Pixels, Result, count, failure

_BATCH_PIXELS = 2**22  # of all images in a call; one image may have more


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
        for batch in batches(elements):
            yield from self._results(batch)

    def _load(self):
        from iacyclegan_tf.served import Served

        count("models loaded")
        return Served(self.folder)

    def _results(self, batch: list[Pixels]) -> Iterator:
        import tensorflow as tf

        try:
            values = self.model.tensor(np.stack([element.image for element in batch]).astype(np.float32))[self.output].numpy()
        except tf.errors.OpError as error:
            if len(batch) == 1:
                yield failure(batch[0].name, f"the model refused it: {error.message}")
                return
            for element in batch:  # the others of its batch are not to blame
                yield from self._results([element])
            return
        for element, value in zip(batch, values.astype(np.uint8) if self.output == "images" else values, strict=True):
            yield Result(element.name, value)


def batches(elements: list[Pixels]) -> Iterator[list[Pixels]]:
    """Those of one size together, few enough of large ones."""
    alike: dict[tuple, list[Pixels]] = {}
    for element in elements:
        alike.setdefault(element.image.shape, []).append(element)
    for (height, width, _), some in alike.items():
        most = max(1, _BATCH_PIXELS // (height * width))
        yield from (some[at:at + most] for at in range(0, len(some), most))
