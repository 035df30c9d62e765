"""The page's tabs and what happens in them. Needs Gradio (the extra ``app``)."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable
from html import escape
from pathlib import Path

import gradio as gr
import numpy as np

from iacyclegan_tf.search.gallery import LEAD, Gallery
from iacyclegan_tf.search.ranked_list import as_csv
from iacyclegan_tf.web.html import HOW_TO_SEARCH, NO_GALLERY, TITLE, WHAT, result_html
from iacyclegan_tf.web.pictures import WrongPicture, decode, plain_name, png, side_by_side

TO = {"sketch": "Photo → sketch", "photo": "Sketch → photo"}
_NOTHING = "Choose a picture, or take one with the camera; the result appears by itself."
_FAULT = "That did not work, and it is not the picture's fault. The terminal that the page was started from says why."
_QUEUE = 16  # requests that wait; more are turned away with a message
_TOP = (10, 20, 50)


class Upload(gr.Image):
    """An image field whose file is handed over as it came: ``(bytes, name)``, not opened by Gradio."""

    is_template = True  # for the browser an ordinary image field

    def preprocess(self, payload) -> tuple[bytes, str] | None:
        if payload is None:
            return None
        path = Path(payload.path)  # in the page's own folder: see guard.py
        return path.read_bytes(), plain_name(payload.orig_name or path.name)


def build(models, gallery: Gallery | None, about: str, folder: Path) -> gr.Blocks:
    """The whole page.

    Args:
        models: ``Trained`` or ``RemoteModel``.
        gallery: what is searched; without one the tab says how to get it.
        about: HTML of the last tab.
        folder: for results that can be downloaded.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(f"<h1>{TITLE}</h1><p>{WHAT}</p>", elem_id="head")
        with gr.Tab("Translate", id="translate"):
            _translate_tab(models, folder)
        with gr.Tab("Search", id="search"):
            _search_tab(gallery, folder)
        with gr.Tab("About", id="about"):
            gr.HTML(f"<div class=about>{about}</div>", elem_id="card")
    return page.queue(max_size=_QUEUE, api_open=False, default_concurrency_limit=1)


def _translate_tab(models, folder: Path) -> None:
    direction = gr.Radio(list(TO.values()), value=TO["sketch"], label="Direction", elem_id="direction")
    with gr.Row():
        given = Upload(
            sources=["upload", "webcam", "clipboard"],
            label="Your picture",
            elem_id="given",
            elem_classes="picture",
            height=360,
            buttons=["fullscreen"],
            alt_text="The picture that you chose",
            webcam_options=gr.WebcamOptions(mirror=False),
        )
        made = gr.Image(
            interactive=False,
            label="Result",
            elem_id="made",
            elem_classes="picture",
            height=360,
            buttons=["fullscreen"],
            alt_text="What the network made of it",
        )
    said = gr.HTML(_said(_NOTHING), elem_id="translate-said")
    with gr.Row():
        one = gr.DownloadButton("Download the result", interactive=False, elem_id="download-result")
        both = gr.DownloadButton("Download side by side", interactive=False, elem_id="download-both")

    def translate(upload: tuple[bytes, str] | None, wanted: str) -> tuple:
        nothing = None, gr.update(value=None, interactive=False), gr.update(value=None, interactive=False)
        if upload is None:
            return *nothing, _said(_NOTHING)
        to = next(key for key, words in TO.items() if words == wanted)
        made, words = _explained(lambda: _translated(models, *upload, to))
        if made is None:
            return *nothing, words
        image, result = made
        stem = Path(upload[1]).stem
        files = [
            _written(folder, f"{stem}.{to}.png", result),
            _written(folder, f"{stem}.both.png", side_by_side(image, result)),
        ]
        return (
            files[0],
            *(gr.update(value=file, interactive=True) for file in files),
            _said(f"The {to} of {upload[1]}, {result.shape[1]}x{result.shape[0]} pixels."),
        )

    gr.on(
        [given.change, direction.change],
        translate,
        [given, direction],
        [made, one, both, said],
        api_name=False,
        concurrency_id="models",
        show_progress_on=made,
    )


def _search_tab(gallery: Gallery | None, folder: Path) -> None:
    gr.HTML(f"<p class=lead><strong>{LEAD.replace(':', ':</strong>', 1)}</p>", elem_id="lead")
    if gallery is None:
        gr.HTML(f"<p>{NO_GALLERY}</p>", elem_id="no-gallery")
        return
    with gr.Row():
        sketch = Upload(
            sources=["upload", "webcam", "clipboard"],
            label="Sketch",
            elem_id="sketch",
            height=300,
            elem_classes="picture",
            buttons=["fullscreen"],
            alt_text="The sketch that you chose",
            webcam_options=gr.WebcamOptions(mirror=False),
        )
        with gr.Column():
            top = gr.Radio(list(_TOP), value=_TOP[0], label="Candidates to show", elem_id="top")
            gr.HTML(f"<p>{HOW_TO_SEARCH.format(count=len(gallery))}</p>")
            table = gr.DownloadButton("Download as CSV", interactive=False, elem_id="download-csv")
    said = gr.HTML(_said("Choose a sketch; the list appears by itself."), elem_id="search-said")
    listed = gr.HTML(elem_id="candidates")

    def search(upload: tuple[bytes, str] | None, count: int) -> tuple:
        nothing = "", gr.update(value=None, interactive=False)
        if upload is None:
            return *nothing, _said("Choose a sketch; the list appears by itself.")
        count = count if count in _TOP else _TOP[0]
        result, words = _explained(lambda: gallery.search(decode(*upload), count))
        if result is None:
            return *nothing, words
        file = _place(folder, f"{Path(upload[1]).stem}.candidates.csv")
        file.write_text(as_csv(result), encoding="utf-8")
        return (
            result_html(result),
            gr.update(value=str(file), interactive=True),
            _said(f"The {len(result.candidates)} of {result.searched} photos that are most alike to {upload[1]}."),
        )

    gr.on(
        [sketch.change, top.change],
        search,
        [sketch, top],
        [listed, table, said],
        api_name=False,
        concurrency_id="models",
        show_progress_on=listed,
    )


def _translated(models, data: bytes, name: str, to: str) -> tuple[np.ndarray, np.ndarray]:
    image = decode(data, name)
    return image, (models.to_sketch if to == "sketch" else models.to_photo)(image)


def _explained(work: Callable) -> tuple:
    """What ``work`` gives and no words, or nothing and what to tell. Only words about the picture itself are shown: others may
    name files and machines, and go to the terminal."""
    try:
        return work(), ""
    except WrongPicture as error:
        return None, _said(str(error), wrong=True)
    except Exception:
        traceback.print_exc()
        return None, _said(_FAULT, wrong=True)


def _said(words: str, wrong: bool = False) -> str:
    """Told to screen readers, too; a mistake at once."""
    return f"<p class='said{' wrong' if wrong else ''}' role={'alert' if wrong else 'status'}>{escape(words)}</p>"


def _place(folder: Path, name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix="result-", dir=folder)) / plain_name(name)


def _written(folder: Path, name: str, image: np.ndarray) -> str:
    path = _place(folder, name)
    path.write_bytes(png(image))
    return str(path)
