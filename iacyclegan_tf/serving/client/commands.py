"""What the client command does: translate and embed image files on a server."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.errors import UserError, not_all
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.outputs import check_output, made_by
from iacyclegan_tf.data.alignment.crop import PHOTO_BORDER, SKETCH_BORDER
from iacyclegan_tf.data.alignment.portrait import find_portrait
from iacyclegan_tf.data.images.files import decode_image, encode_png, read_bytes
from iacyclegan_tf.data.images.headers import HeaderError, read_header
from iacyclegan_tf.data.images.png_record import with_record
from iacyclegan_tf.serving.client.answers import png_size
from iacyclegan_tf.serving.client.connection import Connection, Model, Refused
from iacyclegan_tf.serving.contract import PHOTO_TO_SKETCH, SKETCH_TO_PHOTO

_LONGEST_NAME = 1000  # of a file, in what is printed


@dataclass(frozen=True)
class Image:
    """An encoded image, the file that it is from, and its width and height where its header tells them."""

    path: Path
    data: bytes
    size: tuple[int, int] | None = None


def translate(connection: Connection, options: argparse.Namespace) -> None:
    failed = []
    images = _read(options.images, "photo" if options.to == "sketch" else "sketch", options, failed)
    targets = {image.path: options.out / f"{image.path.stem}.{options.to}.png" for image in images}
    places = [os.path.realpath(target) for target in targets.values()]
    if len(set(places)) < len(images):
        raise UserError("Two of the images have the same name, so that one result would replace the other.")
    for image in images:
        if os.path.realpath(image.path) in places:
            raise UserError(
                f"A result would replace {_shown(image.path)}, which is one of the images. Give another --out."
            )
    for target in targets.values() if options.out.is_dir() else ():  # a new folder holds nothing
        check_output(target, "client", options.overwrite)
    model = _model(PHOTO_TO_SKETCH if options.to == "sketch" else SKETCH_TO_PHOTO, options)
    for image, answer in _each(connection, model, images, options.batch, failed):
        if image.size and png_size(answer) != image.size:
            raise UserError(
                f"The server at {connection.server.name} answered an image of {png_size(answer)} for "
                f"{_shown(image.path)} of {image.size} pixels (width, height); nothing of that is used."
            )
        write_bytes(targets[image.path], with_record(answer, {"made_by": made_by("client")}))
        print(_shown(targets[image.path]))
    _name(failed, len(set(options.images)))


def embed(connection: Connection, options: argparse.Namespace) -> None:
    failed = []
    images = _read(options.images, options.of, options, failed)
    model = _model(f"{options.of}_recognizer", options)
    found = {image.path: row for image, row in _each(connection, model, images, options.batch, failed)}
    lengths = sorted({len(row) for row in found.values()})
    if len(lengths) > 1:
        raise UserError(f"The server at {connection.server.name} answered embeddings of the lengths {lengths}.")
    if found:
        file, rows = io.BytesIO(), np.stack(list(found.values()))
        np.savez(
            file, made_by=np.bytes_(made_by("client")), names=np.array([str(path) for path in found]), embeddings=rows
        )
        write_bytes(options.out, file.getvalue())
        print(f"{_shown(options.out)}: {len(rows)} embeddings of {rows.shape[1]} numbers")
    _name(failed, len(set(options.images)))


def _each(
    connection: Connection, model: Model, images: list[Image], batch: int, failed: list
) -> Iterator[tuple[Image, object]]:
    """Each decodable image with its answer; the others go to ``failed`` with the server's reason."""

    def ask(some: list[Image]) -> list:
        return list(connection.predict(model, [image.data for image in some]))

    most = connection.server.max_message_mb * 2**20 * 3 // 4  # base64 adds a third
    for some in _batches(images, batch, most):
        for image, answer in _answers(some, ask):
            if isinstance(answer, Refused):
                failed.append((image.path, str(answer)))
            else:
                yield image, answer


def _batches(images: list[Image], count: int, most_bytes: int) -> Iterator[list[Image]]:
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


def _answers(images: list[Image], ask: Callable[[list[Image]], list]) -> Iterator[tuple[Image, object]]:
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
                yield from _answers(half, ask)


def _model(name: str, options: argparse.Namespace) -> Model:
    return Model(name, options.version, options.label)


def _read(paths: list[Path], of: str, options: argparse.Namespace, failed: list) -> list[Image]:
    """Photos or sketches (``of``); those without a face go to ``failed``."""
    images = []
    for path in dict.fromkeys(paths):
        data = read_bytes(path)
        try:
            images.append(_prepared(path, data, of, not options.no_align))
        except UserError as error:
            failed.append((path, str(error)))
    return images


def _prepared(path: Path, data: bytes, of: str, align: bool) -> Image:
    """The aligned crop as PNG; as it is where it is that crop, or nothing is to be aligned.

    A photo that its EXIF orientation puts upright is turned here, since served graphs do not read that.
    """
    try:
        header = read_header(data)
    except HeaderError:
        return Image(path, data)  # the server says what is wrong with it
    if header.orientation == 1 and not align:
        return Image(path, data, (header.width, header.height))
    pixels = decode_image(data, str(path))
    if align:
        portrait = find_portrait(pixels, f"'{path}'")
        if portrait.is_crop and header.orientation == 1:
            return Image(path, data, (header.width, header.height))
        pixels = portrait.cut(PHOTO_BORDER if of == "photo" else SKETCH_BORDER)
    return Image(path, encode_png(pixels), (pixels.shape[1], pixels.shape[0]))


def _name(failed: list[tuple[Path, str]], total: int) -> None:
    if failed:
        words = not_all(len(failed), total, "could not be used by the server")
        raise UserError("\n".join([words, *(f"  {_shown(path)}: {reason}" for path, reason in failed)]))


def _shown(path: Path) -> str:
    return printable(path, _LONGEST_NAME)
