"""A search's candidates as HTML: a card for each, which opens large beside the probe, and the file for a case."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.search.gallery import Gallery
from iacyclegan_tf.search.ranked_list import about_list
from iacyclegan_tf.search.search_result import LEAD, WAYS, Candidate, SearchResult, stored_photo
from iacyclegan_tf.web.html import TITLE, beside
from iacyclegan_tf.web.pictures import thumbnail

_GONE = "<div class=none>The photo that was added is no longer at its place.</div>"


@dataclass(frozen=True)
class Compared:
    """A candidate with what the scores compare: its photo and the sketch made of it, uint8 ``[h, w, 3]`` or gone."""

    candidate: Candidate
    photo: np.ndarray | None = None
    sketch: np.ndarray | None = None


def compared(result: SearchResult, gallery: Gallery) -> list[Compared]:
    """The candidates with their pictures; photos are read from where they were added, and only there."""
    photos = {}
    for one in result.candidates:
        try:
            photos[one.rank] = gallery.face(stored_photo(one), one.name, "photo")
        except UserError:  # its words name a path
            continue
    sketches = dict(zip(photos, gallery.model.to_sketch(list(photos.values())))) if photos else {}
    return [Compared(one, photos.get(one.rank), sketches.get(one.rank)) for one in result.candidates]


def ranked_html(result: SearchResult, candidates: Sequence[Compared]) -> str:
    """Needs nothing else: the pictures are small and inside, each once, as symbols of an SVG.

    The first of the sentences, ``LEAD``, stands above the search at all times (``page.py``).
    """
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.sentences if sentence != LEAD)
    symbols: list[str] = []
    sketch, photo = (
        "".join(_picture(symbols, f"probe-{of}-{number}", image, words) for number, image in enumerate(images))
        for of, images, words in (
            ("sketch", result.probes, "The sketch that was searched"),
            ("photo", result.synthesized, "The network's photo of the sketch"),
        )
    )
    cards = "".join(_card(symbols, one, sketch, photo) for one in candidates)
    return (
        f"<svg width=0 height=0 aria-hidden=true class=symbols>{''.join(symbols)}</svg>"
        f"<div class=probe><figure><div>{sketch}</div><figcaption>what was searched</figcaption></figure>"
        f"<figure><div>{photo}</div><figcaption>the network's photo of it</figcaption></figure>"
        f"<ul>{sentences}</ul></div><ol class=candidates>{cards}</ol>"
    )


def case_html(result: SearchResult, candidates: Sequence[Compared]) -> str:
    """The same as a file of its own, with where it comes from; to be kept or printed."""
    facts = {key: "none" if value is None else str(value) for key, value in about_list(result).items() if key != "note"}
    rows = "".join(f"<tr><th>{key.replace('_', ' ')}</th><td>{escape(value)}</td></tr>" for key, value in facts.items())
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{TITLE}: candidates</title><style>{beside('case.css')}{beside('page.css')}</style>"
        "<body><h1>Candidates</h1>"
        f"<p class=lead>{lead_html()}</p><div class=about><table>{rows}</table></div>"
        f"<div id=candidates>{ranked_html(result, candidates)}</div></body></html>\n"
    )


def lead_html() -> str:
    return f"<strong>{LEAD.replace(':', ':</strong>', 1)}"


def _card(symbols: list[str], one: Compared, sketches: str, photos: str) -> str:
    """The photo, large; below it the sketch made of it and the probe's photo; all four in what opens."""
    candidate = one.candidate
    name, place = escape(candidate.name, quote=True), f"candidate-{candidate.rank}"
    photo = _picture(symbols, f"photo-{candidate.rank}", one.photo, f"Photo {candidate.name}")
    words = f"The network's sketch of {candidate.name}"
    sketch = _picture(symbols, f"sketch-{candidate.rank}", one.sketch, words)
    who = f"<div class=who><span class=rank>{candidate.rank}</span><span>{name}</span></div>"
    rows = "".join(
        f"<tr><td>{theirs}</td><td>{way}<b>{getattr(candidate, way):.3f}</b></td><td>{ours}</td></tr>"
        for way, theirs, ours in (("photo", photo, photos), ("sketch", sketch, sketches))
    )
    scores = "".join(
        f"<dt>{way}</dt><dd{' class=strong' if way == 'fusion' else ''}>{getattr(candidate, way):.3f}</dd>"
        for way in WAYS
    )
    marks = "".join(
        f"<span class=mark>{way}: above FAR {100 * far:g}&nbsp;%</span>"
        for way, far in candidate.far.items()
        if far is not None
    )
    return (
        f"<li data-name='{name}'><button popovertarget={place} aria-label='Compare {name} with the probe'>{photo}"
        f"<span class=small>{sketch}<span class=probes>{photos}</span></span></button>{who}<dl>{scores}</dl>{marks}"
        f"<div id={place} popover class=large><button popovertarget={place} class=close aria-label=Close>✕</button>"
        f"{who}<table><tr><th>candidate<th>cosine<th>probe</tr>{rows}</table>"
        f"<p>fusion <b>{candidate.fusion:.3f}</b> {marks}</p></div></li>"
    )


def _picture(symbols: list[str], name: str, image: np.ndarray | None, words: str) -> str:
    """What shows ``image``, which is added to ``symbols``."""
    if image is None:
        return _GONE
    height, width = image.shape[:2]
    box, data = f"viewBox='0 0 {width} {height}'", base64.b64encode(thumbnail(image)).decode()
    symbols.append(
        f"<symbol id={name} {box}><image width={width} height={height} href='data:image/jpeg;base64,{data}'/></symbol>"
    )
    return f"<svg role=img aria-label='{escape(words, quote=True)}' {box}><use href='#{name}'/></svg>"
