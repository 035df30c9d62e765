"""The page's folder of pictures: for this user's eyes only, bounded, swept, and gone at the end."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iacyclegan_tf.common.errors import UserError

KEPT_S = 30 * 60  # how long pictures stay
MOST_BYTES = 2**30
_SWEEP_S = 60


class FolderFull(UserError):
    """There is no room for another picture; the message may be shown to whoever sent it."""


class PageFolder:
    """``path``, which holds at most ``most`` bytes of what is uploaded and made."""

    def __init__(self, path: Path, most: int = MOST_BYTES):
        self.path, self.most = path.resolve(), most
        self._coming, self._lock = 0, threading.Lock()

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Room for ``size`` bytes that are written inside; raises ``FolderFull`` where there is none."""
        with self._lock:
            held = sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())
            if held + self._coming + size > self.most:
                raise FolderFull("The page holds too many pictures just now; try again in some minutes.")
            self._coming += size
        try:
            yield
        finally:
            with self._lock:
                self._coming -= size

    def write(self, name: str, data: bytes) -> str:
        """A new file of this name in a folder of its own; its path. Raises ``FolderFull``."""
        with self.room(len(data)):
            path = Path(tempfile.mkdtemp(prefix="result-", dir=self.path)) / name
            path.write_bytes(data)
        return str(path)

    @property
    def examples(self) -> Path:
        """The folder in it that stays."""
        return self.path / "examples"

    def sweep(self, before: float) -> None:
        """Deletes the files that were last written before that time, and folders that are then empty."""
        try:
            paths = sorted(self.path.rglob("*"), reverse=True)  # what lies in a folder comes before it
        except FileNotFoundError:  # a folder went while it was listed: the next round comes
            return
        for path in paths:
            with suppress(OSError):  # in use, not empty, or gone meanwhile: the next round comes
                if path.lstat().st_mtime < before and not path.is_relative_to(self.examples):
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def page_folder() -> Iterator[PageFolder]:
    """A new one in a temporary folder that goes with it, swept while it is used.

    Gradio may be imported inside: it then keeps its files there, sends no telemetry, and looks for no newer version.
    """
    if importlib.util.find_spec("gradio") is None:
        raise UserError(
            "The page needs Gradio, which is not installed. Install it with pip install 'iacyclegan_tf[app]'."
        )
    with tempfile.TemporaryDirectory(prefix="iacyclegan-app-", ignore_cleanup_errors=True) as place:  # mode 0700
        folder = PageFolder(Path(place) / "pictures")
        folder.path.mkdir()
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_ANALYTICS_MAX_EVENTS": "16",
            "GRADIO_TEMP_DIR": str(folder.path),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        threading.Thread(target=_sweep_for_ever, args=(folder,), daemon=True).start()
        yield folder


def _sweep_for_ever(folder: PageFolder) -> None:
    while folder.path.is_dir():
        folder.sweep(time.time() - KEPT_S)
        time.sleep(_SWEEP_S)
