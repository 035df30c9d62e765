"""What both protocols of TensorFlow Serving share on the client's side: whom to ask, what can go wrong, retrying."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.serving.client.answers import BrokenAnswer, checked
from iacyclegan_tf.serving.contract import signatures

Answer = TypeVar("Answer")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_MOST_VERSIONS = 1000  # of a model that a server may list
STATES = ("UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END")


class ServerError(Exception):
    """What a server said, made fit to print."""

    def __init__(self, reason: object):
        super().__init__(printable(" ".join(str(reason)[:1000].split())))


class Unavailable(ServerError):
    """Nobody answers, or the server is too busy: worth another try."""


class Refused(ServerError):
    """The request itself is at fault, e.g. one image of it cannot be decoded."""


class NotFound(ServerError):
    """The server has no such model, version, label or signature."""


class Failed(ServerError):
    """Anything else: no other images and no other time would mend it."""


@dataclass(frozen=True)
class Server:
    """Where a server listens and how patient the client is.

    Attributes:
        timeout_s: for one request, from its start to the last byte of the answer.
        retries: further attempts where nobody answers; after a time-out there is none, since the server is still busy.
        max_message_mb: the largest request that is sent and answer that is taken.
        proxy: ``http://[USER:PASSWORD@]HOST:PORT``, see ``connecting.proxy_for``.
    """

    host: str
    port: int
    timeout_s: float = 30.0
    retries: int = 3
    max_message_mb: int = 64
    proxy: str | None = None

    @property
    def name(self) -> str:
        """For messages: also the proxy, without its password."""
        if self.proxy is None:
            return f"{self.host}:{self.port}"
        proxy = urlsplit(self.proxy)
        return f"{self.host}:{self.port} (through the proxy {proxy.hostname}:{proxy.port} of http_proxy)"


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


@dataclass(frozen=True)
class VersionState:
    """``state`` is one of ``STATES``."""

    version: int
    state: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.version} {self.state}" + (f" ({printable(self.error)})" if self.error else "")


class Connection(ABC):
    """One protocol of one server. Images go in as ``bytes``; what comes out has passed ``answers.checked``."""

    hint = ""  # which port the protocol usually has

    def __init__(self, server: Server):
        self.server = server

    def predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]]) -> dict[str, list | np.ndarray]:
        """The signature's one output under its name; ``inputs`` is ``image_bytes`` alone.

        Raises ``Refused``, or ``UserError`` for what no other images would mend.
        """
        size = sum(len(data) for images in inputs.values() for data in images)
        if size > self.server.max_message_mb * 2**20:
            raise UserError(
                f"A request of {size / 2**20:.1f} MB is larger than --max-message-mb={self.server.max_message_mb}."
            )
        (output,) = signatures(model.name)[signature].outputs

        def attempt():
            return checked(output, self._predict(model, signature, inputs, output), len(inputs["image_bytes"]))

        try:
            return {output: self._patiently(attempt)}
        except NotFound as error:
            states = ", ".join(map(str, self.status(model.name))) or "none"
            raise UserError(
                f"The server at {self.server.name} cannot answer for {model}: {error}. Its versions of {model.name}: "
                f"{printable(states, 1000)}."
            ) from None

    def status(self, name: str) -> list[VersionState]:
        """All versions of a model, newest first. Raises ``UserError`` where the server does not know it."""

        def attempt():
            states = self._status(name)
            if len(states) > _MOST_VERSIONS or not all(one.state in STATES for one in states):
                raise BrokenAnswer("something else than the states of a model's versions")
            return states

        try:
            return sorted(self._patiently(attempt), key=lambda one: -one.version)
        except NotFound as error:
            raise UserError(f"The server at {self.server.name} has no model {name!r}: {error}") from None

    @abstractmethod
    def _predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]], output: str) -> object:
        """One attempt, and the value of ``output`` for ``answers.checked``.

        Raises a ``ServerError``, ``TimeoutError``, ``BrokenAnswer`` or ``UserError``.
        """

    @abstractmethod
    def _status(self, name: str) -> list[VersionState]:
        """As ``_predict``."""

    def _patiently(self, attempt: Callable[[], Answer]) -> Answer:
        pause, at = _FIRST_PAUSE_S, f"at {self.server.name}"
        left = self.server.retries
        while True:
            try:
                return attempt()
            except Unavailable as error:
                if left == 0:
                    raise UserError(
                        f"No TensorFlow Serving answers {at} after {self.server.retries + 1} attempts: {error}. "
                        f"{self.hint}"
                    ) from None
            except Failed as error:
                raise UserError(f"The server {at} failed: {error}") from None
            except BrokenAnswer as error:
                raise UserError(f"The server {at} answered {error}; nothing of that is used.") from None
            except TimeoutError:
                raise UserError(
                    f"The server {at} gave no answer within {self.server.timeout_s:g} s. It may be busy or still at "
                    "work on the request; send fewer images at a time (--batch) or raise --timeout."
                ) from None
            left -= 1
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
