"""Whom the client asks, and one HTTP request with its whole answer, bounded in time and bytes whatever comes back."""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from dataclasses import dataclass

from iacyclegan_tf.common.errors import UserError

PORT = 8501  # of TensorFlow Serving's REST API, unless it is told otherwise
_HEADERS = 2**20  # bytes, of status lines, headers and the frames of chunks


@dataclass(frozen=True)
class Server:
    """Where a server listens and how patient the client is; made by ``server_at``.

    Attributes:
        timeout_s: for one request, from its start to the last byte of the answer.
        retries: further attempts where nobody answers; after a time-out there is none, since the server is still busy.
        max_message_mb: the largest answer that is taken, and request that is sent.
    """

    host: str
    port: int
    timeout_s: float
    retries: int
    max_message_mb: int

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


def server_at(address: str, timeout_s: float = 30.0, retries: int = 3, max_message_mb: int = 64) -> Server:
    """The server at ``HOST`` or ``HOST:PORT``; the others as in ``Server``. Raises ``UserError``: no such address."""
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(PORT)
    # no user, no path: what looks like a password is neither sent nor repeated
    if (
        not re.fullmatch(r"[\w.-]+|\[[\da-fA-F:.]+\]", host, re.ASCII)
        or not re.fullmatch(r"\d{1,5}", port, re.ASCII)
        or not 0 < int(port) < 65536
    ):
        shown = repr(address) if "@" not in address else "not shown, since it holds @"
        raise UserError(f"--server is {shown}; it must be HOST or HOST:PORT, e.g. localhost:{PORT}.")
    return Server(host, int(port), timeout_s, retries, max_message_mb)


def exchange(server: Server, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
    """Status and body of the answer.

    Raises:
        TimeoutError: it was not whole after the server's ``timeout_s``.
        UserError: it is larger than its ``max_message_mb``.
        OSError, http.client.HTTPException: nobody answers, or not in HTTP.
    """
    deadline, most = time.monotonic() + server.timeout_s, server.max_message_mb * 2**20

    def bounded(sock: socket.socket, **more) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(sock, **more)
        response.fp = io.BufferedReader(_Bounded(response.fp.detach(), sock, deadline, most + _HEADERS))
        return response

    connection = http.client.HTTPConnection(server.host.strip("[]"), server.port, timeout=server.timeout_s)
    connection.response_class = bounded
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
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
            f"The answer of {server.name} is larger than --max-message-mb={server.max_message_mb}; "
            "send fewer images at a time (--batch) or raise it."
        ) from None
    finally:
        connection.close()


class _TooLarge(Exception):
    pass


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
