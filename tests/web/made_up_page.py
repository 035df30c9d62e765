"""The whole page on models that are known, in this process: nothing is trained, no browser is needed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import requests

from iacyclegan_tf.data.drawn.samples import write_samples
from iacyclegan_tf.data.images.files import write_png
from iacyclegan_tf.search.search_result import LEAD, Candidate, SearchResult
from iacyclegan_tf.web.folder import PageFolder
from iacyclegan_tf.web.pictures import png

SHOWN = 3
NOISE = np.random.default_rng(3).integers(0, 256, (40, 30, 3), np.uint8)
SKETCH, PHOTO = "Photo → sketch", "Sketch → photo"
FACE, WHOLE = "The face", "The whole picture, as it is"
TRANSLATE, EXAMPLE, SEARCH = 0, 2, 3  # the page's functions


class Models:
    """A sketch is the photo's negative. ``wait`` holds an answer up, ``fault`` is raised instead of one."""

    wait: threading.Event | None = None
    fault: Exception | None = None

    name, number, align, caution = "made up", 1, True, "A caution."

    def warning(self, face: np.ndarray, of: str) -> str | None:
        return "this is unlike what was seen" if face.std() > 60 else None

    def as_is(self) -> Models:
        return self

    def to_sketch(self, image: np.ndarray | list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        if self.fault:
            raise self.fault
        if self.wait:
            self.wait.wait(60)
        return [255 - one for one in image] if isinstance(image, list) else 255 - image

    to_photo = to_sketch


class Gallery:
    model, store = Models(), SimpleNamespace(align=True)

    def face(self, pixels: np.ndarray, name: str, of: str) -> np.ndarray:
        return pixels

    def __init__(self, folder: Path):
        self.photo = folder / "shown.png"
        write_png(self.photo, np.random.default_rng(0).integers(0, 256, (200, 160, 3), np.uint8))

    def __len__(self) -> int:
        return SHOWN

    def search(self, probes: list[np.ndarray], top: int, cut: bool) -> SearchResult:
        about = dict.fromkeys(("probe", "probe_sha256", "gallery"), "/secret/place")
        about |= {"date": "2026-11-26", "gallery_photos": SHOWN, "model": "made up", "round": 1, "version": "1"}
        digest = hashlib.sha256(self.photo.read_bytes()).hexdigest()
        found = [
            Candidate(i, f"{i}.png", digest, str(self.photo), 0.5, 0.5, 0.5, None, {}) for i in range(1, SHOWN + 1)
        ]
        made = tuple(255 - one for one in probes)
        return SearchResult(
            tuple(found[:top]), "fusion", SHOWN, tuple(probes), made, None, (LEAD, "A sentence."), about
        )


def build(folder: PageFolder, models=None):
    """The page, and its ASGI application with the guard before it."""
    from iacyclegan_tf.web.answers import Served
    from iacyclegan_tf.web.page import build
    from iacyclegan_tf.web.server import guarded

    gallery = Gallery(folder.path.parent)
    write_samples(folder.examples)
    page = build(Served(models or Models(), gallery, "made up", "about", folder))
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


def words(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


class Asking:
    """A page that is served, asked as the browser asks it, each time in a new session."""

    def __init__(self, port: int):
        self.port, self.address, self.number = port, f"http://127.0.0.1:{port}/gradio_api", 0

    def upload(self, data: bytes, name: str = "face.png", **options) -> requests.Response:
        return requests.post(f"{self.address}/upload", files={"files": (name, data)}, timeout=30, **options)

    def join(self, *data, function: int = TRANSLATE, **options) -> requests.Response:
        """By default the sketch of a picture, as it is."""
        self.number += 1
        self.session = f"session{self.number}"
        data = [*data, *(SKETCH, WHOLE)[len(data) - 1 :]] if function == TRANSLATE else data
        message = {"data": data, "fn_index": function, "session_hash": self.session}
        return requests.post(f"{self.address}/queue/join", json=message, timeout=30, **options)

    def picture(self, data: bytes | None = None, name: str = "face.png") -> dict:
        path = self.upload(data or png(NOISE), name).json()[0]
        return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def answer(self, session: str | None = None) -> list:
        """The values of the page's fields."""
        address = f"{self.address}/queue/data?session_hash={session or self.session}"
        with requests.get(address, stream=True, timeout=60) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix(b"data: ") or "{}")
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    return message["output"]["data"]
        raise AssertionError("no answer came")

    def said(self, *data, **options) -> str:
        """The sentence beside the picture."""
        assert self.join(*data, **options).status_code == 200
        return words(self.answer()[-1])

    def raw(self, text: bytes, wait: float = 5) -> bytes:
        """What comes back over a new connection, until the page closes it or ``wait`` is over."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as one:
            one.sendall(text)
            found = b""
            try:
                while part := one.recv(2**16):
                    found += part
            except (TimeoutError, ConnectionResetError):
                pass
            return found
