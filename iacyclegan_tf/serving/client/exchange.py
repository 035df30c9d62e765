"""One HTTP request and its whole answer, bounded in time and bytes whatever the other side sends."""

from __future__ import annotations

import base64
import http.client
import io
import socket
import time
from urllib.parse import unquote, urlsplit

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.server import Server

_HEADERS = 2**20  # bytes, of status lines, headers and the frames of chunks


def exchange(server: Server, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
    """Status and body of the answer.

    Raises:
        TimeoutError: it was not whole after the server's ``timeout_s``.
        UserError: it is larger than its ``max_message_mb``.
        OSError, http.client.HTTPException: nobody answers, or not in HTTP.
    """
    host, port, headers = server.host.strip("[]"), server.port, {"Content-Type": "application/json"}
    if server.proxy:
        path, proxy = f"http://{server.host}:{port}{path}", urlsplit(server.proxy)
        host, port = proxy.hostname, proxy.port
        if proxy.username:
            login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    deadline, most = time.monotonic() + server.timeout_s, server.max_message_mb * 2**20

    def bounded(sock: socket.socket, **more) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(sock, **more)
        response.fp = io.BufferedReader(_Bounded(response.fp.detach(), sock, deadline, most + _HEADERS))
        return response

    connection = http.client.HTTPConnection(host, port, timeout=server.timeout_s)
    connection.response_class = bounded
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
