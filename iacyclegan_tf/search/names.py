"""The names of a gallery, in SQLite: what each photo is called, its checksum, and the row that its vectors have.

SQLite keeps writers apart and commits whole transactions or none, on the disk when ``COMMIT`` returns.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError

FORMAT = 1
_WAIT = 60.0  # seconds for another process's transaction: one batch, or a compaction
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


class Names:
    """Opens ``file``; ``UserError`` where it is none of ours. All else raises ``sqlite3.Error``.

    Args:
        about: where given, a file that does not exist is made with these values, beside ``generation`` and ``next_row``.
    """

    def __init__(self, file: Path, about: dict | None = None):
        self._base = sqlite3.connect(file, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        self._base.execute("PRAGMA secure_delete = ON")  # removed names are overwritten, too
        self._base.execute("PRAGMA synchronous = EXTRA")  # a commit is on the disk, journal and all, when it returns
        if about is not None and not self._made():
            with self.transaction():
                if not self._made():  # another process may have been quicker
                    for statement in _TABLES:
                        self._base.execute(statement)
                    self._base.executemany(
                        "INSERT INTO about VALUES (?, ?)",
                        [
                            (key, json.dumps(value))
                            for key, value in {"format": FORMAT, **about, "generation": 1, "next_row": 0}.items()
                        ],
                    )
        found = self.about()["format"] if self._made() else None
        if found != FORMAT:
            raise UserError(f"{file} is no gallery that this version reads: its format is {found}, not {FORMAT}.")

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """``IMMEDIATE`` takes the writer's lock, and waits for it; ``DEFERRED`` reads one state."""
        self._base.execute(f"BEGIN {kind}")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    def state(self) -> tuple[int, int]:
        """Another one after every commit, of other connections and of this one."""
        return self._base.execute("PRAGMA data_version").fetchone()[0], self._base.total_changes

    def about(self) -> dict:
        return {key: json.loads(value) for key, value in self._base.execute("SELECT key, value FROM about")}

    def set(self, **values: int) -> None:
        self._base.executemany(
            "UPDATE about SET value = ? WHERE key = ?", [(json.dumps(value), key) for key, value in values.items()]
        )

    def count(self) -> int:
        return self._base.execute("SELECT count(*) FROM photos").fetchone()[0]

    def has(self, name: str, sha256: str | None = None) -> bool:
        """Whether there is a photo of this name, and of this content where it is given."""
        return (
            self._base.execute(
                "SELECT 1 FROM photos WHERE name = ? AND sha256 = coalesce(?, sha256)", (name, sha256)
            ).fetchone()
            is not None
        )

    def photos(self) -> list[tuple[int, int, Entry]]:
        """(row, checksum of the vectors, entry), by row."""
        return [
            (row, crc, Entry(name, sha256, source))
            for row, crc, name, sha256, source in self._base.execute(
                "SELECT row, crc, name, sha256, source FROM photos ORDER BY row"
            )
        ]

    def insert(self, first: int, entries: Sequence[Entry], checks: Sequence[int]) -> None:
        """From row ``first`` on."""
        self._base.executemany(
            "INSERT INTO photos VALUES (?, ?, ?, ?, ?)",
            [
                (row, entry.name, entry.sha256, entry.source, check)
                for row, (entry, check) in enumerate(zip(entries, checks, strict=True), first)
            ],
        )

    def move(self, entries: Sequence[Entry]) -> None:
        """Gives photos that are there the ``source`` of ``entries``."""
        self._base.executemany(
            "UPDATE photos SET source = ? WHERE name = ? AND sha256 = ?",
            [(entry.source, entry.name, entry.sha256) for entry in entries],
        )

    def forget(self, names: Sequence[str]) -> None:
        """Those that are there; their rows are then to be erased."""
        for name in names:
            self._base.execute("INSERT INTO erasing SELECT row FROM photos WHERE name = ?", (name,))
            self._base.execute("DELETE FROM photos WHERE name = ?", (name,))

    def erasing(self) -> list[int]:
        """Rows of forgotten photos that may not be zeros yet."""
        return [row for (row,) in self._base.execute("SELECT row FROM erasing")]

    def erased(self) -> None:
        self._base.execute("DELETE FROM erasing")

    def renumber(self, rows: Sequence[int]) -> None:
        """``rows``, ascending and all that there are, become 0, 1, …"""
        # never to a higher row, so that no two photos meet
        self._base.executemany("UPDATE photos SET row = ? WHERE row = ?", enumerate(rows))

    def is_sound(self) -> bool:
        return self._base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"

    def close(self) -> None:
        self._base.close()

    def _made(self) -> bool:
        return self._base.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone() is not None
