"""What a browser may say to the page: which requests, and what is in them. Everything else is refused.

Gradio brings many routes that this page does not need (a proxy, a fetcher of URLs, an editor, a run history), and takes
messages of any shape. Here stand the paths, queries, headers and messages of this page, and nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationInfo, create_model, field_validator

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
MOST_PICTURES = 8  # in one field
_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", re.ASCII)
_QUERIES = {"session_hash", "upload_id", "__theme", "v"}
_WORD = re.compile(r"[\w.-]{0,64}")
_Short = Annotated[str, Field(max_length=4096)]
_Hash = Annotated[str, Field(pattern=r"^\w{1,64}$")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Meta(_Message):
    kind: Literal["gradio.FileData"] = Field(alias="_type")


class Picture(_Message):
    """A file of the page's own: whoever checks a message is asked about its path."""

    path: _Short
    url: _Short | None = None
    orig_name: _Short | None = None
    mime_type: _Short | None = None
    size: int | None = None
    is_stream: Literal[False] = False
    meta: _Meta

    @field_validator("path")
    @classmethod
    def _is_ours(cls, path: str, info: ValidationInfo) -> str:
        info.context(path)
        return path


class Captioned(_Message):
    """A picture among several."""

    image: Picture
    caption: None = None


class _Cancel(_Message):
    session_hash: _Hash
    fn_index: Annotated[int, Field(ge=0, lt=100)]
    event_id: _Hash | None = None


ONE = Picture | None
SEVERAL = Annotated[list[Captioned], Field(max_length=MOST_PICTURES)] | None


class _Join(_Message):
    session_hash: _Hash
    trigger_id: int | None = None
    event_data: SEVERAL = None  # a field of several pictures tells what it holds twice


def one_of(values) -> Any:
    """What a field may hold that is chosen among ``values``; None where nothing is chosen."""
    return Literal[tuple(values)] | None


def joining(inputs: Mapping[int, Sequence[Any]]) -> TypeAdapter:
    """What a request to ``JOIN`` may hold.

    Args:
        inputs: by the number of the page's function, the type of each of its inputs.
    """
    kinds = [
        create_model(f"Join{number}", __base__=_Join, fn_index=(Literal[number], ...), data=(tuple[*types], ...))
        for number, types in inputs.items()
    ]
    return TypeAdapter(reduce(or_, kinds))


def check_host(name: str) -> None:
    """Raises ``ValueError`` for what is no name or address, with or without a port."""
    if not _HOST.fullmatch(name):
        raise ValueError


def check_query(query: bytes) -> None:
    """Raises ``ValueError`` for parameters that the page does not send, or strange values of them."""
    found = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), max_num_fields=9)
    if any(name not in _QUERIES or not _WORD.fullmatch(value) for name, value in found):
        raise ValueError


def check_message(path: str, body: bytes, join: TypeAdapter, is_own_file: Callable[[str], None]) -> None:
    """The body of a request to ``JOIN`` or ``CANCEL``.

    Args:
        is_own_file: raises where a path is none of the page's files.

    Raises ``ValueError`` for what the page does not send.
    """
    if path == JOIN:
        join.validate_json(body, context=is_own_file)
    else:
        _Cancel.model_validate_json(body)
