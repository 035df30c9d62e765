"""``tfrecords/index.json``: what the shards of a set hold and where, so that nothing is known only by reading them.

It holds, per shard, the file's length and SHA-256, and per record the identity, the names and sizes of both images
and the byte where the record starts. Counts, labels, the split and its hash follow without opening a shard.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from iacyclegan_tf.data.images import MAX_BYTES, MAX_PIXELS, read_bytes
from iacyclegan_tf.data.pairs import Pair, Pairing, disjoint, split_hash
from iacyclegan_tf.data.splits import SPLITS
from iacyclegan_tf.errors import UserError

FOLDER, INDEX = "tfrecords", "index.json"
FORMAT = "iacyclegan_tf pairs 1"
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
        return [Pair(identity, Path(photo), Path(sketch), self.split)
                for identity, photo, sketch in zip(self.identities, self.photos, self.sketches)]


@dataclass(frozen=True)
class ShardIndex:
    """All shards of a set. ``folder`` holds them and the index."""

    folder: Path
    shards: tuple[Shard, ...]

    @property
    def path(self) -> Path:
        return self.folder / INDEX

    @property
    def files(self) -> list[str]:
        return [str(self.folder / shard.file) for shard in self.shards]

    @cached_property
    def order(self) -> np.ndarray:
        """int64 ``[N]``: the records of all shards one after the other, brought back to the order of the set.

        Pair i of a split lies in shard i mod n of its n shards (``shard_writing.py``).
        """
        splits, rows = (np.concatenate(column) for column in zip(*(
            (np.full(len(shard), SPLITS.index(shard.split)), np.arange(len(shard))) for shard in self.shards)))
        return np.lexsort((self._shard_of_each(), rows, splits))

    def _shard_of_each(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.shards)), [len(shard) for shard in self.shards])

    @property
    def shard_numbers(self) -> np.ndarray:
        """int64 ``[N]``: which of the shards holds each record, in the order of the set."""
        return self._shard_of_each()[self.order]

    @property
    def offsets(self) -> np.ndarray:
        """int64 ``[N]``: the byte where each record starts."""
        return np.concatenate([np.array(shard.offsets, np.int64) for shard in self.shards])[self.order]

    @property
    def sizes(self) -> np.ndarray:
        """int32 ``[N, 4]``: height and width of the photo, then of the sketch."""
        return np.concatenate([np.array(shard.sizes, np.int32).reshape(-1, 4) for shard in self.shards])[self.order]

    def pairs(self) -> list[Pair]:
        """All pairs in the order of the set; their paths are names, not files."""
        everything = [pair for shard in self.shards for pair in shard.pairs()]
        return [everything[number] for number in self.order]


def read_index(root: str | Path) -> ShardIndex:
    """The index of a prepared folder, or of its ``tfrecords/``; every shard must be there in its full length.

    Raises:
        UserError: no index, a damaged one, one that contradicts itself, or a shard that is missing or of another
            length; names the file.
    """
    root = Path(root)
    folder = root / FOLDER if (root / FOLDER / INDEX).is_file() else root
    if not (folder / INDEX).is_file():
        raise UserError(f"'{root}' holds no {FOLDER}/{INDEX}; python -m iacyclegan_tf.prepare LAYOUT SOURCE OUT "
                        "--shards N writes it (docs/data.md).")
    index = parse_index(folder / INDEX)
    for shard in index.shards:
        check_file(index, shard)
    return index


def parse_index(path: Path) -> ShardIndex:
    """An index alone, whatever lies beside it; errors as ``read_index``."""
    content = load(path)
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT or not isinstance(content.get("shards"), list):
        raise UserError(f"'{path}' is no index of shards that this version reads (format {found!r}, expected {FORMAT!r}).")
    shards = tuple(shard_of(path, entry) for entry in content["shards"])
    pairs = [pair for shard in shards for pair in shard.pairs()]
    facts = {"splits": counts(shards), "split_sha256": split_hash(pairs)}
    wrong = [key for key, value in facts.items() if content.get(key) != value]
    if wrong or not pairs or len({shard.file for shard in shards}) < len(shards):
        raise UserError(f"'{path}' contradicts itself ({', '.join(wrong) or 'its list of shards'}): it is damaged or was edited. "
                        "Write the shards anew.")
    disjoint(Pairing(tuple(pairs)), str(path))
    return ShardIndex(path.parent, shards)


def check_file(index: ShardIndex, shard: Shard) -> None:
    """Raises ``UserError`` unless the shard is there in its full length."""
    path = index.folder / shard.file
    if not path.is_file():
        raise UserError(f"The shard '{path}' is missing; '{index.path}' lists it with {len(shard)} pairs.")
    if path.stat().st_size != shard.bytes:
        raise UserError(f"The shard '{path}' has {path.stat().st_size} bytes and '{index.path}' says {shard.bytes}: it is "
                        "truncated, or of another preparation.")


def sha256_of(path: Path) -> str:
    """Hexadecimal, of a file of any length."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def counts(shards: tuple[Shard, ...]) -> dict[str, dict]:
    """Pairs and people per split, and pairs per shard."""
    found = {}
    for split in SPLITS:
        own = [shard for shard in shards if shard.split == split]
        if own:
            found[split] = {"pairs": sum(map(len, own)), "people": len({name for shard in own for name in shard.identities}),
                            "pairs_per_shard": [len(shard) for shard in own]}
    return found


def index_text(program: str, shards: tuple[Shard, ...]) -> str:
    """The content of ``index.json``."""
    pairs = [pair for shard in shards for pair in shard.pairs()]
    return json.dumps({"format": FORMAT, "program": program, "splits": counts(shards), "split_sha256": split_hash(pairs),
                       "shards": [dataclasses.asdict(shard) for shard in shards]}, ensure_ascii=False) + "\n"


def load(path: Path):
    """The JSON in a file; ``UserError`` where it is none."""
    try:
        return json.loads(read_bytes(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"'{path}' is damaged: it is no JSON ({str(error)[:100]}). Write the shards anew.") from None


def shard_of(path: Path, entry) -> Shard:
    """One shard's entry in the file ``path``, every value checked; errors as ``read_index``."""
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
    if not all(isinstance(name, str) for column in columns[:3] for name in column):
        return "an identity or name is no text"
    if not all(isinstance(size, list) and len(size) == 4 and all(_is_count(side) for side in size)
               and max(size[0] * size[1], size[2] * size[3]) <= MAX_PIXELS for size in shard.sizes):
        return f"an image's size is not within 1 to {MAX_PIXELS} pixels"
    ends = [*shard.offsets[1:], shard.bytes]
    if not all(type(place) is int for place in [*shard.offsets, *ends]) or (shard.offsets or [0])[0] != 0 or not all(
            0 < end - start <= 3 * MAX_BYTES for start, end in zip(shard.offsets, ends)):
        return "its records do not follow each other"
    return ""


def _is_count(value) -> bool:
    return type(value) is int and value > 0
