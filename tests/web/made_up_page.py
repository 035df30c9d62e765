"""The whole page on models that are known, in this process: nothing is trained, no browser is needed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iacyclegan_tf.data.images.files import write_png
from iacyclegan_tf.search.gallery import Candidate, SearchResult
from iacyclegan_tf.web.folder import PageFolder

SHOWN = 3


class Models:
    """A sketch is the photo's negative. ``wait`` holds an answer up, ``fault`` is raised instead of one."""

    wait: threading.Event | None = None
    fault: Exception | None = None

    def to_sketch(self, image: np.ndarray) -> np.ndarray:
        if self.fault:
            raise self.fault
        if self.wait:
            self.wait.wait(60)
        return 255 - image

    to_photo = to_sketch


class Gallery:
    def __init__(self, folder: Path):
        self.photo = folder / "shown.png"
        write_png(self.photo, np.random.default_rng(0).integers(0, 256, (200, 160, 3), np.uint8))

    def __len__(self) -> int:
        return SHOWN

    def search(self, image: np.ndarray, top: int) -> SearchResult:
        found = [Candidate(i, f"{i}.png", "", str(self.photo), 0.5, 0.5, 0.5, None, {}) for i in range(1, SHOWN + 1)]
        return SearchResult(tuple(found[:top]), "fusion", SHOWN, image, 255 - image, None, ("A lead.",))


def build(folder: PageFolder, models=None):
    """The page, and its ASGI application with the guard before it."""
    from iacyclegan_tf.web.page import build
    from iacyclegan_tf.web.server import guarded

    page = build(models or Models(), Gallery(folder.path.parent), "about", folder)
    return page, guarded(page, folder, "127.0.0.1")


@contextlib.contextmanager
def served(app) -> Iterator[int]:
    """The port at which ``app`` answers as ``app.py`` serves it."""
    import uvicorn

    from iacyclegan_tf.web.server import settings

    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = uvicorn.Server(settings(app))
        thread = threading.Thread(target=server.run, args=([taken],), daemon=True)
        thread.start()
        yield taken.getsockname()[1]
        server.should_exit = True
        thread.join(20)
