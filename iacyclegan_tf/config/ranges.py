"""What a setting may be, to stand beside its type: ``epochs: Whole = 1``, ``ema: Decay = 0.99``."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Allowed:
    """``words`` end the sentence "… is VALUE; it must be …"; ``holds`` is asked for values of the right type."""

    words: str
    holds: Callable[[Any], bool]


def between(low: float, high: float) -> Allowed:
    """Both ends included."""
    return Allowed(f"from {low} to {high}", lambda value: low <= value <= high)


def multiple_of(number: int, why: str) -> Allowed:
    return Allowed(f"divisible by {number}, because {why}, and positive", lambda v: v > 0 and v % number == 0)


Count = Annotated[int, Allowed("at least 1", lambda value: value >= 1)]
Several = Annotated[int, Allowed("at least 2: images of people are compared", lambda value: value >= 2)]
Whole = Annotated[int, Allowed("0 or more", lambda value: value >= 0)]
NotNegative = Annotated[float, Allowed("0 or more", lambda value: value >= 0)]
Positive = Annotated[float, Allowed("more than 0", lambda value: value > 0)]
Decay = Annotated[float, Allowed("at least 0 and below 1", lambda value: 0 <= value < 1)]

# A folder of its own in runs/ and savedmodels/; savedmodels/serving is the one that servers poll.
RunName = Annotated[
    str,
    Allowed(
        "a plain folder name: printable characters without /, no dot at its start, and not serving",
        lambda v: bool(v) and v.isprintable() and "/" not in v and v[0] != "." and v != "serving",
    ),
]

# Of every text, names and paths alike: control characters, line breaks and halves of characters are in none.
TEXT = Allowed(
    "text without control characters",
    lambda text: not any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in text),
)
