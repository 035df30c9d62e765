"""From ``HOST[:PORT]`` to a connection in either protocol; only the chosen one's libraries are loaded."""

from __future__ import annotations

import re

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.connection import Connection, Server

PORTS = {"rest": 8501, "grpc": 8500}


def connected(
    address: str, protocol: str = "rest", timeout_s: float = 30.0, retries: int = 3, max_message_mb: int = 64
) -> Connection:
    """A connection to TensorFlow Serving; nothing is asked yet. The last three: ``serving/remote.py``.

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
        or not port.isdecimal()
        or not 0 < int(port) < 65536
    ):
        shown = repr(address) if "@" not in address else "not shown, since it holds @"
        raise UserError(f"--server is {shown}; it must be HOST or HOST:PORT, e.g. localhost:8501.")
    server = Server(host, int(port), timeout_s, retries, max_message_mb)
    if protocol == "grpc":
        from iacyclegan_tf.serving.client.grpc import GrpcConnection

        return GrpcConnection(server)
    from iacyclegan_tf.serving.client.rest import RestConnection

    return RestConnection(server)
