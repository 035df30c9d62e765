"""One shard's entry in an index: what its file holds and where. Nothing in an entry is trusted before it is checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import MAX_BYTES, MAX_PIXELS, read_bytes
from iacyclegan_tf.data.pairs.pair import Pair
from iacyclegan_tf.data.pairs.splits import SPLITS

_FILE = re.compile(r"[a-z]+-\d{5}-of-\d{5}\.tfrecord")


@dataclass(frozen=True)
class Shard:
    """One file of records, as the index describes it.

    Attributes:
        file: its name inside the folder. split: ``train``, ``dev`` or ``test``.
        bytes, sha256: of the file.
        source_sha256: of the pairs that it was made from (``shard_writing.py``), to go on after an interruption.
        identities, photos, sketches: per record the person and the names of the two image files.
        sizes: per record height and width of the photo, height and width of the sketch.
        offsets: per record the byte where it starts.
    """

    file: str
    split: str
    bytes: int
    sha256: str
    source_sha256: str
    identities: list[str]
    photos: list[str]
    sketches: list[str]
    sizes: list[list[int]]
    offsets: list[int]

    def __len__(self) -> int:
        return len(self.identities)

    def pairs(self) -> list[Pair]:
        return [
            Pair(identity, Path(photo), Path(sketch), self.split)
            for identity, photo, sketch in zip(self.identities, self.photos, self.sketches)
        ]


def sha256_of(path: Path) -> str:
    """Hexadecimal, of a file of any length."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(path: Path):
    """The JSON in a file; ``UserError`` where it is missing or none."""
    try:
        return json.loads(read_bytes(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"'{path}' is damaged: it is no JSON ({str(error)[:100]}). Write the shards anew.") from None


def shard_of(path: Path, entry) -> Shard:
    """One shard's entry in the file ``path``, every value checked; ``UserError`` names the file and what is wrong."""
    names = [field.name for field in dataclasses.fields(Shard)]
    if not isinstance(entry, dict) or sorted(entry) != sorted(names):
        raise UserError(f"'{path}' describes a shard with other fields than {', '.join(names)}; write the shards anew.")
    shard = Shard(**entry)
    wrong = _fault(shard)
    if wrong:
        raise UserError(f"'{path}' is wrong about the shard {shard.file!r}: {wrong}. Write the shards anew.")
    return shard


def _fault(shard: Shard) -> str:
    """What cannot be true, or the empty text. Nothing in an index is trusted: names, sizes and places are bounded."""
    texts = (shard.file, shard.split, shard.sha256, shard.source_sha256)
    columns = (shard.identities, shard.photos, shard.sketches, shard.sizes, shard.offsets)
    if not all(isinstance(text, str) for text in texts) or not _FILE.fullmatch(shard.file) or shard.split not in SPLITS:
        return "its name or split is not allowed"
    if not all(isinstance(column, list) for column in columns) or len({len(column) for column in columns}) != 1:
        return "its lists are not equally long"
    if not all(_is_text(name) for column in columns[:3] for name in column):
        return "an identity or name is no text"
    if not all(
        isinstance(size, list)
        and len(size) == 4
        and all(_is_count(side) for side in size)
        and max(size[0] * size[1], size[2] * size[3]) <= MAX_PIXELS
        for size in shard.sizes
    ):
        return f"an image's size is not within 1 to {MAX_PIXELS} pixels"
    ends = [*shard.offsets[1:], shard.bytes]
    if (
        not all(type(place) is int for place in [*shard.offsets, *ends])
        or (shard.offsets or [0])[0] != 0
        or not all(0 < end - start <= 3 * MAX_BYTES for start, end in zip(shard.offsets, ends))
    ):
        return "its records do not follow each other"
    return ""


def _is_text(value) -> bool:
    """JSON can hold halves of a character, which no file name or UTF-8 text can."""
    return isinstance(value, str) and value == value.encode("utf-8", "ignore").decode("utf-8")


def _is_count(value) -> bool:
    return type(value) is int and value > 0
