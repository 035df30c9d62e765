"""A gallery on the disk: one SQLite file with the name, SHA-256, source and embeddings of each photo.

SQLite commits a transaction whole or not at all, keeps the writers of several processes apart, overwrites what is
removed (``secure_delete``: embeddings are biometric data) and gives its place back to the disk (``auto_vacuum``). Each
row has a checksum of the name, the SHA-256 and the embeddings, which is compared when the row is read.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import user_path

FILE = "gallery.sqlite"
FORMAT = 2
NUMBER = np.dtype("<f4")
LONGEST = 1 + 1e-3  # of an embedding, and so of a cosine: 1, and what rounding adds
_WAIT = 60.0  # seconds for another process's transaction
_SETTINGS = (
    "PRAGMA secure_delete = ON",
    "PRAGMA synchronous = EXTRA",  # a commit is on the disk, journal and all, when it returns
    "PRAGMA page_size = 16384",  # an embedding takes few pages
    "PRAGMA auto_vacuum = FULL",
)
_TABLES = (
    "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS photos (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, "
    "source TEXT NOT NULL, checksum INTEGER NOT NULL, vectors BLOB NOT NULL)",
)


@dataclass(frozen=True)
class Entry:
    """A photo of the gallery. ``sha256`` is that of the file ``source``, from which it is shown again."""

    name: str
    sha256: str
    source: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The gallery at one moment: N photos, and by way their embeddings, float32 ``[N, D]``."""

    entries: tuple[Entry, ...]
    vectors: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.entries)


