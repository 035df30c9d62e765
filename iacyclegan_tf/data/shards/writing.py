"""Writes a prepared set as TFRecord shards, which training can stream where a set is too large for memory.

Pair i of a split goes to shard i mod n of its n shards, so that shards are equally long and alike. A record is a
``tf.train.Example`` with the two encoded images (``FEATURES`` in ``record_pairs.py``). Each shard appears whole,
with its entry beside it, and the index comes last: the same call goes on where an earlier one was interrupted.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf import __version__
from iacyclegan_tf.common.atomic_files import remove_if_abandoned, write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import read_bytes, read_image
from iacyclegan_tf.data.pairs.pair import Pair, Pairing
from iacyclegan_tf.data.pairs.splits import SPLITS
from iacyclegan_tf.data.shards.entry import Shard, load, sha256_of, shard_of
from iacyclegan_tf.data.shards.index import FOLDER, INDEX, index_text, parse_index
from iacyclegan_tf.data.shards.record_pairs import decode, example
from iacyclegan_tf.data.shards.records import write_records

_ENTRY = ".entry.json"  # a shard's part of the index, while others are being written
_AHEAD = 64  # records encoded side by side, so that memory stays bounded
Progress = Callable[[Sequence[Pair], str], Iterable[Pair]]


def write_shards(
    pairing: Pairing, root: Path, shards: int, progress: Progress = lambda pairs, words: pairs
) -> list[str]:
    """Writes ``root/tfrecords/`` with ``shards`` (1..99,999) files per split (fewer where a split has fewer pairs) and its index.

    Args:
        pairing: pairs with their splits; files below ``root``.
        progress: wraps the pairs of a shard, given the words for it.

    Returns:
        Lines for a person: what was written and what was there already.

    Raises:
        UserError: an image cannot be read or the disk refuses; shards that are complete stay.
    """
    folder = root / FOLDER
    known, wanted = _known(folder), dict(_wanted(pairing, shards))
    sources = {file: _source_sha256(pairs, root) for file, pairs in wanted.items()}
    done = {
        file: known[file]
        for file in wanted
        if file in known and known[file].source_sha256 == sources[file] and _is_there(folder, known[file])
    }
    lines = [f"{folder / file}: was there" for file in done]
    if len(done) < len(wanted):
        for shard in done.values():
            _write_entry(folder, shard)
        (folder / INDEX).unlink(missing_ok=True)  # it must never stand beside shards that it does not describe
    for file in wanted:
        if file not in done:
            done[file] = _write(folder / file, progress(wanted[file], file), root, sources[file])
            _write_entry(folder, done[file])
            lines.append(f"{folder / file}: {len(done[file])} pairs, {done[file].bytes} bytes")
    write_text(folder / INDEX, index_text(f"iacyclegan_tf {__version__}", tuple(done[file] for file in wanted)))
    for path in [*folder.glob(f"*{_ENTRY}"), *(path for path in folder.glob("*.tfrecord") if path.name not in wanted)]:
        path.unlink()
    return lines


def _wanted(pairing: Pairing, shards: int) -> Iterator[tuple[str, list[Pair]]]:
    for split in SPLITS:
        pairs = pairing.of_split(split)
        count = min(shards, len(pairs))
        for number in range(count):
            yield f"{split}-{number:05d}-of-{count:05d}.tfrecord", list(pairs[number::count])


def _known(folder: Path) -> dict[str, Shard]:
    """What an earlier call says it wrote; an index or entry that cannot be read counts as none, and is written anew."""
    shards: list[Shard] = []
    for path, read in [
        (folder / INDEX, lambda path: parse_index(path).shards),
        *((path, lambda path: [shard_of(path, load(path))]) for path in folder.glob(f"*{_ENTRY}")),
    ]:
        try:
            shards += read(path)
        except UserError:
            continue
    return {shard.file: shard for shard in shards}


def _is_there(folder: Path, shard: Shard) -> bool:
    path = folder / shard.file
    return path.is_file() and path.stat().st_size == shard.bytes and sha256_of(path) == shard.sha256


def _write_entry(folder: Path, shard: Shard) -> None:
    write_text(folder / f"{shard.file.removesuffix('.tfrecord')}{_ENTRY}", json.dumps(dataclasses.asdict(shard)))


def _source_sha256(pairs: Sequence[Pair], root: Path) -> str:
    digest = hashlib.sha256()
    for pair in pairs:
        for part in (pair.identity, _name(pair.photo, root), _name(pair.sketch, root)):
            digest.update(part.encode("utf-8") + b"\n")
        for path in (pair.photo, pair.sketch):
            digest.update(hashlib.sha256(read_bytes(path)).digest())
    return digest.hexdigest()


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _write(path: Path, pairs: Iterable[Pair], root: Path, source: str) -> Shard:
    columns: dict[str, list] = {name: [] for name in ("identities", "photos", "sketches", "sizes")}

    def records() -> Iterator[bytes]:
        for pair, (photo, photo_size), (sketch, sketch_size) in _encoded_pairs(pairs):
            names = _name(pair.photo, root), _name(pair.sketch, root)
            for name, value in zip(columns, (pair.identity, *names, [*photo_size, *sketch_size])):
                columns[name].append(value)
            yield example(pair.identity, photo, photo_size, sketch, sketch_size)

    for left in path.parent.glob(f".{path.name}.*.partial"):  # of a killed call
        remove_if_abandoned(left)
    try:
        offsets = write_records(path, records())
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be written: {error}. The shards before it are complete; the same command goes on there."
        ) from None
    return Shard(
        path.name, path.name.split("-")[0], path.stat().st_size, sha256_of(path), source, **columns, offsets=offsets
    )


def _encoded_pairs(pairs: Iterable[Pair]) -> Iterator[tuple]:
    """Pair and, for photo and sketch, encoded image and (height, width); some at a time on all cores."""
    _decode()  # before many threads ask for it at once
    with ThreadPoolExecutor() as pool:
        some: list[Pair] = []

        def encoded() -> Iterator[tuple]:
            images = list(pool.map(_encoded, [path for pair in some for path in (pair.photo, pair.sketch)]))
            yield from zip(some, images[::2], images[1::2])

        for pair in pairs:
            some.append(pair)
            if len(some) == _AHEAD:
                yield from encoded()
                some.clear()
        yield from encoded()


@functools.cache
def _decode() -> tf.types.experimental.GenericFunction:
    """As the stream decodes, traced once."""
    function = tf.function(decode, input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.int32)])
    function.get_concrete_function()
    return function


def _encoded(path: Path) -> tuple[bytes, tuple[int, int]]:
    """The file's own bytes where the stream decodes them to exactly what ``read_image`` sees; else that as PNG."""
    image = read_image(path)
    size = image.shape[:2]
    data = read_bytes(path)
    try:
        if np.array_equal(_decode()(data, np.array(size, np.int32)), image):
            return data, size
    except tf.errors.OpError:  # of a format that the stream does not read, e.g. TIFF
        pass
    return tf.io.encode_png(image).numpy(), size
