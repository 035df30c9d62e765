"""What the page says, a result beside its picture, and the model card."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from urllib.parse import quote

from iacyclegan_tf.web.pictures import thumbnail
from iacyclegan_tf.web.probe import Probe, marked
from iacyclegan_tf.web.requests import FILE

FONTS, CODE_FONTS = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]  # none is fetched
TITLE = "Photos and sketches of faces"
WHAT = "Turns a face photo into a sketch and back, and looks for a sketched face in a gallery of photos."
HOW_TO_SEARCH = (
    "The gallery <b>{name}</b> holds {count} photos. <b>photo</b>: the sketch is turned into a photo and compared with "
    "the photos. <b>sketch</b>: it is compared with sketches made of the photos. <b>fusion</b>: both together, which "
    "sorts the list. Only values of one list can be compared. Up to {most} sketches of one person are searched "
    "together. Choose a candidate to see it large beside the sketch."
)
NOTHING_MADE = "<div class=empty>The result appears here.</div>"
NO_GALLERY = "These models have no recognizers, so nothing can be searched with them; start the page with a whole run."
PRIVACY = (
    "What is uploaded or made is deleted within half an hour, and when the page is stopped. "
    "Pictures stay on the machine that serves this page: no other is asked."
)
_WORDS = {"ssim": "SSIM", "rank1": "rank-1", "rank5": "rank-5", "mrr": "mean reciprocal rank"}
_WORDS |= {"input": "of the input itself"}


def card_html(cards: list[dict]) -> str:
    """The model cards of a round's servables, which share everything but their measures and purpose."""
    first = cards[0]
    numbers = {name: value for card in cards for name, value in _numbers(card["measures"], card["servable"])}
    measures = "".join(
        f"<tr><td>{escape(name)}</td><td class=number>{value:.3f}</td></tr>" for name, value in numbers.items()
    )
    return (
        f"<h2>The models</h2><p>Run <b>{escape(first['run'])}</b>, round {escape(str(first['round']))}. "
        f"{escape(first['method'])}. For {escape(first['purpose'].partition(';')[0])}.</p>"
        + _table({card["servable"]: card["purpose"].rpartition("; ")[2] for card in cards})
        + f"<h2>False matches</h2><p>{escape(first['danger_of_false_matches'])}</p>"
        f"<h2>Limits</h2><ul>{''.join(f'<li>{escape(one)}</li>' for one in first['limits'])}</ul>"
        f"<h2>Measured on people that were not trained on</h2><div class=wide><table>{measures}</table></div>"
        f"<details><summary>How it was measured</summary>{_facts(first['protocol'])}</details>"
        f"<h2>Data</h2>{_facts(first['data'])}<h2>License of the weights</h2>"
        f"<p>{escape(first['licence_of_weights'])}</p>"
        f"<h2>Privacy</h2><p>{PRIVACY}</p>"
    )


def _table(values: dict[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in values.items())
    return f"<div class=wide><table>{rows}</table></div>"


def _facts(values: dict) -> str:
    items = (f"<li>{escape(str(key).replace('_', ' '))}: {_value(value)}</li>" for key, value in values.items())
    return f"<ul>{''.join(items)}</ul>"


def _numbers(measures: dict, name: str):
    for key, value in measures.items():
        words = f"{name}, {_WORDS.get(key, key.replace('_', ' '))}" if key != "fusion" else "both recognizers, fused"
        if isinstance(value, dict):
            yield from _numbers(value, words)
        elif isinstance(value, (int, float)):
            yield words, value


def _value(value) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"<code>{escape(text)}</code>" if len(text) > 40 and " " not in text else escape(text)


def compare_html(before: str, after: str, to: str) -> str:
    """Two pictures of one size over each other, files of the page, parted by a slider; Gradio's has no keys."""
    return (
        f"<div class=compare><img src='{_address(before)}' alt='What the network was given'>"
        f"<img src='{_address(after)}' alt='The {to} that the network made of it'>"
        "<input type=range min=0 max=100 value=50 aria-label='Part that shows the result' "
        "oninput=\"this.parentNode.style.setProperty('--shown', this.value + '%')\"></div>"
    )


def taken_html(probes: Sequence[Probe], *more: str | None) -> str:
    """Which face was taken from each picture, and what should be known of it, ``more`` among that."""
    figures = "".join(
        f"<figure>{_image(thumbnail(marked(one)), f'{one.name}, the face that was taken is marked')}"
        f"<figcaption>taken from {escape(one.name)}</figcaption></figure>"
        for one in probes
        if not one.plain
    )
    said = [*(words for one in probes for words in one.portrait.remarks()), *filter(None, more)]
    remarks = "".join(f"<li>{escape(words[0].upper() + words[1:].removesuffix('.'))}.</li>" for words in said)
    return f"<div class=taken>{figures}<ul>{remarks}</ul></div>" if figures or remarks else ""


def _address(path: str) -> str:
    return escape(f"{FILE.lstrip('/')}{quote(path)}", quote=True)


def _image(jpeg: bytes, words: str) -> str:
    return f"<img alt='{escape(words, quote=True)}' src='data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}'>"


def beside(name: str) -> str:
    """Text of a file that lies in this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
