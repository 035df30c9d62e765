"""Finds the image that a server cannot decode: one such image fails its whole request, so the batch is halved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.serving.client.connection import Refused


@dataclass(frozen=True)
class Image:
    """An encoded image, the file that it is from, and its width and height where its header tells them."""

    path: Path
    data: bytes
    size: tuple[int, int] | None = None


def batches(images: list[Image], count: int, most_bytes: int) -> Iterator[list[Image]]:
    """At most ``count`` images and ``most_bytes`` at a time, in order; ``UserError`` for one that alone is larger."""
    batch: list[Image] = []
    for image in images:
        if len(image.data) > most_bytes:
            raise UserError(
                f"{printable(image.path)} has {len(image.data) / 2**20:.1f} MB; --max-message-mb allows "
                f"{most_bytes / 2**20:.1f} MB for the images of one request."
            )
        if len(batch) == count or sum(len(one.data) for one in batch) + len(image.data) > most_bytes:
            yield batch
            batch = []
        batch.append(image)
    if batch:
        yield batch


def answers(images: list[Image], ask: Callable[[list[Image]], list]) -> Iterator[tuple[Image, object]]:
    """Each image with its answer, or with the ``Refused`` that the server gave to it alone.

    ``ask`` gives one answer for each image of a batch or raises ``Refused``; a batch with one bad image among n costs
    about 2 log2(n) further requests.
    """
    try:
        yield from zip(images, ask(images), strict=True)
    except Refused as error:
        if len(images) == 1:
            yield images[0], error
        else:
            for half in (images[: len(images) // 2], images[len(images) // 2 :]):
                yield from answers(half, ask)
