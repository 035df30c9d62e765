"""What a browser may ask of the page: which paths, queries and headers, and which files in a message.

Gradio brings many routes that this page does not need (a proxy, a fetcher of URLs, an editor, a run history), and
fetches what a message names. Here stands what this page needs, and nothing more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

API = "/gradio_api"
UPLOAD, JOIN, CANCEL = f"{API}/upload", f"{API}/queue/join", f"{API}/cancel"
FILE = f"{API}/file="
READ = re.compile(
    rf"/|/config/?|/theme\.css|/favicon\.ico|/pwa_icon|/manifest\.json|/(assets|static|svelte)(/\w[\w.-]*)+|{API}/"
    r"(info/?|theme\.css|startup-events|heartbeat/\w{1,64}|queue/data|upload_progress|file=.+)"
)
WRITE = (UPLOAD, JOIN, CANCEL)
HEADERS = frozenset(
    {b"host", b"origin", b"accept", b"accept-encoding", b"content-type", b"content-length", b"if-none-match"}
    | {b"if-modified-since", b"user-agent"}
)
_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", re.ASCII)
_QUERIES = {"session_hash", "upload_id", "__theme", "v"}
_WORD = re.compile(r"[\w.-]{0,64}")


def check_query(host: str, query: bytes) -> None:
    """Raises ``ValueError`` for what is no name or address, and for parameters that the page does not send."""
    found = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), max_num_fields=9)
    if not _HOST.fullmatch(host) or any(name not in _QUERIES or not _WORD.fullmatch(value) for name, value in found):
        raise ValueError


def files_of(message: bytes) -> list[str]:
    """The paths that a message in JSON names, wherever in it. Raises ``ValueError`` for what is no message."""
    try:
        return list(_paths(json.loads(message)))
    except RecursionError:
        raise ValueError from None


def _paths(value) -> Iterator[str]:
    if isinstance(value, dict) and "path" in value:
        if not isinstance(value["path"], str):
            raise ValueError
        yield value["path"]
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _paths(one)
