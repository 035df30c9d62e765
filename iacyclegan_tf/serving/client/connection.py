"""TensorFlow Serving's REST API: ``POST /v1/models/M:predict`` in columns, ``GET /v1/models/M``, patiently."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.serving.client.answers import BrokenAnswer, checked
from iacyclegan_tf.serving.client.exchange import PORT, Server, exchange
from iacyclegan_tf.serving.signatures import signatures

Answer = TypeVar("Answer")
STATES = ("UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END")
_HINT = f"Is it running, and is this its REST port (usually {PORT})?"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_MOST_VERSIONS = 1000  # of a model that a server may list
_MOST_PARTS = 2**22  # values and brackets in an answer: 256 MB of Python's lists and numbers


class ServerError(Exception):
    """What a server said, made fit to print."""

    def __init__(self, reason: object):
        super().__init__(printable(" ".join(str(reason)[:1000].split())))


class Unavailable(ServerError):
    """Nobody answers, or the server is too busy (429: queue full, 503: not ready): worth another try."""


class Refused(ServerError):
    """The request itself is at fault, e.g. its label is unknown."""


class NotFound(ServerError):
    """The server has no such model, version, label or signature."""


_KINDS = {400: Refused, 404: NotFound, 429: Unavailable, 503: Unavailable}


@dataclass(frozen=True)
class Model:
    """A servable and, where not the server's newest, its version (a number) or label (``stable``, ``canary``)."""

    name: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name} version {self.version}"
        return f"{self.name} label {self.label!r}" if self.label else self.name


class Connection:
    """One server; nothing is asked before it is told to. What comes out has passed ``answers.checked``."""

    def __init__(self, server: Server):
        self.server = server

    def predict(self, model: Model, images: list[bytes]) -> list[bytes] | np.ndarray:
        """What the signature ``serving_default`` makes of encoded images: PNG files, or float32 ``[N, D]`` of length 1.

        One that the server cannot decode fails them all. Raises ``UserError``.
        """
        which = f"/labels/{quote(model.label, safe='')}" if model.label else ""
        if model.version is not None:
            which = f"/versions/{model.version}"
        columns = {"image_bytes": [{"b64": base64.b64encode(data).decode()} for data in images]}
        body = json.dumps({"signature_name": "serving_default", "inputs": columns}).encode()
        (output,) = signatures(model.name)["serving_default"].outputs

        def attempt():
            value = self._ask("POST", f"/v1/models/{model.name}{which}:predict", body).get("outputs")
            if isinstance(value, dict):  # otherwise the single output stands alone, without its name
                value = value.get(output)
            return checked(output, _decoded(value) if output == "image_bytes" else value, len(images))

        try:
            return self._patiently(attempt)
        except Refused as error:
            raise UserError(f"The server at {self.server.name} refused a request to {model.name}: {error}") from None
        except NotFound as error:
            states = printable(", ".join(self.status(model.name)) or "none", 1000)
            raise UserError(
                f"The server at {self.server.name} cannot answer for {model}: {error}. Its versions of {model.name}: "
                f"{states}."
            ) from None

    def status(self, name: str) -> list[str]:
        """Number and state of all versions of a model, newest first. ``UserError``: the server does not know it."""

        def attempt():
            try:
                found = self._ask("GET", f"/v1/models/{name}")["model_version_status"]
                states = {int(one["version"]): _state(one) for one in found}
            except (KeyError, TypeError, ValueError, AttributeError):
                raise BrokenAnswer("something else than the states of a model's versions") from None
            if len(states) > _MOST_VERSIONS:
                raise BrokenAnswer(f"more than {_MOST_VERSIONS} versions of a model")
            return [f"{version} {states[version]}" for version in sorted(states, reverse=True)]

        try:
            return self._patiently(attempt)
        except NotFound as error:
            raise UserError(f"The server at {self.server.name} has no model {name!r}: {error}") from None

    def _patiently(self, attempt: Callable[[], Answer]) -> Answer:
        pause, attempts, at = _FIRST_PAUSE_S, 0, f"at {self.server.name}"
        while True:
            attempts += 1
            try:
                return attempt()
            except Unavailable as error:
                if attempts > self.server.retries:
                    raise UserError(
                        f"No TensorFlow Serving answers {at} after {attempts} attempts: {error}. {_HINT}"
                    ) from None
            except BrokenAnswer as error:
                raise UserError(f"The server {at} answered {error}; nothing of that is used.") from None
            except TimeoutError:
                raise UserError(
                    f"The server {at} gave no answer within {self.server.timeout_s:g} s. It may be busy or still at "
                    "work on the request; send fewer images at a time (--batch) or raise --timeout."
                ) from None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict:
        try:
            status, data = exchange(self.server, method, path, body)
        except (http.client.RemoteDisconnected, http.client.IncompleteRead):
            raise Unavailable("it hung up before the answer was whole") from None
        except http.client.HTTPException as error:
            raise UserError(
                f"What answers at {self.server.name} does not speak HTTP ({type(error).__name__}). {_HINT}"
            ) from None
        except TimeoutError:
            raise
        except OSError as error:
            raise Unavailable(error.strerror or error) from None
        if data.count(b",") + data.count(b"[") + data.count(b"{") > _MOST_PARTS:
            raise BrokenAnswer("millions of values")
        try:
            answer = json.loads(data)
            reason = answer.get("error", "")
        except (ValueError, AttributeError, RecursionError):
            raise UserError(
                f"What answers at {self.server.name} is no TensorFlow Serving: HTTP {status} without JSON. {_HINT}"
            ) from None
        if status == 200:
            return answer
        if status in _KINDS:
            raise _KINDS[status](reason)
        raise UserError(f"The server at {self.server.name} failed: {ServerError(f'HTTP {status}, {reason}')}")


def _state(one: dict) -> str:
    """``AVAILABLE``, or e.g. ``END (no space)``; ``ValueError`` for a state that TensorFlow Serving does not have."""
    if one["state"] not in STATES:
        raise ValueError(one["state"])
    error = str(one.get("status", {}).get("error_message", ""))
    return one["state"] + (f" ({printable(error)})" if error else "")


def _decoded(value: object) -> list[bytes]:
    try:
        return [base64.b64decode(one["b64"], validate=True) for one in value]
    except (TypeError, KeyError, ValueError, IndexError):
        raise BrokenAnswer("something else than images in base64") from None
