"""``tfrecords/index.json``: what the shards of a set hold and where, so that nothing is known only by reading them.

It holds, per shard, the file's length and SHA-256, and per record the identity, the names and sizes of both images
and the byte where the record starts. Counts, labels, the split and its hash follow without opening a shard.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.pairs.pair import Pair, Pairing, disjoint, split_hash
from iacyclegan_tf.data.pairs.splits import SPLITS
from iacyclegan_tf.data.shards.entry import Shard, load, shard_of

FOLDER, INDEX = "tfrecords", "index.json"
FORMAT = "iacyclegan_tf pairs 1"


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
        splits, rows = (
            np.concatenate(column)
            for column in zip(
                *((np.full(len(shard), SPLITS.index(shard.split)), np.arange(len(shard))) for shard in self.shards)
            )
        )
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
        raise UserError(
            f"'{root}' holds no {FOLDER}/{INDEX}; python -m iacyclegan_tf.prepare LAYOUT SOURCE OUT "
            "--shards N writes it (docs/data.md)."
        )
    index = parse_index(folder / INDEX)
    for shard in index.shards:
        check_file(index, shard)
    return index


def parse_index(path: Path) -> ShardIndex:
    """An index alone, whatever lies beside it; errors as ``read_index``."""
    content = load(path)
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT or not isinstance(content.get("shards"), list):
        raise UserError(
            f"'{path}' is no index of shards that this version reads (format {found!r}, expected {FORMAT!r})."
        )
    shards = tuple(shard_of(path, entry) for entry in content["shards"])
    pairs = [pair for shard in shards for pair in shard.pairs()]
    facts = {"splits": counts(shards), "split_sha256": split_hash(pairs)}
    wrong = [key for key, value in facts.items() if content.get(key) != value]
    if wrong or not pairs or len({shard.file for shard in shards}) < len(shards):
        raise UserError(
            f"'{path}' contradicts itself ({', '.join(wrong) or 'its list of shards'}): it is damaged or was edited. "
            "Write the shards anew."
        )
    disjoint(Pairing(tuple(pairs)), str(path))
    return ShardIndex(path.parent, shards)


def check_file(index: ShardIndex, shard: Shard) -> None:
    """Raises ``UserError`` unless the shard is there in its full length."""
    path = index.folder / shard.file
    if not path.is_file():
        raise UserError(f"The shard '{path}' is missing; '{index.path}' lists it with {len(shard)} pairs.")
    if path.stat().st_size != shard.bytes:
        raise UserError(
            f"The shard '{path}' has {path.stat().st_size} bytes and '{index.path}' says {shard.bytes}: it is "
            "truncated, or of another preparation."
        )


def counts(shards: tuple[Shard, ...]) -> dict[str, dict]:
    """Pairs and people per split, and pairs per shard."""
    found = {}
    for split in SPLITS:
        own = [shard for shard in shards if shard.split == split]
        if own:
            found[split] = {
                "pairs": sum(map(len, own)),
                "people": len({name for shard in own for name in shard.identities}),
                "pairs_per_shard": [len(shard) for shard in own],
            }
    return found


def index_text(program: str, shards: tuple[Shard, ...]) -> str:
    """The content of ``index.json``."""
    pairs = [pair for shard in shards for pair in shard.pairs()]
    return (
        json.dumps(
            {
                "format": FORMAT,
                "program": program,
                "splits": counts(shards),
                "split_sha256": split_hash(pairs),
                "shards": [dataclasses.asdict(shard) for shard in shards],
            },
            ensure_ascii=False,
        )
        + "\n"
    )
