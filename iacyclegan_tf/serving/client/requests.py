"""What the client command does: translate, embed and match image files on a server."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from iacyclegan_tf.common.atomic_files import write_bytes, write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.tables import no_formula
from iacyclegan_tf.serving.client.connection import Connection, Model, Refused
from iacyclegan_tf.serving.client.splitting import Image, answers, batches
from iacyclegan_tf.serving.contract import PHOTO_TO_SKETCH, SKETCH_TO_PHOTO


def translate(connection: Connection, options: argparse.Namespace) -> None:
    images = _read(options.images)
    targets = {image.path: options.out / f"{image.path.stem}.{options.to}.png" for image in images}
    if len(set(targets.values())) < len(images):
        raise UserError("Two of the images have the same name, so that one result would replace the other.")
    failed, model = [], _model(PHOTO_TO_SKETCH if options.to == "sketch" else SKETCH_TO_PHOTO, options)
    for image, answer in _each(connection, model, images, options, failed):
        write_bytes(targets[image.path], answer)
        print(targets[image.path])
    _name(failed, len(images))


def embed(connection: Connection, options: argparse.Namespace) -> None:
    import numpy as np

    images, failed = _read(options.images), []
    found = dict(_each(connection, _model(f"{options.of}_recognizer", options), images, options, failed))
    if found:
        file = io.BytesIO()
        np.savez(
            file,
            names=np.array([str(image.path) for image in found]),
            embeddings=np.array(list(found.values()), np.float32),
        )
        write_bytes(options.out, file.getvalue())
        print(f"{options.out}: {len(found)} embeddings of {len(next(iter(found.values())))} numbers")
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
        lines = [
            ["probe", *(no_formula(str(name)) for name in names)],
            *([no_formula(str(probe)), *(f"{row[name]:.6f}" for name in names)] for probe, row in rows.items()),
        ]
        write_text(options.out, _csv(lines))
        print(options.out)
    else:
        for probe, row in rows.items():
            print(probe)
            for name, score in sorted(row.items(), key=lambda item: -item[1])[:5]:
                print(f"  {score:7.4f}  {name}")
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
        good = [_decodable(connection, model, side, failed) for side in (probes, gallery)]
        if good == [probes, gallery]:
            raise UserError(f"The server at {connection.server.name} refused the request: {error}") from None
        yield from _block(connection, model, *good, failed)
        return
    scores = next(iter(outputs.values()))
    if [len(row) for row in scores] != [len(gallery)] * len(probes):
        raise UserError(
            f"The server at {connection.server.name} answered another number of scores than was asked for. "
            "Does it batch the recognizers? docs/serving.md says why match must not be batched."
        )
    yield from ((probe, other, score) for probe, row in zip(probes, scores) for other, score in zip(gallery, row))


def _decodable(connection: Connection, model: Model, images: list[Image], failed: list) -> list[Image]:
    good = []
    for image, answer in answers(images, lambda some: _ask(connection, model, some)):
        if isinstance(answer, Refused):
            failed.append((image.path, str(answer)))
        else:
            good.append(image)
    return good


def _each(
    connection: Connection, model: Model, images: list[Image], options: argparse.Namespace, failed: list
) -> Iterator[tuple[Image, object]]:
    """Each decodable image with its answer; the others go to ``failed`` with the server's reason."""
    most = connection.server.max_message_mb * 2**20 * 3 // 4  # base64 adds a third
    for batch in batches(images, options.batch, most):
        for image, answer in answers(batch, lambda some: _ask(connection, model, some)):
            if isinstance(answer, Refused):
                failed.append((image.path, str(answer)))
            else:
                yield image, answer


def _ask(connection: Connection, model: Model, images: list[Image]) -> list:
    outputs = connection.predict(model, "serving_default", {"image_bytes": [image.data for image in images]})
    values = next(iter(outputs.values()), [])
    if len(values) != len(images):
        raise UserError(f"The server at {connection.server.name} gave {len(values)} results for {len(images)} images.")
    return values


def _model(name: str, options: argparse.Namespace) -> Model:
    return Model(name, options.version, options.label)


def _read(paths: list[Path]) -> list[Image]:
    images = []
    for path in dict.fromkeys(paths):
        try:
            images.append(Image(path, path.read_bytes()))
        except OSError as error:
            raise UserError(f"The image {path} cannot be read: {error.strerror}.") from None
    return images


def _name(failed: list[tuple[Path, str]], total: int) -> None:
    if failed:
        raise UserError(
            f"{len(failed)} of {total} images could not be used by the server; the others are done:\n"
            + "\n".join(f"  {path}: {' '.join(reason.split())[:300]}" for path, reason in failed)
        )


def _csv(lines: list[list[str]]) -> str:
    import csv

    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()
