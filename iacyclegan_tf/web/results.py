"""A rank list to read: a card for each candidate with photo, name and scores, and what the scores are worth."""

from __future__ import annotations

import base64
from html import escape

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.face_gallery import LEAD, WAYS, Candidate, SearchResult, stored_photo
from iacyclegan_tf.web.pictures import thumbnail


def result_html(result: SearchResult) -> str:
    """Needs nothing else: the photos are small and inside. They are read from where they were added, and only there.

    The first of the sentences, ``LEAD``, stands above the search at all times (``page.py``).
    """
    cards = "".join(map(_card, result.candidates))
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.sentences if sentence != LEAD)
    return (f"<div class=probe><figure>{_image(thumbnail(result.synthesised), 'The photo that the network made of the sketch')}"
            f"<figcaption>the sketch as a photo</figcaption></figure><ul>{sentences}</ul></div>"
            f"<ol class=candidates>{cards}</ol>")


def _card(one: Candidate) -> str:
    name = escape(one.name, quote=True)
    try:
        picture = _image(thumbnail(stored_photo(one)), f"Photo {one.name}")
    except UserError:  # its words name a path
        picture = "<div class=none>The photo that was added is no longer at its place.</div>"
    scores = "".join(f"<dt>{way}</dt><dd{' class=strong' if way == 'fusion' else ''}>{getattr(one, way):.3f}</dd>"
                     for way in WAYS)
    marks = "".join(f"<span class=mark>{way}: above FAR {100 * far:g} %</span>"
                    for way, far in one.far.items() if far is not None)
    return (f"<li data-name='{name}'><figure>{picture}<figcaption><div class=who><span class=rank>{one.rank}</span>"
            f"<span>{name}</span></div><dl>{scores}</dl>{marks}</figcaption></figure></li>")


def _image(jpeg: bytes, words: str) -> str:
    return f"<img alt='{escape(words, quote=True)}' src='data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}'>"
