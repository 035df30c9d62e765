"""What stands before the page's framework: the page's own requests (``requests.py``), bounded in size, time and rate.

Files are given out from one folder of the page's own and from nowhere else, and a message that names another file is
refused. So path traversal and requests to other machines end here, whatever the version of the framework.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse

from iacyclegan_tf.web.folder import FolderFull, PageFolder
from iacyclegan_tf.web.pictures import MAX_BYTES
from iacyclegan_tf.web.requests import CANCEL, FILE, HEADERS, JOIN, READ, UPLOAD, WRITE, check_query, files_of

_UPLOAD_BYTES = MAX_BYTES + 2**16  # of one upload, the form around it included
_MESSAGE_BYTES = 2**16  # of any other request
_PER_MINUTE = 60  # uploads and questions of one address
_SECONDS = 120.0  # from a request that sends something to the end of its answer
_NOT_UNDERSTOOD = "The request is not understood."
_DECODED = 4  # times that somebody below could decode a path
# Whatever the page holds, it can only talk to where it came from. Gradio's page has inline scripts and styles.
_ANSWER_HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """ASGI middleware; the server holds a request to the length that it announces.

    Args:
        app: the page.
        folder: where its uploads and results lie.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], folder: PageFolder):
        self.app, self.folder = app, folder
        self._recent: list[tuple[float, str]] = []  # when, and from which address

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # the page has none
        else:
            await self._http(scope, receive, _Answer(send, scope["path"]))

    async def _http(self, scope: dict, receive: Callable, answer: _Answer) -> None:
        refusal, fault = HTTPException(400, _NOT_UNDERSTOOD), None
        try:
            async with asyncio.timeout(_SECONDS if scope["method"] == "POST" else None):
                with ExitStack() as held:
                    receive = await self._admit(scope, receive, held)
                    await self.app(scope, receive, answer.send)
        except HTTPException as error:
            refusal = error
        except TimeoutError:
            refusal = HTTPException(408, "The request took too long to arrive.")
        except Exception as error:
            # what the framework refuses, and forms that it cannot read; all else is a fault of ours
            if not isinstance(error.__cause__, HTTPException) and scope["path"] != UPLOAD:
                refusal, fault = HTTPException(500, "That did not work."), error
        await answer.say(refusal)
        if fault is not None:
            raise fault

    async def _admit(self, scope: dict, receive: Callable, held: ExitStack) -> Callable:
        """From where the page receives the request; holds room for an upload. Raises ``HTTPException``."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        scope["headers"] = [(key, value) for key, value in scope["headers"] if key.lower() in HEADERS]
        path, reads = scope["path"], scope["method"] in ("GET", "HEAD")
        if not (READ.fullmatch(path) if reads else scope["method"] == "POST" and path in WRITE):
            raise HTTPException(404, "There is nothing here.")
        if "transfer-encoding" in headers or not (reads or "content-length" in headers):
            raise HTTPException(411, "The request must say how long it is, and not come in chunks.")
        try:
            check_query(headers.get("host", ""), scope["query_string"])
            if not reads:
                return await self._admit_body(scope, headers, receive, held)
        except FolderFull as full:
            raise HTTPException(507, str(full)) from None
        except ValueError:
            raise HTTPException(400, _NOT_UNDERSTOOD) from None
        if path.startswith(FILE):
            self._own_file(path.removeprefix(FILE))
        return receive

    async def _admit_body(self, scope: dict, headers: dict[str, str], receive: Callable, held: ExitStack) -> Callable:
        """From this page, not too large, not too often, and what it holds. Raises ``ValueError``, too."""
        path, length = scope["path"], int(headers["content-length"][:20])
        if headers.get("origin") not in (None, *(f"{scheme}://{headers['host']}" for scheme in ("http", "https"))):
            # browsers say from which, others need not
            raise HTTPException(403, "That request comes from another page.")
        limit = _UPLOAD_BYTES if path == UPLOAD else _MESSAGE_BYTES
        if not 0 <= length <= limit:
            raise HTTPException(413, f"That is too large; at most {max(1, limit // 2**20)} MB are taken.")
        if path != CANCEL:
            self._slow_down(scope)
        if path == UPLOAD:
            held.enter_context(self.folder.room(length))
            return receive
        return await self._checked(receive)

    async def _checked(self, receive: Callable) -> Callable:
        """Reads a message, which the page then receives from what is given back. Raises ``ValueError``."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        for name in files_of(body):
            self._own_file(name)
        read = [{"type": "http.request", "body": body, "more_body": False}]

        async def once_more() -> dict:
            return read.pop() if read else await receive()

        return once_more

    def _own_file(self, name: str) -> None:
        """Raises ``HTTPException`` unless ``name`` is the path of a file in the folder, however often it is decoded."""
        path = Path(name)
        for _ in range(_DECODED):
            if not self._inside(Path(name)):
                raise HTTPException(403, "That file is not given out.")
            name = unquote(name)
        if not path.is_file():
            raise HTTPException(404, "That picture is no longer here; choose it again.")

    def _inside(self, path: Path) -> bool:
        try:
            return path.is_absolute() and ".." not in path.parts and path.resolve().is_relative_to(self.folder.path)
        except (OSError, ValueError, RuntimeError):  # too long a name, a zero byte, a ring of links
            return False

    def _slow_down(self, scope: dict) -> None:
        now, address = monotonic(), (scope.get("client") or ("",))[0]
        self._recent = [(when, who) for when, who in self._recent if when > now - 60]
        if sum(who == address for _, who in self._recent) >= _PER_MINUTE:
            raise HTTPException(429, f"More than {_PER_MINUTE} requests in a minute; wait a little.")
        self._recent.append((now, address))


class _Answer:
    """What goes back: the page's answers with our headers; its faults are held back, since they have no sentence."""

    def __init__(self, send: Callable, path: str):
        self._send, self._no_store, self._json = send, path.startswith(FILE), path == JOIN
        self._begun = self._ended = self._dropped = False

    async def send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self._dropped = message["status"] == 500
        if not self._dropped:
            await self._pass_on(message)

    async def say(self, refusal: HTTPException) -> None:
        """Where nothing was answered; what its maker has broken off ends here."""
        if not self._begun:
            # what may still be on its way is not read
            headers = {"connection": "close"} if refusal.status_code in (408, 411, 413) else None
            if self._json:  # as the page in the browser reads it, which shows the sentence then
                answer = JSONResponse({"detail": refusal.detail}, refusal.status_code, headers)
            else:
                answer = PlainTextResponse(refusal.detail, refusal.status_code, headers)
            await answer({"type": "http"}, None, self._pass_on)
        elif not self._ended:
            await self._pass_on({"type": "http.response.body", "body": b""})

    async def _pass_on(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            ours = [(key.encode(), value.encode()) for key, value in _ANSWER_HEADERS.items()]
            no_store = [(b"cache-control", b"no-store")] if self._no_store else []  # faces stay in no cache
            message["headers"] = [*message.get("headers", ()), *ours, *no_store]
            self._begun = True
        else:
            self._ended = not message.get("more_body")
        await self._send(message)
