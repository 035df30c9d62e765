"""What flows through the pipeline: an image with its name, a result with its name, or a failure with its reason."""

from __future__ import annotations

from typing import NamedTuple

import apache_beam as beam
import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import decode_image

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
    return beam.pvalue.TaggedOutput(FAILED, Failure(name, " ".join(str(reason).split())[:500]))


def count(what: str, number: int = 1) -> None:
    """Adds to a counter of the running pipeline."""
    beam.metrics.Metrics.counter(GROUP, what).inc(number)


class Decode(beam.DoFn):
    """``Encoded`` -> ``Pixels``, by the one door for images, and no larger than a network may take."""

    def process(self, element: Encoded):
        from iacyclegan_tf.serving.decoding import MAX_PIXELS  # TensorFlow: in the workers alone

        try:
            image = decode_image(element.data, element.name)
        except UserError as error:
            yield failure(element.name, error)
            return
        if image.shape[0] * image.shape[1] > MAX_PIXELS:
            yield failure(
                element.name,
                f"'{element.name}' has {image.shape[1]}x{image.shape[0]} pixels; the models take at most {MAX_PIXELS}.",
            )
            return
        yield Pixels(element.name, image)
