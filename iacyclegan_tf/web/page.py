"""The page's tabs: what stands in them, and what asks for which answer. Needs Gradio (the extra ``app``)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from iacyclegan_tf.web.answers import (
    BACK,
    CHOOSE_PICTURE,
    CHOOSE_SKETCH,
    CUT,
    MOST_SKETCHES,
    TO,
    TOP,
    WHOLE,
    Served,
    search,
    sentence,
    translate,
)
from iacyclegan_tf.web.html import HOW_TO_SEARCH, NO_GALLERY, NOTHING_MADE, TITLE, WHAT
from iacyclegan_tf.web.probe import MOST_FACES
from iacyclegan_tf.web.ranked_html import lead_html

_QUEUE = 16  # requests that wait; more are turned away with a message
_AT_ONCE = 4  # that are decoded side by side; one after the other goes through the networks
_EXAMPLES = (("photos/person_1.png", "sketch"), ("scene.png", "sketch"), ("sketches/person_3.png", "photo"))
_SKETCHES = tuple(f"sketches/person_{number}.png" for number in (1, 2, 3))
# Files come as messages about them, not opened by Gradio: ``read_probe`` bounds what is decoded.
_ASKED = {"preprocess": False, "api_name": False, "concurrency_id": "models"}


def build(served: Served) -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        _html(f"<h1>{TITLE}</h1><p>{WHAT}</p>", "head")
        with gr.Tab("Translate", id="translate"):
            _translate_tab(served)
        with gr.Tab("Search", id="search"):
            _search_tab(served)
        with gr.Tab("About", id="about"):
            _html(f"<div class=about>{served.about}</div>", "card")
    return page.queue(max_size=_QUEUE, api_open=False, default_concurrency_limit=_AT_ONCE)


def _translate_tab(served: Served) -> None:
    with gr.Row():
        with gr.Column():
            given = gr.Image(
                sources=["upload", "webcam", "clipboard"],
                label="Your picture",
                elem_id="given",
                height=320,
                buttons=["fullscreen"],
                alt_text="The picture that you chose",
                webcam_options=gr.WebcamOptions(mirror=False),
            )
            direction = gr.Radio(list(TO.values()), value=TO["sketch"], label="Direction", elem_id="direction")
            pictures = [str(served.folder.examples / name) for name, _ in _EXAMPLES]
            examples = _examples(given, pictures, "translate-examples")
        with gr.Column():
            said = _html(sentence(CHOOSE_PICTURE), "translate-said")
            face = _face_choice("face")
            made = _html(NOTHING_MADE, "made")
            with gr.Row():
                one = gr.DownloadButton("Download the result", interactive=False, elem_id="download-result")
                both = gr.DownloadButton("Download side by side", interactive=False, elem_id="download-both")
            as_trained = CUT if served.models.align else WHOLE
            framing = gr.Radio([CUT, BACK, WHOLE], value=as_trained, label="What is translated", elem_id="framing")

    def example(index: int) -> tuple:
        path, to = pictures[index], TO[_EXAMPLES[index][1]]
        return path, to, as_trained, *translate(served, {"path": path}, to, as_trained)

    def answer(*inputs) -> tuple:
        return translate(served, *inputs)

    inputs, outputs = [given, direction, framing], [face, made, one, both, said]
    asked = _ASKED | {"show_progress_on": made}
    given.input(answer, inputs, outputs, **asked)
    gr.on([direction.input, framing.input, face.input], answer, [*inputs, face], outputs, **asked)
    examples.click(example, [examples], [*inputs, *outputs], **asked)


def _search_tab(served: Served) -> None:
    _html(f"<p class=lead>{lead_html()}</p>", "lead")
    if served.gallery is None:
        _html(f"<p>{NO_GALLERY}</p>", "no-gallery")
        return
    with gr.Row():
        with gr.Column():
            sketches = gr.Gallery(
                sources=["upload", "clipboard"],
                file_types=["image"],
                label="Sketches of one person",
                elem_id="sketch",
                height=320,
                columns=3,
                fit_columns=False,
                object_fit="contain",
                buttons=[],
                interactive=True,
            )
            drawn = [str(served.folder.examples / name) for name in _SKETCHES]
            examples = _examples(gr.Image(render=False), drawn, "search-examples")
        with gr.Column():
            said = _html(sentence(CHOOSE_SKETCH), "search-said")
            face = _face_choice("sketch-face")
            as_made = CUT if served.gallery.store.align else WHOLE
            framing = gr.Radio([CUT, WHOLE], value=as_made, label="What is searched", elem_id="sketch-framing")
            top = gr.Radio(list(TOP), value=TOP[0], label="Candidates to show", elem_id="top")
            with gr.Row():
                table = gr.DownloadButton("Download as CSV", interactive=False, elem_id="download-csv")
                case = gr.DownloadButton("Download for the case file", interactive=False, elem_id="download-case")
            words = HOW_TO_SEARCH.format(
                count=len(served.gallery), name=escape(served.gallery_name), most=MOST_SKETCHES
            )
            _html(f"<p>{words}</p>", "how-to-search")
    listed = _html("", "candidates", visible=False)

    def answer(*inputs) -> tuple:
        return search(served, *inputs)

    inputs, outputs = [sketches, framing, top], [face, listed, table, case, said]
    asked = _ASKED | {"show_progress_on": listed}
    sketches.change(answer, inputs, outputs, **asked)
    gr.on([framing.input, top.input, face.input], answer, [*inputs, face], outputs, **asked)
    # a field of several pictures tells of a change that the page has made, unless it was empty: so it is emptied first
    emptied = examples.click(None, None, [sketches], js="() => null", api_name=False)
    chosen = emptied.then(lambda index: [drawn[index]], [examples], [sketches], **_ASKED)
    chosen.then(answer, inputs, outputs, **asked)


def _html(words: str, name: str, visible: bool = True) -> gr.HTML:
    return gr.HTML(words, elem_id=name, visible=visible)


def _examples(component, paths: Sequence[str], name: str) -> gr.Dataset:
    return gr.Dataset(
        components=[component],
        samples=[[path] for path in paths],
        type="index",
        label="Examples, drawn by this program",
        elem_id=name,
    )


def _face_choice(name: str) -> gr.Radio:
    return gr.Radio(list(range(1, MOST_FACES + 1)), value=1, label="Which face", elem_id=name, visible=False)
