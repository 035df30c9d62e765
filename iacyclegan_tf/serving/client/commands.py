"""What the client command does: translate, embed and match image files on a server."""

from __future__ import annotations

import argparse
import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import write_bytes, write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.tables import no_formula
from iacyclegan_tf.data.images.files import decode_image, encode_png, read_bytes
from iacyclegan_tf.data.images.headers import HeaderError, read_header
from iacyclegan_tf.serving.client.answers import png_size
from iacyclegan_tf.serving.client.connection import Connection, Model, Refused
from iacyclegan_tf.serving.client.splitting import Image, answers, batches
from iacyclegan_tf.serving.contract import PHOTO_TO_SKETCH, SKETCH_TO_PHOTO

_LONGEST_NAME = 1000  # of a file, in what is printed


def translate(connection: Connection, options: argparse.Namespace) -> None:
    images = _read(options.images)
    targets = {image.path: options.out / f"{image.path.stem}.{options.to}.png" for image in images}
    places = [os.path.realpath(target) for target in targets.values()]
    if len(set(places)) < len(images):
        raise UserError("Two of the images have the same name, so that one result would replace the other.")
    for image in images:
        if os.path.realpath(image.path) in places:
            raise UserError(
                f"A result would replace {_shown(image.path)}, which is one of the images. Give another --out."
            )
    failed, model = [], _model(PHOTO_TO_SKETCH if options.to == "sketch" else SKETCH_TO_PHOTO, options)
    for image, answer in _each(connection, model, images, options.batch, failed):
        if image.size and png_size(answer) != image.size:
            raise UserError(
                f"The server at {connection.server.name} answered an image of {png_size(answer)} for "
                f"{_shown(image.path)} of {image.size} pixels (width, height); nothing of that is used."
            )
        write_bytes(targets[image.path], answer)
        print(_shown(targets[image.path]))
    _name(failed, len(images))


def embed(connection: Connection, options: argparse.Namespace) -> None:
    images, failed = _read(options.images), []
    found = dict(_each(connection, _model(f"{options.of}_recognizer", options), images, options.batch, failed))
    if found:
        lengths = {len(row) for row in found.values()}
        if len(lengths) > 1:
            raise UserError(
                f"The server at {connection.server.name} answered embeddings of the lengths {sorted(lengths)}."
            )
        file = io.BytesIO()
        np.savez(file, names=np.array([str(image.path) for image in found]), embeddings=np.stack(list(found.values())))
        write_bytes(options.out, file.getvalue())
        print(f"{_shown(options.out)}: {len(found)} embeddings of {lengths.pop()} numbers")
    _name(failed, len(images))


def match(connection: Connection, options: argparse.Namespace) -> None:
    model, failed = _model(f"{options.of}_recognizer", options), []
    probes, gallery = _read(options.probes), _read(options.gallery)
    half = connection.server.max_message_mb * 2**20 * 3 // 8  # both sides share a message; base64 adds a third
    rows: dict[Path, dict[Path, float]] = {}
    for some_probes in batches(probes, options.batch, half):
        for some_gallery in batches(gallery, options.batch, half):
            for probe, other, score in _block(connection, model, some_probes, some_gallery, failed):
                rows.setdefault(probe.path, {})[other.path] = score
    if options.out and rows:
        names = [path for path in dict.fromkeys(image.path for image in gallery) if path in next(iter(rows.values()))]
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["probe", *(no_formula(str(name)) for name in names)])
        writer.writerows(
            [no_formula(str(probe)), *(f"{row[name]:.6f}" for name in names)] for probe, row in rows.items()
        )
        write_text(options.out, text.getvalue())
        print(_shown(options.out))
    else:
        for probe, row in rows.items():
            print(_shown(probe))
            for name, score in sorted(row.items(), key=lambda item: -item[1])[:5]:
                print(f"  {score:7.4f}  {_shown(name)}")
    _name(list(dict.fromkeys(failed)), len({*options.probes, *options.gallery}))


def _block(
    connection: Connection, model: Model, probes: list[Image], gallery: list[Image], failed: list
) -> Iterator[tuple[Image, Image, float]]:
    """Scores of every probe against every gallery image of one request, without those that cannot be decoded."""
    known = {path for path, _ in failed}
    probes, gallery = ([image for image in side if image.path not in known] for side in (probes, gallery))
    if not probes or not gallery:
        return
    try:
        outputs = connection.predict(
            model,
            "match",
            {"probe_bytes": [image.data for image in probes], "gallery_bytes": [image.data for image in gallery]},
        )
    except Refused as error:
        good = [[one for one, _ in _each(connection, model, side, len(side), failed)] for side in (probes, gallery)]
        if good == [probes, gallery]:
            raise UserError(f"The server at {connection.server.name} refused the request: {error}") from None
        yield from _block(connection, model, *good, failed)
        return
    for probe, row in zip(probes, outputs["scores"], strict=True):
        for other, score in zip(gallery, row, strict=True):
            yield probe, other, float(score)


def _each(
    connection: Connection, model: Model, images: list[Image], batch: int, failed: list
) -> Iterator[tuple[Image, object]]:
    """Each decodable image with its answer; the others go to ``failed`` with the server's reason."""

    def ask(some: list[Image]) -> list:
        outputs = connection.predict(model, "serving_default", {"image_bytes": [image.data for image in some]})
        return list(*outputs.values())

    most = connection.server.max_message_mb * 2**20 * 3 // 4  # base64 adds a third
    for some in batches(images, batch, most):
        for image, answer in answers(some, ask):
            if isinstance(answer, Refused):
                failed.append((image.path, str(answer)))
            else:
                yield image, answer


def _model(name: str, options: argparse.Namespace) -> Model:
    return Model(name, options.version, options.label)


def _read(paths: list[Path]) -> list[Image]:
    return [_upright(path, read_bytes(path)) for path in dict.fromkeys(paths)]


def _upright(path: Path, data: bytes) -> Image:
    """As it is; a photo that its EXIF orientation puts upright is turned here, since served graphs do not read that."""
    try:
        header = read_header(data)
    except HeaderError:
        return Image(path, data)  # the server says what is wrong with it
    if header.orientation == 1:
        return Image(path, data, (header.width, header.height))
    pixels = decode_image(data, str(path))
    return Image(path, encode_png(pixels), (pixels.shape[1], pixels.shape[0]))


def _name(failed: list[tuple[Path, str]], total: int) -> None:
    if failed:
        raise UserError(
            f"{len(failed)} of {total} images could not be used by the server; the others are done:\n"
            + "\n".join(f"  {_shown(path)}: {reason}" for path, reason in failed)
        )


def _shown(path: Path) -> str:
    return printable(path, _LONGEST_NAME)
