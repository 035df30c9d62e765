"""A rank list to read: cards with photo, name and scores, and the same as CSV."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

import numpy as np

WAYS = ("fusion", "photo", "sketch")


@dataclass(frozen=True)
class Found:
    """One candidate.

    Attributes:
        scores: by way; see ``matching.py``. ``photo`` and ``sketch`` are cosines, ``fusion`` the sum of their z-scores.
        jpeg: the photo, small; None where it is no longer at its place.
        mark: what the scores are worth, in words; may be empty.
    """

    rank: int
    name: str
    scores: dict[str, float]
    jpeg: bytes | None
    mark: str = ""


class Searcher(Protocol):
    """Answers a sketch, uint8 ``[h, w, 3]`` RGB, with the ``count`` most alike, best first."""

    def search(self, sketch: np.ndarray, count: int) -> list[Found]: ...

    def __len__(self) -> int: ...


def candidates_html(found: Sequence[Found]) -> str:
    return f"<ol class=candidates>{''.join(map(_card, found))}</ol>"


def _card(one: Found) -> str:
    name = escape(one.name, quote=True)
    picture = (f"<img alt='Photo of {name}' src='data:image/jpeg;base64,{base64.b64encode(one.jpeg).decode()}'>" if one.jpeg
               else "<div class=none>The photo is no longer where it was.</div>")
    scores = "".join(f"<dt>{way}</dt><dd{' class=strong' if way == 'fusion' else ''}>{one.scores[way]:.3f}</dd>" for way in WAYS)
    mark = f"<span class=mark>{escape(one.mark)}</span>" if one.mark else ""
    return (f"<li data-name='{name}'><figure>{picture}<figcaption><div class=who><span class=rank>{one.rank}</span>"
            f"<span>{name}</span></div><dl>{scores}</dl>{mark}</figcaption></figure></li>")


def as_csv(found: Sequence[Found]) -> str:
    """Names that a spreadsheet would take for a formula get a quote before them."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["rank", "name", *WAYS])
    lines.writerows([one.rank, ("'" if one.name[:1] in "=+-@\t" else "") + one.name, *(f"{one.scores[way]:.6f}" for way in WAYS)]
                    for one in found)
    return text.getvalue()
