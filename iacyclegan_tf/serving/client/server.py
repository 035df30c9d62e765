"""Whom the client asks: address, patience, limits, and the proxy on the way."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

from iacyclegan_tf.common.errors import UserError

PORT = 8501  # of TensorFlow Serving's REST API, unless it is told otherwise


@dataclass(frozen=True)
class Server:
    """Where a server listens and how patient the client is; made by ``server_at``.

    Attributes:
        timeout_s: for one request, from its start to the last byte of the answer.
        retries: further attempts where nobody answers; after a time-out there is none, since the server is still busy.
        max_message_mb: the largest request that is sent and answer that is taken.
        proxy: ``http://[USER:PASSWORD@]HOST:PORT``, see ``proxy_for``.
    """

    host: str
    port: int
    timeout_s: float
    retries: int
    max_message_mb: int
    proxy: str | None

    @property
    def name(self) -> str:
        """For messages: also the proxy, without its password."""
        if self.proxy is None:
            return f"{self.host}:{self.port}"
        proxy = urlsplit(self.proxy)
        return f"{self.host}:{self.port} (through the proxy {proxy.hostname}:{proxy.port} of http_proxy)"


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
    return Server(host, int(port), timeout_s, retries, max_message_mb, proxy_for(host.strip("[]"), int(port)))


def proxy_for(host: str, port: int) -> str | None:
    """The proxy ``http://[USER:PASSWORD@]HOST:PORT`` of ``http_proxy``.

    ``None`` where there is none, for this machine itself, and for what ``NO_PROXY`` names. ``UserError`` for a proxy of
    another kind.
    """
    proxy = urllib.request.getproxies_environment().get("http")
    if not proxy or _is_loopback(host) or urllib.request.proxy_bypass_environment(f"{host}:{port}"):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme == "http" and parts.hostname and parts.port
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise UserError(
            "http_proxy must be http://HOST:PORT for this command; to go without it, add the host to NO_PROXY."
        )
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost")
