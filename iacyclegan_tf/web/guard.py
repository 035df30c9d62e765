"""What stands before the page's framework: only requests that the page itself makes get through, bounded in size and rate.

Gradio brings many routes that this page does not need (a proxy, a fetcher of URLs, an editor, a run history). A request
passes only if its path is on the list below; files are given out from one folder of the page's own and from nowhere else;
a message that names a file outside that folder, or a URL to be fetched, is refused. So path traversal and requests to
other machines end here, whatever the version of the framework.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from iacyclegan_tf.web.pictures import MAX_BYTES

_API = "/gradio_api"
_READ = re.compile(
    rf"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static|svelte)(/\w[\w.-]*)+|{_API}/"
    r"(info/?|theme\.css|startup-events|heartbeat/\w+|queue/data|upload_progress|file=.+)"
)
_WRITE = re.compile(rf"{_API}/(upload|queue/join|cancel|reset/?)")
_FILE = f"{_API}/file="
_DECODED = 4  # times that somebody below could decode a path
# Whatever the page holds, it can only talk to where it came from. Gradio's page has inline scripts and styles.
_HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class Limits:
    """Attributes:
    upload_bytes: of one upload, the form around it included.
    message_bytes: of any other request.
    per_minute: uploads and questions of one address.
    folder_bytes: of everything that was uploaded and made, until it is swept away.
    """

    upload_bytes: int = MAX_BYTES + 2**16
    message_bytes: int = 2**16
    per_minute: int = 60
    folder_bytes: int = 2**30


class Refusal(Exception):
    """An answer other than the page's: a status and a sentence."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


class Guard:
    """ASGI middleware.

    Args:
        app: the page.
        folder: where its uploads and results lie.
        hosts: names that the page goes by, without the port; empty: any. A page on the local machine must know them: by a
            name that points to 127.0.0.1 a foreign site could otherwise read it ("DNS rebinding").
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        folder: Path,
        hosts: frozenset[str] = frozenset(),
        limits: Limits = Limits(),
        clock: Callable[[], float] = time.monotonic,
    ):
        self.app, self.folder, self.hosts, self.limits = app, folder.resolve(), hosts, limits
        self._clock, self._recent = clock, {}

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})  # the page has none
        begun = False

        async def answer(message: dict) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [
                    *message.get("headers", ()),
                    *((key.encode(), value.encode()) for key, value in _HEADERS.items()),
                ]
                if scope["path"].startswith(_FILE):
                    message["headers"].append((b"cache-control", b"no-store"))  # faces stay in no cache
            await send(message)

        try:
            body = await self._admit(scope, receive)
            await self.app(scope, body, answer)
        except Refusal as refusal:
            if begun:
                raise
            await _say(refusal, answer)

    async def _admit(self, scope: dict, receive: Callable) -> Callable:
        """How the page may receive the request's body; raises ``Refusal``."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        self._known_host(headers)
        path, method = scope["path"], scope["method"]
        if method in ("GET", "HEAD") and _READ.fullmatch(path):
            if path.startswith(_FILE):
                self._own_file(path.removeprefix(_FILE))
            return receive
        if method != "POST" or not _WRITE.fullmatch(path):
            raise Refusal(404, "There is nothing here.")
        _same_origin(headers)
        if path in (f"{_API}/upload", f"{_API}/queue/join"):
            self._slow_down(scope)
        if path == f"{_API}/upload":
            self._room_left()
            _at_most(self.limits.upload_bytes, headers)
            return receive
        _at_most(self.limits.message_bytes, headers)
        data = await _whole(receive)
        self._own_files_only(data)
        return _again(data, receive)

    def _known_host(self, headers: dict[str, str]) -> None:
        if self.hosts and _host(headers.get("host", "")) not in self.hosts:
            raise Refusal(403, f"This page is not served under that name; open it as {sorted(self.hosts)[0]}.")

    def _own_file(self, name: str) -> None:
        """``name`` as the page's own links spell it: an absolute path in the folder, however often it is decoded yet."""
        for _ in range(_DECODED):
            if not self._inside(Path(name)):
                raise Refusal(403, "That file is not given out.")
            name = unquote(name)

    def _inside(self, path: Path) -> bool:
        try:
            return path.is_absolute() and ".." not in path.parts and path.resolve().is_relative_to(self.folder)
        except (OSError, ValueError, RuntimeError):  # too long a name, a zero byte, a ring of links
            return False

    def _own_files_only(self, data: bytes) -> None:
        if not data:
            return
        try:
            named = list(_paths(json.loads(data)))
        except (ValueError, RecursionError):
            raise Refusal(400, "The request is not understood.") from None
        for name in named:
            if not isinstance(name, str):
                raise Refusal(400, "The request is not understood.")
            self._own_file(name)

    def _slow_down(self, scope: dict) -> None:
        now, address = self._clock(), (scope.get("client") or ("",))[0]
        for other in [other for other, times in self._recent.items() if times[-1] < now - 60]:
            del self._recent[other]
        times = self._recent.setdefault(address, deque())
        while times and times[0] < now - 60:
            times.popleft()
        if len(times) >= self.limits.per_minute:
            raise Refusal(429, f"More than {self.limits.per_minute} requests in a minute; wait a little.")
        times.append(now)

    def _room_left(self) -> None:
        if sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) > self.limits.folder_bytes:
            raise Refusal(507, "The page holds too many pictures just now; try again in some minutes.")


def _host(name: str) -> str:
    return urlsplit(f"//{name}").hostname or ""


def _same_origin(headers: dict[str, str]) -> None:
    """Browsers say from which page a request comes; other programs need not."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Refusal(403, "That request comes from another page.")


def _paths(value) -> Iterator:
    """Every ``path`` in a message: what the framework takes for a file, to read or to fetch."""
    if isinstance(value, dict):
        if "path" in value:
            yield value["path"]
        for one in value.values():
            yield from _paths(one)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one)


def _at_most(limit: int, headers: dict[str, str]) -> None:
    """A body must say how long it is; the server below holds it to that."""
    announced = headers.get("content-length", "")
    if not announced.isdecimal():
        raise Refusal(411, "The request does not say how long it is.")
    if int(announced) > limit:
        raise Refusal(
            413,
            f"That is too large; at most {limit // 2**20} MB are taken."
            if limit >= 2**20
            else "The request is too large.",
        )


async def _whole(receive: Callable) -> bytes:
    data = b""
    while True:
        message = await receive()
        data += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            return data


def _again(data: bytes, receive: Callable) -> Callable:
    """A ``receive`` that gives ``data`` first."""
    messages = [{"type": "http.request", "body": data, "more_body": False}]

    async def first_that() -> dict:
        return messages.pop() if messages else await receive()

    return first_that


async def _say(refusal: Refusal, send: Callable) -> None:
    data = refusal.reason.encode()
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(data))],
        }
    )
    await send({"type": "http.response.body", "body": data})
