"""What the client command does: translate and embed image files on a server."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.errors import UserError, not_all
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.outputs import check_output, made_by
from iacyclegan_tf.data.images.files import decode_image, encode_png, read_bytes
from iacyclegan_tf.data.images.png_record import with_record
from iacyclegan_tf.serving.calling import face
from iacyclegan_tf.serving.client.answers import png_size
from iacyclegan_tf.serving.client.connection import Connection, Model
from iacyclegan_tf.serving.signatures import PHOTO_TO_SKETCH, SKETCH_TO_PHOTO

_LONGEST_NAME = 1000  # of a file, in what is printed


def translate(connection: Connection, options: argparse.Namespace) -> None:
    failed = []
    images = _read(options.images, "photo" if options.to == "sketch" else "sketch", options, failed)
    targets = {path: options.out / f"{path.stem}.{options.to}.png" for path in images}
    places = [os.path.realpath(target) for target in targets.values()]
    if len(set(places)) < len(images):
        raise UserError("Two of the images have the same name, so that one result would replace the other.")
    for path in options.images:
        if os.path.realpath(path) in places:
            raise UserError(f"A result would replace {_shown(path)}, which is one of the images. Give another --out.")
    for target in targets.values() if options.out.is_dir() else ():  # a new folder holds nothing
        check_output(target, "client", options.overwrite)
    model = _model(PHOTO_TO_SKETCH if options.to == "sketch" else SKETCH_TO_PHOTO, options)
    for path, answer in _each(connection, model, images, options.batch):
        if png_size(answer) != png_size(images[path]):
            raise UserError(
                f"The server at {connection.server.name} answered an image of {png_size(answer)} for "
                f"{_shown(path)} of {png_size(images[path])} pixels (width, height); nothing of that is used."
            )
        write_bytes(targets[path], with_record(answer, {"made_by": made_by("client")}))
        print(_shown(targets[path]))
    _name(failed, len(set(options.images)))


def embed(connection: Connection, options: argparse.Namespace) -> None:
    failed = []
    images = _read(options.images, options.of, options, failed)
    model = _model(f"{options.of}_recognizer", options)
    found = dict(_each(connection, model, images, options.batch))
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


def _each(connection: Connection, model: Model, images: dict[Path, bytes], batch: int) -> Iterator[tuple[Path, object]]:
    """The path of each image with its answer."""
    most = connection.server.max_message_mb * 2**20 * 3 // 4  # base64 adds a third
    for some in _batches(images, batch, most):
        yield from zip(some, connection.predict(model, list(some.values())), strict=True)


def _batches(images: dict[Path, bytes], count: int, most_bytes: int) -> Iterator[dict[Path, bytes]]:
    """At most ``count`` images and ``most_bytes`` at a time, in order; ``UserError`` for one that alone is larger."""
    batch: dict[Path, bytes] = {}
    for path, data in images.items():
        if len(data) > most_bytes:
            raise UserError(
                f"{printable(path)} has {len(data) / 2**20:.1f} MB; --max-message-mb allows "
                f"{most_bytes / 2**20:.1f} MB for the images of one request."
            )
        if len(batch) == count or sum(map(len, batch.values())) + len(data) > most_bytes:
            yield batch
            batch = {}
        batch[path] = data
    if batch:
        yield batch


def _model(name: str, options: argparse.Namespace) -> Model:
    return Model(name, options.version, options.label)


def _read(paths: list[Path], of: str, options: argparse.Namespace, failed: list) -> dict[Path, bytes]:
    """Photos or sketches (``of``) as PNG files to send, each under the path of the file that it was made of.

    They are decoded here, since one that the server cannot decode would fail its whole request. The aligned crop,
    or with ``no_align`` the picture as it is. What is no image or has no face goes to ``failed``.
    """
    images = {}
    for path in dict.fromkeys(paths):
        data = read_bytes(path)
        try:
            images[path] = encode_png(face(decode_image(data, str(path)), f"'{path}'", of, not options.no_align))
        except UserError as error:
            failed.append((path, str(error)))
    return images


def _name(failed: list[tuple[Path, str]], total: int) -> None:
    if failed:
        words = not_all(len(failed), total, "could not be used")
        raise UserError("\n".join([words, *(f"  {_shown(path)}: {reason}" for path, reason in failed)]))


def _shown(path: Path) -> str:
    return printable(path, _LONGEST_NAME)
