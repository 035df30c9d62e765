"""From ``HOST[:PORT]`` to a connection in either protocol; only the chosen one's libraries are loaded."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from urllib.parse import urlsplit

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.connection import Connection, Server

PORTS = {"rest": 8501, "grpc": 8500}


def connected(
    address: str, protocol: str = "rest", timeout_s: float = 30.0, retries: int = 3, max_message_mb: int = 64
) -> Connection:
    """A connection to TensorFlow Serving; nothing is asked yet. The last three as in ``Server``.

    Args:
        address: without a port it is the usual one of the protocol.
        protocol: ``rest`` or ``grpc``.
    """
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(PORTS[protocol])
    # no user, no path: what looks like a password is neither sent nor repeated
    if (
        not re.fullmatch(r"[\w.-]+|\[[\da-fA-F:.]+\]", host, re.ASCII)
        or not re.fullmatch(r"\d{1,5}", port, re.ASCII)
        or not 0 < int(port) < 65536
    ):
        shown = repr(address) if "@" not in address else "not shown, since it holds @"
        raise UserError(f"--server is {shown}; it must be HOST or HOST:PORT, e.g. localhost:8501.")
    server = Server(host, int(port), timeout_s, retries, max_message_mb, proxy_for(host.strip("[]"), int(port)))
    if protocol == "grpc":
        from iacyclegan_tf.serving.client.grpc import GrpcConnection

        return GrpcConnection(server)
    from iacyclegan_tf.serving.client.rest import RestConnection

    return RestConnection(server)


def proxy_for(host: str, port: int) -> str | None:
    """The proxy ``http://[USER:PASSWORD@]HOST:PORT`` of ``http_proxy``, for both protocols.

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
