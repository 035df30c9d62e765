"""A gallery on the disk: names, checksums and embeddings, in a folder that survives a kill at any moment.

    INDEX/gallery.sqlite                     what the embeddings were made with; name, SHA-256, source and row of each photo
    INDEX/vectors-<generation>.<way>.f32     the rows, one file for each way

Rows are written and fsynced first, then SQLite commits the names that point to them: when ``add`` returns, the photos are
on the disk, and what was cut off before has left bytes that nothing points to. Committed rows never change while a name
points to them, so that other processes search undisturbed; SQLite's lock keeps writers apart. Removed embeddings are
overwritten with zeros: they are biometric data.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.index.vectors import NUMBER, VectorFile

FILE = "gallery.sqlite"
FORMAT = 1
_WAIT = 60.0  # seconds for another process's transaction: one batch, or a compaction
_COPIED = 4096  # rows at a time while compacting
_TABLES = (
    "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE photos (row INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, source TEXT NOT NULL, "
    "crc INTEGER NOT NULL)",
    "CREATE TABLE erasing (row INTEGER PRIMARY KEY)",  # rows of removed photos that may not be zeros yet
)


@dataclass(frozen=True)
class Entry:
    """A photo of the gallery. ``sha256`` is that of the file ``source``, from which it is shown again."""

    name: str
    sha256: str
    source: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The gallery at one moment.

    Attributes:
        entries: N photos, by row.
        rows: int64 ``[N]``, ascending: the rows of ``vectors`` that are theirs.
        vectors: by way, float32 ``[R, D]``, R ≥ N, read from the disk as they are used.
    """

    entries: tuple[Entry, ...]
    rows: np.ndarray
    vectors: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.entries)


