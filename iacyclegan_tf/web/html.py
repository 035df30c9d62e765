"""What the page says, and the model card as it stands on it."""

from __future__ import annotations

import base64
from html import escape

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.search.gallery import LEAD, WAYS, Candidate, SearchResult, stored_photo
from iacyclegan_tf.serving.publishing.model_card import DANGER, LIMITS
from iacyclegan_tf.web.pictures import thumbnail

TITLE = "Photos and sketches of faces"
WHAT = "Turns a face photo into a sketch and back, and looks for a sketched face in a gallery of photos."
HOW_TO_SEARCH = (
    "{count} photos are in the gallery. <b>photo</b>: the sketch is turned into a photo and compared with the "
    "photos. "
    "<b>sketch</b>: it is compared with sketches made of the photos. <b>fusion</b>: both together; the list is "
    "sorted by it. Only values of one list can be compared."
)
NO_GALLERY = (
    "No gallery was given. Start the page with <code>--gallery</code> and the index that "
    "<code>python -m iacyclegan_tf.gallery build</code> has made, or a folder of photos."
)
PRIVACY = "What is uploaded or made is deleted within half an hour, and when the page is stopped. "
PRIVACY_HERE = "Pictures stay on the machine that serves this page: no other is asked."
PRIVACY_SERVER = "Pictures are sent to the server of the models, which is named above, and to no other machine."
_WORDS = {
    "ssim": "SSIM",
    "rank1": "rank-1",
    "rank5": "rank-5",
    "mrr": "mean reciprocal rank",
    "input": "of the input itself",
}


def card_html(cards: list[dict]) -> str:
    """The model cards of a round's servables, which share everything but their measures and purpose."""
    first = cards[0]
    rows = "".join(
        f"<tr><th>{escape(card['servable'])}</th><td>{escape(card['purpose'].rpartition('; ')[2])}</td></tr>"
        for card in cards
    )
    measures = "".join(
        f"<tr><td>{escape(name)}</td><td class=number>{value:.3f}</td></tr>"
        for card in cards
        for name, value in _numbers(card["measures"], card["servable"])
    )
    data = "".join(
        f"<li>{escape(str(key).replace('_', ' '))}: {_value(value)}</li>" for key, value in first["data"].items()
    )
    protocol = "".join(
        f"<li>{escape(str(key).replace('_', ' '))}: {_value(value)}</li>" for key, value in first["protocol"].items()
    )
    return (
        f"<h2>The models</h2><p>Run <b>{escape(first['run'])}</b>, round {first['round']}. {escape(first['method'])}. For "
        f"{escape(first['purpose'].partition(';')[0])}.</p><div class=wide><table>{rows}</table></div>"
        f"<h2>False matches</h2><p>{escape(first['danger_of_false_matches'])}</p>"
        f"<h2>Limits</h2><ul>{''.join(f'<li>{escape(one)}</li>' for one in first['limits'])}</ul>"
        f"<h2>Measured on people that were not trained on</h2><div class=wide><table>{measures}</table></div>"
        f"<details><summary>How it was measured</summary><ul>{protocol}</ul></details>"
        f"<h2>Data</h2><ul>{data}</ul><h2>Licence of the weights</h2><p>{escape(first['licence_of_weights'])}</p>"
        f"<h2>Privacy</h2><p>{PRIVACY}{PRIVACY_HERE}</p>"
    )


def server_html(name: str, versions: dict[str, str]) -> str:
    """A server tells its versions; what they were trained on stands in the card beside each export."""
    rows = "".join(
        f"<tr><th>{escape(servable)}</th><td>{escape(state)}</td></tr>" for servable, state in versions.items()
    )
    return (
        f"<h2>The models</h2><p>{escape(name[0].upper() + name[1:])}. Its versions:</p>"
        f"<div class=wide><table>{rows}</table></div>"
        "<p>What they were trained on and how good they are stands in <code>assets.extra/model_card.json</code> of each "
        f"version.</p><h2>False matches</h2><p>{escape(DANGER)}</p>"
        f"<h2>Limits</h2><ul>{''.join(f'<li>{escape(one)}</li>' for one in LIMITS)}</ul>"
        f"<h2>Privacy</h2><p>{PRIVACY}{PRIVACY_SERVER}</p>"
    )


def _numbers(measures: dict, name: str):
    for key, value in measures.items():
        words = f"{name}, {_WORDS.get(key, key.replace('_', ' '))}"
        if isinstance(value, dict):
            yield from _numbers(value, words)
        elif isinstance(value, (int, float)):
            yield words, value


def _value(value) -> str:
    if isinstance(value, (list, tuple)):
        return escape("; ".join(map(str, value)))
    return (
        f"<code>{escape(str(value))}</code>" if len(str(value)) > 40 and " " not in str(value) else escape(str(value))
    )


def result_html(result: SearchResult) -> str:
    """Needs nothing else: the photos are small and inside. They are read from where they were added, and only there.

    The first of the sentences, ``LEAD``, stands above the search at all times (``page.py``).
    """
    cards = "".join(map(_card, result.candidates))
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.sentences if sentence != LEAD)
    return (
        f"<div class=probe><figure>{_image(thumbnail(result.synthesised), 'The photo that the network made of the sketch')}"
        f"<figcaption>the sketch as a photo</figcaption></figure><ul>{sentences}</ul></div>"
        f"<ol class=candidates>{cards}</ol>"
    )


