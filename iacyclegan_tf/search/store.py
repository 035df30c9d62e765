"""A gallery on the disk: names, checksums and embeddings, in a folder that survives a kill at any moment.

    INDEX/gallery.sqlite                     what the embeddings were made with; name, SHA-256, source and row of each photo
    INDEX/vectors-<generation>.<way>.f32     the rows, one file for each way

Rows are written and fsynced first, then SQLite commits the names that point to them: when ``add`` returns, the photos are
on the disk, and what was cut off before has left bytes that nothing points to. Committed rows never change while a name
points to them, so that other processes search undisturbed; SQLite's lock keeps writers apart. Removed embeddings are
overwritten with zeros: they are biometric data.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.search.names import Entry, Names
from iacyclegan_tf.search.vectors import NUMBER, VectorFile

FILE = "gallery.sqlite"
_COPIED = 1 << 24  # numbers at a time while compacting: 64 MB, however long an embedding is


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

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.entries)


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
            raise UserError(
                f"There is no gallery in {self.folder}: it holds no {FILE}. Build one with "
                f"python -m iacyclegan_tf.gallery build PHOTOS {self.folder}."
            )
        with self._using():
            if lengths is None:
                self._names = Names(file)
            else:
                if not file.exists() and self.folder.is_dir() and any(self.folder.iterdir()):
                    raise UserError(f"{self.folder} holds other files and no gallery; name a new folder for the index.")
                self.folder.mkdir(parents=True, exist_ok=True)
                self._names = Names(file, {"lengths": dict(lengths), "models": models or {}})
            about = self._names.about()
        self.lengths: dict[str, int] = about["lengths"]
        self.models: dict = about["models"]

    def __len__(self) -> int:
        with self._using():
            return self._names.count()

    def __contains__(self, entry: Entry) -> bool:
        """Whether a photo of this name and content is there."""
        with self._using():
            return self._names.has(entry.name, entry.sha256)

    def snapshot(self) -> Snapshot:
        """The newest state, also of what other processes have committed; cheap where nothing has changed."""
        with self._using():
            state = self._names.state()
            if self._cached is None or self._cached[0] != state:
                self._cached = (state, self._read()[0])
            return self._cached[1]

    def damaged(self) -> list[str]:
        """Names of photos whose vectors are not those that were written; ``UserError`` where the names are damaged."""
        with self._using():
            if not self._names.is_sound():
                raise UserError(f"The gallery {self.folder} is damaged: {FILE} fails SQLite's integrity check.")
            snapshot, checks = self._read()
        return [
            entry.name
            for entry, row, check in zip(snapshot.entries, snapshot.rows, checks)
            if _crc(snapshot.vectors, row) != check
        ]

    def add(self, entries: Sequence[Entry], vectors: Mapping[str, np.ndarray]) -> None:
        """Durable when it returns: all of them, or none where the process is killed before.

        A name that is there already gets the new checksum and vectors. Within one call every name must be its own.

        Args:
            vectors: by way, ``[N, D]``, finite.
        """
        rows = {way: np.ascontiguousarray(vectors[way], NUMBER) for way in self.lengths}
        for way, length in self.lengths.items():
            if rows[way].shape != (len(entries), length) or not np.isfinite(rows[way]).all():
                raise ValueError(
                    f"{way}: {len(entries)} finite embeddings of {length} numbers were expected, not {rows[way].shape}"
                )
        if not entries:
            return
        with self._using():
            with self._names.transaction():
                about = self._names.about()
                first = about["next_row"]
                for way, file in self._files(about["generation"]).items():
                    file.write(first, rows[way])
                    file.sync()
                self._names.forget([entry.name for entry in entries])
                self._names.insert(first, entries, [_crc(rows, i) for i in range(len(entries))])
                self._names.set(next_row=first + len(entries))
            self._erase()

    def move(self, entries: Sequence[Entry]) -> None:
        """Photos that are there have another ``source`` now; durable when it returns."""
        with self._using(), self._names.transaction():
            self._names.move(entries)

    def remove(self, names: Sequence[str]) -> None:
        """Durable when it returns, all or none; ``UserError`` where one is not there."""
        with self._using():
            with self._names.transaction():
                missing = [name for name in names if not self._names.has(name)]
                if missing:
                    raise UserError(
                        f"{len(missing)} of {len(names)} names are not in the gallery {self.folder}, so nothing "
                        f"was removed; the first is {missing[0]!r}."
                    )
                self._names.forget(names)
            self._erase()
            if self._names.about()["next_row"] > 2 * self._names.count():
                self.compact()

    def compact(self) -> None:
        """Rewrites the vectors without the rows of removed photos. Searches of other processes go on."""
        with self._using():
            with self._names.transaction():
                about = self._names.about()
                rows = np.array([row for row, _, _ in self._names.photos()], np.int64)
                old, new = self._files(about["generation"]), self._files(about["generation"] + 1)
                for way, file in new.items():
                    file.path.unlink(missing_ok=True)  # of a compaction that was killed
                    source = old[way].mapped(about["next_row"])
                    step = max(1, _COPIED // file.length)
                    for start in range(0, len(rows), step):
                        file.write(start, source[rows[start : start + step]])
                    file.sync()
                self._names.renumber(rows.tolist())
                self._names.erased()
                self._names.set(generation=about["generation"] + 1, next_row=len(rows))
            for path in set(self.folder.glob("vectors-*.f32")) - {file.path for file in new.values()}:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        with self._lock:
            self._names.close()
            self._cached = None

    def _read(self) -> tuple[Snapshot, list[int]]:
        """And the checksums of the vectors."""
        for _ in range(5):
            with self._names.transaction("DEFERRED"):
                about, photos = self._names.about(), self._names.photos()
            try:
                vectors = {
                    way: file.mapped(about["next_row"]) for way, file in self._files(about["generation"]).items()
                }
            except FileNotFoundError:  # another process compacted in between
                continue
            rows, checks, entries = zip(*photos) if photos else ((), (), ())
            return Snapshot(entries, np.array(rows, np.int64), vectors), list(checks)
        raise UserError(f"The gallery {self.folder} is damaged: its files of vectors are missing.")

    def _files(self, generation: int) -> dict[str, VectorFile]:
        return {
            way: VectorFile(self.folder / f"vectors-{generation}.{way}.f32", length)
            for way, length in self.lengths.items()
        }

    def _erase(self) -> None:
        """Zeros over the rows of removed photos, also over those that a killed process has left."""
        if not self._names.erasing():
            return
        with self._names.transaction():
            rows = self._names.erasing()
            for file in self._files(self._names.about()["generation"]).values():
                for row in rows:
                    file.write(row, np.zeros((1, file.length), NUMBER))
                file.sync()
            self._names.erased()

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
            except (OSError, EOFError) as error:
                raise UserError(f"The gallery {self.folder} cannot be used: {error}.") from error


def _crc(vectors: Mapping[str, np.ndarray], row: int) -> int:
    check = 0
    for way in sorted(vectors):
        check = zlib.crc32(vectors[way][row].tobytes(), check)
    return check
