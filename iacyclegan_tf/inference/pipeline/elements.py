"""What flows through the pipeline (images, results and failures, each with its name), and the steps between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.utils.shared import Shared

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.serving.calling import Served, bounded, same_size_batches

FAILED = "failed"  # the side output for elements that could not be done
GROUP = "iacyclegan_tf"  # of the counters


class Encoded(NamedTuple):
    """An image file's bytes. ``name`` is its path below the folder, or what a record calls it."""

    name: str
    data: bytes


class Pixels(NamedTuple):
    """``image``: uint8 ``[h, w, 3]`` RGB."""

    name: str
    image: np.ndarray


class Result(NamedTuple):
    """``values``: uint8 ``[h, w, 3]`` of a translated image, or float32 ``[D]``, an embedding."""

    name: str
    values: np.ndarray


class Failure(NamedTuple):
    name: str
    reason: str


def failure(name: str, reason: object) -> beam.pvalue.TaggedOutput:
    """For the side output; the reason on one line."""
    return beam.pvalue.TaggedOutput(FAILED, Failure(name, printable(" ".join(str(reason).split()), 500)))


def count(what: str, number: int = 1) -> None:
    """Adds to a counter of the running pipeline."""
    beam.metrics.Metrics.counter(GROUP, what).inc(number)


class Decode(beam.DoFn):
    """``Encoded`` -> ``Pixels``, by the one door for images, and no larger than a network may take."""

    def process(self, element: Encoded):
        try:
            image = bounded(decode_image(element.data, element.name), f"'{element.name}'")
        except UserError as error:
            yield failure(element.name, error)
            return
        yield Pixels(element.name, image)


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
        count("models loaded")
        return Served(self.folder)

    def _results(self, batch: list[Pixels]) -> Iterator:
        import tensorflow as tf

        try:
            images = np.stack([element.image for element in batch]).astype(np.float32)
            values = self.model.tensor(images)[self.output].numpy()
        except tf.errors.OpError as error:
            if len(batch) == 1:
                yield failure(batch[0].name, f"the model refused it: {error.message}")
                return
            for element in batch:  # the others of its batch are not to blame
                yield from self._results([element])
            return
        for element, value in zip(batch, values.astype(np.uint8) if self.output == "images" else values, strict=True):
            yield Result(element.name, value)
