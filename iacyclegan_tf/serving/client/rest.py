"""TensorFlow Serving's REST API: ``POST /v1/models/M:predict`` in columns, ``GET /v1/models/M``; no library needed."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import time
from urllib.parse import quote, unquote, urlsplit

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.answers import BrokenAnswer
from iacyclegan_tf.serving.client.connection import (
    Connection,
    Failed,
    Model,
    NotFound,
    Refused,
    Unavailable,
    VersionState,
)

_KINDS = {400: Refused, 404: NotFound, 429: Unavailable, 503: Unavailable}  # the last two: queue full, not ready
_HEADERS = 2**20  # bytes, of status lines, headers and the frames of chunks
_MOST_PARTS = 2**22  # values and brackets in an answer: 256 MB of Python's lists and numbers


class RestConnection(Connection):
    hint = "Is it running, and is this its REST port (usually 8501)?"

    def _predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]], output: str) -> object:
        which = f"/labels/{quote(model.label, safe='')}" if model.label else ""
        if model.version is not None:
            which = f"/versions/{model.version}"
        columns = {
            name: [{"b64": base64.b64encode(data).decode()} for data in images] for name, images in inputs.items()
        }
        answer = self._ask(
            "POST", f"/v1/models/{model.name}{which}:predict", {"signature_name": signature, "inputs": columns}
        )
        value = answer.get("outputs")
        if isinstance(value, dict):  # otherwise the single output stands alone, without its name
            value = value.get(output)
        return _decoded(value) if output.endswith("_bytes") else value

    def _status(self, name: str) -> list[VersionState]:
        try:
            return [
                VersionState(
                    int(one["version"]), str(one["state"]), str(one.get("status", {}).get("error_message", ""))
                )
                for one in self._ask("GET", f"/v1/models/{name}")["model_version_status"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BrokenAnswer("something else than the states of a model's versions") from None

    def _ask(self, method: str, path: str, body: dict | None = None) -> dict:
        try:
            status, data = self._exchange(method, path, json.dumps(body).encode() if body else None)
        except TimeoutError:
            raise
        except (http.client.RemoteDisconnected, http.client.IncompleteRead):
            raise Unavailable("it hung up before the answer was whole") from None
        except http.client.HTTPException as error:
            raise UserError(
                f"What answers at {self.server.name} does not speak HTTP ({type(error).__name__}). {self.hint}"
            ) from None
        except OSError as error:
            raise Unavailable(error.strerror or error) from None
        if data.count(b",") + data.count(b"[") + data.count(b"{") > _MOST_PARTS:
            raise BrokenAnswer("millions of values")
        try:
            answer = json.loads(data)
            reason = answer.get("error", "")
        except (ValueError, AttributeError, RecursionError):
            raise UserError(
                f"What answers at {self.server.name} is no TensorFlow Serving: HTTP {status} without JSON. {self.hint}"
            ) from None
        if status == 200:
            return answer
        raise _KINDS[status](reason) if status in _KINDS else Failed(f"HTTP {status}, {reason}")

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """One request and its whole answer: status and body. ``TimeoutError`` after ``timeout_s`` for both."""
        host, port, headers = self.server.host.strip("[]"), self.server.port, {"Content-Type": "application/json"}
        if self.server.proxy:
            path, proxy = f"http://{self.server.host}:{port}{path}", urlsplit(self.server.proxy)
            host, port = proxy.hostname, proxy.port
            if proxy.username:
                login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
                headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        deadline, most = time.monotonic() + self.server.timeout_s, self.server.max_message_mb * 2**20
        connection = http.client.HTTPConnection(host, port, timeout=self.server.timeout_s)
        connection.response_class = lambda *args, **more: _bounded(args[0], deadline, most + _HEADERS, more)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = bytearray()
            while piece := response.read(2**16):
                data += piece
                if len(data) > most:
                    raise _TooLarge
            if response.length:
                raise http.client.IncompleteRead(b"")
            return response.status, bytes(data)
        except _TooLarge:
            raise UserError(
                f"The answer of {self.server.name} is larger than --max-message-mb="
                f"{self.server.max_message_mb}; send fewer images at a time (--batch) or raise it."
            ) from None
        finally:
            connection.close()


class _TooLarge(Exception):
    pass


def _bounded(sock: socket.socket, deadline: float, most: int, more: dict) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(sock, **more)
    response.fp = io.BufferedReader(_Bounded(response.fp.detach(), sock, deadline, most))
    return response


class _Bounded(io.RawIOBase):
    """What comes from a socket: at most ``most`` bytes, until ``deadline``.

    A time-out of the socket alone begins anew with every byte, and ``http.client`` reads interim answers, trailers and
    tiny chunks without end.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float, most: int):
        self.raw, self.sock, self.deadline, self.most = raw, sock, deadline, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)
        count = self.raw.readinto(buffer)
        self.most -= count
        if self.most < 0:
            raise _TooLarge
        return count

    def close(self) -> None:
        self.raw.close()
        super().close()


def _decoded(value: object) -> list[bytes]:
    try:
        return [base64.b64decode(one["b64"], validate=True) for one in value]
    except (TypeError, KeyError, ValueError, IndexError):
        raise BrokenAnswer("something else than images in base64") from None
