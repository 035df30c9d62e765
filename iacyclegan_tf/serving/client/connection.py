"""What both protocols of TensorFlow Serving share on the client's side: whom to ask, what can go wrong, retrying."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from iacyclegan_tf.common.errors import UserError

Answer = TypeVar("Answer")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class Unavailable(Exception):
    """Nobody answers, or the server is too busy: worth another try."""


class Refused(Exception):
    """The request itself is at fault, e.g. one image of it cannot be decoded."""


class NotFound(Exception):
    """The server has no such model, version, label or signature."""


@dataclass(frozen=True)
class Server:
    """Where a server listens and how patient the client is.

    Attributes:
        timeout_s: for one request, the answer included.
        retries: further attempts where nobody answers; after a time-out there is none, since the server is still busy.
        max_message_mb: the largest request that is sent and answer that is taken.
    """

    host: str
    port: int
    timeout_s: float = 30.0
    retries: int = 3
    max_message_mb: int = 64

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


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
    """``state`` is START, LOADING, AVAILABLE, UNLOADING or END."""

    version: int
    state: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.version} {self.state}" + (f" ({self.error})" if self.error else "")


class Connection(ABC):
    """One protocol. Images and other strings are ``bytes``; float outputs are nested lists of numbers."""

    hint = ""  # which port the protocol usually has

    def __init__(self, server: Server):
        self.server = server

    def predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]]) -> dict[str, list]:
        """The signature's outputs by name. Raises ``Refused``, or ``UserError`` for what no other images would mend."""
        size = sum(len(data) for images in inputs.values() for data in images)
        if size > self.server.max_message_mb * 2**20:
            raise UserError(
                f"A request of {size / 2**20:.1f} MB is larger than --max-message-mb={self.server.max_message_mb}."
            )
        try:
            return self._patiently(lambda: self._predict(model, signature, inputs))
        except NotFound as error:
            raise UserError(self._explained(model, error)) from None

    def status(self, name: str) -> list[VersionState]:
        """All versions of a model, newest first. Raises ``UserError`` where the server does not know it."""
        try:
            states = self._patiently(lambda: self._status(name))
        except NotFound as error:
            raise UserError(f"The server at {self.server.name} has no model {name!r}: {error}") from None
        return sorted(states, key=lambda state: -state.version)

    @abstractmethod
    def _predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]]) -> dict[str, list]:
        """One attempt. Raises ``Unavailable``, ``Refused``, ``NotFound`` or ``UserError``."""

    @abstractmethod
    def _status(self, name: str) -> list[VersionState]:
        """As ``_predict``."""

    def _patiently(self, attempt: Callable[[], Answer]) -> Answer:
        pause, left = _FIRST_PAUSE_S, self.server.retries
        while True:
            try:
                return attempt()
            except Unavailable as error:
                if left == 0:
                    raise UserError(
                        f"No TensorFlow Serving answers at {self.server.name} after "
                        f"{self.server.retries + 1} attempts: {error}. {self.hint}"
                    ) from None
            left -= 1
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _too_slow(self) -> UserError:
        return UserError(
            f"The server at {self.server.name} gave no answer within {self.server.timeout_s:g} s. It may "
            "be busy or still at work on the request; send fewer images at a time (--batch) or raise "
            "--timeout."
        )

    def _explained(self, model: Model, error: NotFound) -> str:
        """Unknown model, or a version that is not ready: the server's list tells which."""
        states = self.status(model.name)
        return (
            f"The server at {self.server.name} cannot answer for {model}: {error}. Its versions of {model.name}: "
            f"{', '.join(map(str, states)) or 'none'}."
        )
