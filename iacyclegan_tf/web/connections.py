"""Connections that cannot be held for ever: a time limit for a request's headers, and a share for each client."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 256  # connections at a time; more are answered 503
SHARE = 32  # of one client; a browser holds six
HEADERS_S = 10.0
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 26\r\n\r\nToo many open connections."


class BoundedConnection(H11Protocol):
    """Uvicorn's own, which waits for ever for the rest of a request's headers."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        address = (self.client or ("",))[0]
        if sum((other.client or ("",))[0] == address for other in self.connections) > SHARE:
            transport.write(_FULL)
            transport.close()
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:  # a part of the headers
            self._wait()
        else:
            self._cease()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cease()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEADERS_S, self.transport.abort)

    def _cease(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