def _card(one: Candidate) -> str:
    name = escape(one.name, quote=True)
    try:
        picture = _image(thumbnail(stored_photo(one)), f"Photo {one.name}")
    except UserError:  # its words name a path
        picture = "<div class=none>The photo that was added is no longer at its place.</div>"
    scores = "".join(
        f"<dt>{way}</dt><dd{' class=strong' if way == 'fusion' else ''}>{getattr(one, way):.3f}</dd>" for way in WAYS
    )
    marks = "".join(
        f"<span class=mark>{way}: above FAR {100 * far:g} %</span>" for way, far in one.far.items() if far is not None
    )
    return (
        f"<li data-name='{name}'><figure>{picture}<figcaption><div class=who><span class=rank>{one.rank}</span>"
        f"<span>{name}</span></div><dl>{scores}</dl>{marks}</figcaption></figure></li>"
    )


def _image(jpeg: bytes, words: str) -> str:
    return f"<img alt='{escape(words, quote=True)}' src='data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}'>"


FONTS, CODE_FONTS = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]  # none is fetched

CSS = """
.gradio-container { --body-text-color-subdued: #4f5d73; max-width: 1180px !important; width: 100% !important;
  margin: 0 auto !important; padding: 1.2rem .8rem 3rem !important; }
.dark .gradio-container, .gradio-container.dark { --body-text-color-subdued: #aab6c6; }
.gradio-container .app { padding: .6rem .8rem !important; width: 100%; box-sizing: border-box; }
.gradio-container .app .wrap, .gradio-container main.contain { width: 100%; }
:focus-visible { outline: 3px solid var(--primary-500) !important; outline-offset: 2px !important; }
#head h1 { font-size: 1.55rem; line-height: 1.2; margin: 0; letter-spacing: -.01em; }
#head p { color: var(--body-text-color-subdued); margin: .3rem 0 .4rem; max-width: 70ch; }
.lead { border-left: 4px solid var(--primary-500); background: var(--background-fill-secondary); border-radius: 0 8px 8px 0;
  padding: .6rem .9rem; margin: 0; max-width: 80ch; }
.said { margin: 0; min-height: 1.5em; color: var(--body-text-color-subdued); }
.said.wrong { color: var(--error-text-color); background: var(--error-background-fill); border-radius: 8px;
  border: 1px solid var(--error-border-color); padding: .55rem .8rem; font-weight: 600; overflow-wrap: anywhere; }
.picture { min-width: min(100%, 260px) !important; }
.picture img, .picture video { object-fit: contain; width: 100%; }
.probe { display: flex; gap: 1rem; align-items: flex-start; }
.probe figure { margin: 0; flex: none; } .probe img { height: 120px; width: auto; margin: 0 auto; border-radius: 8px; }
.probe figcaption { font-size: .82rem; color: var(--body-text-color-subdued); text-align: center; max-width: 9.5em; }
.probe ul { margin: 0; padding-left: 1.1rem; font-size: .92rem; min-width: 0; } .probe li { margin: 0 0 .3rem; }
.candidates { list-style: none; margin: .6rem 0 0; padding: 0; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(158px, 1fr)); }
.candidates li { border: 1px solid var(--border-color-primary); border-radius: 10px; overflow: hidden; margin: 0;
  background: var(--background-fill-primary); }
.candidates figure { margin: 0; }
.candidates img, .candidates .none { display: block; width: 100%; height: 168px; object-fit: contain;
  background: var(--background-fill-secondary); }
.candidates .none { display: grid; place-items: center; padding: .6rem; text-align: center; font-size: .85rem;
  color: var(--body-text-color-subdued); }
.candidates figcaption { padding: .55rem .7rem .7rem; }
.candidates .who { display: flex; gap: .45rem; align-items: baseline; font-weight: 600; font-size: .92rem;
  margin-bottom: .4rem; }
.candidates .who span:last-child { overflow-wrap: anywhere; min-width: 0; }
.candidates .rank { color: var(--primary-600); font-variant-numeric: tabular-nums; }
.dark .candidates .rank { color: var(--primary-300); }
.candidates dl { margin: 0; display: grid; grid-template-columns: auto 1fr; gap: .1rem .6rem; font-size: .88rem; }
.candidates dt { color: var(--body-text-color-subdued); font-weight: 400; }
.candidates dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.candidates .strong { font-weight: 700; }
.mark { display: inline-block; margin-top: .45rem; font-size: .78rem; padding: .1rem .5rem; border-radius: 99px;
  border: 1px solid var(--border-color-primary); color: var(--body-text-color-subdued); }
.about { max-width: 80ch; } .about h2 { font-size: 1.15rem; margin: 1.4rem 0 .4rem; } .about li { margin: .25rem 0; }
.about .wide { overflow-x: auto; }
.about table, .about tr { border-collapse: collapse; border: 0 !important; font-variant-numeric: tabular-nums; }
.about th, .about td { text-align: left; padding: .3rem 1.4rem .3rem 0 !important; vertical-align: top; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.about td.number { text-align: right; } .about code { overflow-wrap: anywhere; }
@media (max-width: 600px) {
  .gradio-container { padding: .4rem 0 2rem !important; } #head h1 { font-size: 1.3rem; }
  .gradio-container .app { padding: .4rem .7rem !important; }
  .candidates { grid-template-columns: repeat(auto-fill, minmax(138px, 1fr)); gap: .6rem; }
  .candidates img, .candidates .none { height: 136px; }
}
@media (prefers-reduced-motion: reduce) { * { animation-duration: .01ms !important; transition-duration: .01ms !important; } }
"""