class GalleryStore:
    """Opens the gallery in ``folder``; with ``lengths`` makes it where there is none.

    Args:
        lengths: the length of the embeddings, by way, e.g. ``{"photo": 1024, "sketch": 1024}``.
        models: what they are made with: ``name``, ``number`` and, by servable, ``fingerprints`` and ``folders``. An
            existing gallery keeps its own: compare ``self.models``.
        align: whether the photos are aligned before they are embedded; an existing gallery keeps its own.

    Raises ``UserError`` for a folder that is no gallery, is damaged, or cannot be used. Threads may share an object.
    """

    def __init__(
        self,
        folder: str | Path,
        lengths: Mapping[str, int] | None = None,
        models: dict | None = None,
        align: bool = False,
    ):
        self.folder, self._lock = user_path(folder), threading.RLock()
        self._cached: tuple[tuple, Snapshot] | None = None
        file = self.folder / FILE
        if lengths is None and not file.is_file():
            raise UserError(
                f"There is no gallery in {self.folder}: it holds no {FILE}. Build one with "
                f"python -m iacyclegan_tf.gallery build PHOTOS {self.folder}."
            )
        with self._using():
            if lengths is not None:
                self._make_file(file)
            self._base = sqlite3.connect(file, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            for setting in _SETTINGS:
                self._base.execute(setting)
            if lengths is not None:
                self._make_tables({"format": FORMAT, "lengths": lengths, "models": models, "photos": 0, "align": align})
            about = self._about()
        self.lengths: dict[str, int] = about["lengths"]
        self.models: dict = about["models"]
        self.align: bool = about["align"]

    def __len__(self) -> int:
        with self._using():
            return self._base.execute("SELECT count(*) FROM photos").fetchone()[0]

    def entries(self) -> list[Entry]:
        """The photos without their embeddings, in the order in which they were added."""
        with self._using():
            return [
                Entry(*map(str, row))
                for row in self._base.execute("SELECT name, sha256, source FROM photos ORDER BY id")
            ]

    def snapshot(self) -> Snapshot:
        """The newest state, also of what other processes have committed; read as a whole after each change.

        Raises ``UserError`` where a row is not as it was written.
        """
        with self._using():
            # another pair after every commit, of other connections and of this one
            state = self._base.execute("PRAGMA data_version").fetchone()[0], self._base.total_changes
            if self._cached is None or self._cached[0] != state:
                self._cached = None  # before the new one takes its memory
                snapshot, damaged = self._read()
                if damaged:
                    raise UserError(
                        f"The gallery {self.folder} is damaged: {len(damaged)} photos are not as they were written; "
                        f"the first is {damaged[0]!r}. python -m iacyclegan_tf.gallery check names them all."
                    )
                self._cached = (state, snapshot)
            return self._cached[1]

    def damaged(self) -> list[str]:
        """Names of photos that are not as they were written; ``UserError`` where the file itself is damaged."""
        with self._using():
            if self._base.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise UserError(f"The gallery {self.folder} is damaged: {FILE} fails SQLite's integrity check.")
            return self._read()[1]

    def add(self, entries: Sequence[Entry], vectors: Mapping[str, np.ndarray]) -> None:
        """Durable when it returns: all of them, or none where the process is killed before.

        A name that is there already gets the new checksum and embeddings. Within one call every name must be its own.

        Args:
            vectors: by way, ``[N, D]``; ``UserError`` where they are not finite and of length 1 at most.
        """
        for way, length in self.lengths.items():
            found = np.asarray(vectors[way])
            if found.shape != (len(entries), length) or not (np.linalg.norm(found, axis=1) <= LONGEST).all():
                raise UserError(
                    f"The {way} recognizer gave no {len(entries)} embeddings of {length} numbers and length 1, but "
                    f"{found.shape} numbers, of which {np.isfinite(found).sum()} are finite; nothing of them was added."
                )
        rows = np.concatenate([np.asarray(vectors[way], NUMBER) for way in self.lengths], axis=1)
        with self._using(), self._transaction():
            self._base.executemany(
                "INSERT OR REPLACE INTO photos (name, sha256, source, checksum, vectors) VALUES (?, ?, ?, ?, ?)",
                (
                    (entry.name, entry.sha256, entry.source, _checksum(entry, row.tobytes()), row.tobytes())
                    for entry, row in zip(entries, rows, strict=True)
                ),
            )
            self._count()

    def move(self, entries: Sequence[Entry]) -> None:
        """Photos that are there have another ``source`` now; durable when it returns."""
        moved = [(entry.source, entry.name, entry.sha256) for entry in entries]
        with self._using(), self._transaction() if moved else nullcontext():
            self._base.executemany("UPDATE photos SET source = ? WHERE name = ? AND sha256 = ?", moved)

    def remove(self, names: Sequence[str]) -> None:
        """Durable when it returns, all or none; ``UserError`` where one is not there."""
        with self._using(), self._transaction():
            missing = [
                name
                for name in dict.fromkeys(map(one_form, names))
                if not self._base.execute("DELETE FROM photos WHERE name = ?", (name,)).rowcount
            ]
            if missing:
                raise UserError(
                    f"{len(missing)} of {len(names)} names are not in the gallery {self.folder}, so nothing "
                    f"was removed; the first is {missing[0]!r}."
                )
            self._count()

    def close(self) -> None:
        with self._lock:
            self._base.close()
            self._cached = None

    def _make_file(self, file: Path) -> None:
        """Empty, and for this user alone."""
        if not file.exists() and self.folder.is_dir() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder} holds other files and no gallery; name a new folder for the index.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            self.folder.chmod(0o700)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))

    def _make_tables(self, about: dict) -> None:
        with self._transaction():
            for statement in _TABLES:
                self._base.execute(statement)
            if self._base.execute("SELECT 1 FROM about").fetchone() is None:  # another process may have been quicker
                values = [(key, json.dumps(value)) for key, value in about.items()]
                self._base.executemany("INSERT INTO about VALUES (?, ?)", values)

    def _about(self) -> dict:
        """What ``_make_tables`` wrote; ``UserError`` for another format or damaged values."""
        found = dict(self._base.execute("SELECT key, value FROM about"))
        if found.get("format") != str(FORMAT):
            raise UserError(
                f"{self.folder / FILE} is no gallery that this version reads: its format is {found.get('format')}, not "
                f"{FORMAT}. Build it anew, in a new folder."
            )
        try:
            about = {key: json.loads(value) for key, value in found.items()}
            models, counts = about["models"], [about["photos"] + 1, *about["lengths"].values()]
            words = f"{models['name']} {models['number']}{''.join(models['fingerprints'])}"
            places = all(isinstance(place, str) for place in models.get("folders", {}).values())
            counted = all(type(number) is int and number > 0 for number in counts)
            if not (places and counted and words.isprintable() and isinstance(about["align"], bool)):
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise UserError(f"The gallery {self.folder} is damaged: what {FILE} says of itself is no sense.") from None
        return about

    def _count(self) -> None:
        """Writes down how many photos there are, so that a lost row is noticed."""
        self._base.execute("UPDATE about SET value = (SELECT count(*) FROM photos) WHERE key = 'photos'")

    def _read(self) -> tuple[Snapshot, list[str]]:
        """The photos that are as they were written, and the names of the others."""
        ends = np.cumsum([0, *self.lengths.values()])
        with self._transaction("DEFERRED"):
            count, promised = len(self), self._about()["photos"]
            parts = {way: np.empty((count, length), NUMBER) for way, length in self.lengths.items()}
            entries, damaged = [], []
            for name, sha256, source, checksum, vectors in self._base.execute(
                "SELECT name, sha256, source, checksum, vectors FROM photos ORDER BY id LIMIT ?", (count,)
            ):
                entry = Entry(str(name), str(sha256), str(source))
                whole = isinstance(vectors, bytes) and len(vectors) == ends[-1] * NUMBER.itemsize
                if whole and _checksum(entry, vectors) == checksum:
                    numbers = np.frombuffer(vectors, NUMBER)
                    for part, start, end in zip(parts.values(), ends, ends[1:]):
                        part[len(entries)] = numbers[start:end]
                    entries.append(entry)
                else:
                    damaged.append(entry.name)
        if len(entries) + len(damaged) != promised:
            raise UserError(
                f"The gallery {self.folder} is damaged: it holds {len(entries) + len(damaged)} of {promised} photos."
            )
        return Snapshot(tuple(entries), {way: part[: len(entries)] for way, part in parts.items()}), damaged

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """``IMMEDIATE`` takes the writer's lock, and waits for it; ``DEFERRED`` reads one state."""
        self._base.execute(f"BEGIN {kind}")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    @contextmanager
    def _using(self) -> Iterator[None]:
        """One thread at a time; what goes wrong as a sentence."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise UserError(
                    f"The gallery {self.folder} cannot be used: SQLite says {str(error)!r} ({FILE})."
                ) from error
            except OSError as error:
                raise UserError(f"The gallery {self.folder} cannot be used: {error}.") from error


def one_form(name: str) -> str:
    """``name`` in Unicode's normal form C: macOS writes ``é`` as two characters, others as one."""
    return unicodedata.normalize("NFC", name)


def _checksum(entry: Entry, vectors: bytes) -> int:
    """CRC-32 of name, SHA-256 and embeddings.

    The source is left out: a photo that is shown is compared with its SHA-256, wherever it lies.
    """
    return zlib.crc32(vectors, zlib.crc32(f"{entry.name}\0{entry.sha256}\0".encode()))