class GalleryStore:
    """Opens the gallery in ``folder``; with ``lengths`` makes it where there is none.

    Args:
        lengths: the length of the embeddings, by way, e.g. ``{"photo": 1024, "sketch": 1024}``.
        models: what they are made with, any JSON. An existing gallery keeps its own: compare ``self.models``.

    Raises ``UserError`` for a folder that is no gallery, is damaged, or cannot be used. Threads may share an object.
    """

    def __init__(self, folder: str | Path, lengths: Mapping[str, int] | None = None, models: dict | None = None):
        self.folder, self._lock = Path(folder), threading.RLock()
        self._cached: tuple[tuple, Snapshot] | None = None
        file = self.folder / FILE
        if lengths is None and not file.is_file():
            raise UserError(f"There is no gallery in {self.folder}: it holds no {FILE}. Build one with "
                            f"python -m iacyclegan_tf.gallery build PHOTOS {self.folder}.")
        with self._explained():
            if lengths is not None:
                self._new_folder(file)
            self._base = sqlite3.connect(file, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA secure_delete = ON")  # removed names are overwritten, too
            self._base.execute("PRAGMA synchronous = EXTRA")  # a commit is on the disk, journal and all, when it returns
            if lengths is not None and not self._made():
                with self._transaction():
                    if not self._made():  # another process may have been quicker
                        self._make(lengths, models or {})
            about = self._about() if self._made() else {}
        if about.get("format") != FORMAT:
            raise UserError(f"{file} is no gallery that this version reads: its format is {about.get('format')}, not {FORMAT}.")
        self.lengths: dict[str, int] = about["lengths"]
        self.models: dict = about["models"]

    def _new_folder(self, file: Path) -> None:
        if not file.exists() and self.folder.is_dir() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder} holds other files and no gallery; name a new folder for the index.")
        self.folder.mkdir(parents=True, exist_ok=True)

    def _make(self, lengths: Mapping[str, int], models: dict) -> None:
        for statement in _TABLES:
            self._base.execute(statement)
        values = {"format": FORMAT, "lengths": dict(lengths), "models": models, "generation": 1, "next_row": 0}
        self._base.executemany("INSERT INTO about VALUES (?, ?)", [(k, json.dumps(v)) for k, v in values.items()])

    # ---------------------------------------------------------------- reading

    def __len__(self) -> int:
        with self._using():
            return self._base.execute("SELECT count(*) FROM photos").fetchone()[0]

    def __contains__(self, entry: Entry) -> bool:
        """Whether a photo of this name and content is there."""
        with self._using():
            return self._base.execute("SELECT 1 FROM photos WHERE name = ? AND sha256 = ?",
                                      (entry.name, entry.sha256)).fetchone() is not None

    def snapshot(self) -> Snapshot:
        """The newest state, also of what other processes have committed; cheap where nothing has changed."""
        with self._using():
            # of other connections, and of this one
            state = self._base.execute("PRAGMA data_version").fetchone()[0], self._base.total_changes
            if self._cached is None or self._cached[0] != state:
                self._cached = (state, self._read())
            return self._cached[1]

    def _read(self) -> Snapshot:
        for _ in range(5):
            with self._transaction("DEFERRED"):  # one state for both questions
                about = self._about()
                found = self._base.execute("SELECT row, name, sha256, source FROM photos ORDER BY row").fetchall()
            try:
                vectors = {way: file.mapped(about["next_row"]) for way, file in self._files(about["generation"]).items()}
            except FileNotFoundError:  # another process compacted in between
                continue
            return Snapshot(tuple(Entry(*values[1:]) for values in found),
                            np.array([values[0] for values in found], np.int64), vectors)
        raise UserError(f"The gallery {self.folder} is damaged: its files of vectors are missing.")

    def damaged(self) -> list[str]:
        """Names of photos whose vectors are not those that were written; ``UserError`` where the names are damaged."""
        with self._using():
            if self._base.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise UserError(f"The gallery {self.folder} is damaged: {FILE} fails SQLite's integrity check.")
            snapshot = self.snapshot()
            checks = [crc for crc, in self._base.execute("SELECT crc FROM photos ORDER BY row")]
        return [entry.name for entry, row, check in zip(snapshot.entries, snapshot.rows, checks)
                if _crc(snapshot.vectors, row) != check]

    # ---------------------------------------------------------------- writing

    def add(self, entries: Sequence[Entry], vectors: Mapping[str, np.ndarray]) -> None:
        """Durable when it returns: all of them, or none where the process is killed before.

        A name that is there already gets the new checksum and vectors. Within one call every name must be its own.

        Args:
            vectors: by way, ``[N, D]``, finite.
        """
        rows = {way: np.ascontiguousarray(vectors[way], NUMBER) for way in self.lengths}
        for way, length in self.lengths.items():
            if rows[way].shape != (len(entries), length) or not np.isfinite(rows[way]).all():
                raise ValueError(f"{way}: {len(entries)} finite embeddings of {length} numbers were expected, "
                                 f"not {rows[way].shape}")
        if not entries:
            return
        with self._using():
            with self._transaction():
                about = self._about()
                first = about["next_row"]
                for way, file in self._files(about["generation"]).items():
                    file.write(first, rows[way])
                    file.sync()
                self._forget([entry.name for entry in entries])
                self._base.executemany("INSERT INTO photos VALUES (?, ?, ?, ?, ?)",
                                       [(first + i, entry.name, entry.sha256, entry.source, _crc(rows, i))
                                        for i, entry in enumerate(entries)])
                self._set("next_row", first + len(entries))
            self._erase()

    def remove(self, names: Sequence[str]) -> None:
        """Durable when it returns, all or none; ``UserError`` where one is not there."""
        with self._using():
            with self._transaction():
                missing = [name for name in names if not self._base.execute(
                    "SELECT 1 FROM photos WHERE name = ?", (name,)).fetchone()]
                if missing:
                    raise UserError(f"{len(missing)} of {len(names)} names are not in the gallery {self.folder}, so nothing "
                                    f"was removed; the first is {missing[0]!r}.")
                self._forget(names)
            self._erase()
            if self._about()["next_row"] > 2 * len(self):
                self.compact()

    def compact(self) -> None:
        """Rewrites the vectors without the rows of removed photos. Searches of other processes go on."""
        with self._using():
            with self._transaction():
                about = self._about()
                rows = np.array([row for row, in self._base.execute("SELECT row FROM photos ORDER BY row")], np.int64)
                old, new = self._files(about["generation"]), self._files(about["generation"] + 1)
                for way, file in new.items():
                    file.path.unlink(missing_ok=True)  # of a compaction that was killed
                    source = old[way].mapped(about["next_row"])
                    for start in range(0, len(rows), _COPIED):
                        file.write(start, source[rows[start:start + _COPIED]])
                    file.sync()
                # ascending, and never to a higher row: no two photos meet
                self._base.executemany("UPDATE photos SET row = ? WHERE row = ?", enumerate(rows.tolist()))
                self._base.execute("DELETE FROM erasing")
                self._set("generation", about["generation"] + 1)
                self._set("next_row", len(rows))
            used = {file.path for file in new.values()}
            for path in set(self.folder.glob("vectors-*.f32")) - used:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        with self._lock:
            self._base.close()
            self._cached = None

    # ---------------------------------------------------------------- parts

    def _files(self, generation: int) -> dict[str, VectorFile]:
        return {way: VectorFile(self.folder / f"vectors-{generation}.{way}.f32", length)
                for way, length in self.lengths.items()}

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            self._base.execute("INSERT INTO erasing SELECT row FROM photos WHERE name = ?", (name,))
            self._base.execute("DELETE FROM photos WHERE name = ?", (name,))

    def _erase(self) -> None:
        """Zeros over the rows of removed photos, also over those that a killed process has left."""
        if not self._base.execute("SELECT 1 FROM erasing").fetchone():
            return
        with self._transaction():
            rows = [row for row, in self._base.execute("SELECT row FROM erasing")]
            for file in self._files(self._about()["generation"]).values():
                for row in rows:
                    file.write(row, np.zeros((1, file.length), NUMBER))
                file.sync()
            self._base.execute("DELETE FROM erasing")

    def _made(self) -> bool:
        return self._base.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone() is not None

    def _about(self) -> dict:
        return {key: json.loads(value) for key, value in self._base.execute("SELECT key, value FROM about")}

    def _set(self, key: str, value: int) -> None:
        self._base.execute("UPDATE about SET value = ? WHERE key = ?", (json.dumps(value), key))

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """``IMMEDIATE`` takes the writer's lock, and waits for it."""
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
        with self._lock, self._explained():
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UserError(f"The gallery {self.folder} cannot be used: SQLite says {str(error)!r} ({FILE}).") from error
        except (OSError, EOFError) as error:
            raise UserError(f"The gallery {self.folder} cannot be used: {error}.") from error


def _crc(vectors: Mapping[str, np.ndarray], row: int) -> int:
    check = 0
    for way in sorted(vectors):
        check = zlib.crc32(vectors[way][row].tobytes(), check)
    return check
