"""The page's tabs and what happens in them. Needs Gradio (the extra ``app``)."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import ClassVar

import gradio as gr

from iacyclegan_tf.search.gallery import LEAD, Gallery
from iacyclegan_tf.search.ranked_list import as_csv
from iacyclegan_tf.web.folder import FolderFull, PageFolder
from iacyclegan_tf.web.html import HOW_TO_SEARCH, NO_GALLERY, TITLE, WHAT, result_html
from iacyclegan_tf.web.pictures import WrongPicture, decode, plain_name, png, side_by_side

TO = {"sketch": "Photo → sketch", "photo": "Sketch → photo"}
_CHOOSE_PICTURE = "Choose a picture, or take one with the camera; the result appears by itself."
_CHOOSE_SKETCH = "Choose a sketch; the list appears by itself."
_FAULT = "That did not work, and it is not the picture's fault. The terminal that the page was started from says why."
_QUEUE = 16  # requests that wait; more are turned away with a message
_AT_ONCE = 4  # that are decoded side by side; one after the other goes through the networks
_TOP = (10, 20, 50)


class Upload(gr.Image):
    """An image field whose file is handed over as it came: ``(bytes, name)``, not opened by Gradio."""

    is_template: ClassVar[bool] = True  # for the browser an ordinary image field

    def preprocess(self, payload) -> tuple[bytes, str] | None:
        if payload is None:
            return None
        path = Path(payload.path)  # in the page's own folder: see guard.py
        return path.read_bytes(), plain_name(payload.orig_name or path.name)


def build(models, gallery: Gallery | None, about: str, folder: PageFolder) -> gr.Blocks:
    """The whole page.

    Args:
        models: ``Trained`` or ``RemoteModel``.
        gallery: what is searched; without one the tab says how to get it.
        about: HTML of the last tab.
        folder: for results that can be downloaded.
    """
    turn = threading.Lock()  # of the networks
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(f"<h1>{TITLE}</h1><p>{WHAT}</p>", elem_id="head")
        with gr.Tab("Translate", id="translate"):
            _translate_tab(models, turn, folder)
        with gr.Tab("Search", id="search"):
            _search_tab(gallery, turn, folder)
        with gr.Tab("About", id="about"):
            gr.HTML(f"<div class=about>{about}</div>", elem_id="card")
    return page.queue(max_size=_QUEUE, api_open=False, default_concurrency_limit=_AT_ONCE)


def _translate_tab(models, turn: threading.Lock, folder: PageFolder) -> None:
    direction = gr.Radio(list(TO.values()), value=TO["sketch"], label="Direction", elem_id="direction")
    with gr.Row():
        given = _upload("Your picture", "given", 360)
        made = gr.Image(
            interactive=False,
            label="Result",
            elem_id="made",
            elem_classes="picture",
            height=360,
            buttons=["fullscreen"],
            alt_text="What the network made of it",
        )
    said = gr.HTML(_said(_CHOOSE_PICTURE), elem_id="translate-said")
    with gr.Row():
        one = gr.DownloadButton("Download the result", interactive=False, elem_id="download-result")
        both = gr.DownloadButton("Download side by side", interactive=False, elem_id="download-both")

    def translate(upload: tuple[bytes, str] | None, wanted: str) -> tuple:
        to = next(key for key, words in TO.items() if words == wanted)

        def work() -> tuple:
            image, name = decode(*upload), upload[1]
            with turn:
                result = (models.to_sketch if to == "sketch" else models.to_photo)(image)
            files = [
                folder.write(plain_name(name, f".{to}.png"), png(result)),
                folder.write(plain_name(name, ".both.png"), png(side_by_side(image, result))),
            ]
            words = _said(f"The {to} of {name}, {result.shape[1]}x{result.shape[0]} pixels.")
            return files[0], *map(_file, files), words

        return _explained(work, upload, _CHOOSE_PICTURE, (None, _file(None), _file(None)))

    gr.on(
        [given.change, direction.change],
        translate,
        [given, direction],
        [made, one, both, said],
        api_name=False,
        concurrency_id="models",
        show_progress_on=made,
    )


def _search_tab(gallery: Gallery | None, turn: threading.Lock, folder: PageFolder) -> None:
    gr.HTML(f"<p class=lead><strong>{LEAD.replace(':', ':</strong>', 1)}</p>", elem_id="lead")
    if gallery is None:
        gr.HTML(f"<p>{NO_GALLERY}</p>", elem_id="no-gallery")
        return
    with gr.Row():
        sketch = _upload("Sketch", "sketch", 300)
        with gr.Column():
            top = gr.Radio(list(_TOP), value=_TOP[0], label="Candidates to show", elem_id="top")
            gr.HTML(f"<p>{HOW_TO_SEARCH.format(count=len(gallery))}</p>")
            table = gr.DownloadButton("Download as CSV", interactive=False, elem_id="download-csv")
    said = gr.HTML(_said(_CHOOSE_SKETCH), elem_id="search-said")
    listed = gr.HTML(elem_id="candidates")

    def search(upload: tuple[bytes, str] | None, count: int) -> tuple:
        def work() -> tuple:
            image, name = decode(*upload), upload[1]
            with turn:
                result = gallery.search(image, count)
            file = folder.write(plain_name(name, ".candidates.csv"), as_csv(result).encode())
            words = f"The {len(result.candidates)} of {result.searched} photos that are most alike to {name}."
            return result_html(result), _file(file), _said(words)

        return _explained(work, upload, _CHOOSE_SKETCH, ("", _file(None)))

    gr.on(
        [sketch.change, top.change],
        search,
        [sketch, top],
        [listed, table, said],
        api_name=False,
        concurrency_id="models",
        show_progress_on=listed,
    )


def _upload(label: str, name: str, height: int) -> Upload:
    return Upload(
        sources=["upload", "webcam", "clipboard"],
        label=label,
        elem_id=name,
        elem_classes="picture",
        height=height,
        buttons=["fullscreen"],
        alt_text=f"The {'sketch' if name == 'sketch' else 'picture'} that you chose",
        webcam_options=gr.WebcamOptions(mirror=False),
    )


def _file(path: str | None) -> dict:
    """What a button that downloads becomes."""
    return gr.update(value=path, interactive=path is not None)


def _explained(work: Callable[[], tuple], upload, choose: str, nothing: tuple) -> tuple:
    """What ``work`` gives; ``nothing`` and words where nothing was uploaded or it failed.

    Only words about the picture itself are shown: others may name files and machines, and go to the terminal.
    """
    if upload is None:
        return *nothing, _said(choose)
    try:
        return work()
    except (WrongPicture, FolderFull) as error:
        return *nothing, _said(str(error), wrong=True)
    except Exception:
        traceback.print_exc()
        return *nothing, _said(_FAULT, wrong=True)


def _said(words: str, wrong: bool = False) -> str:
    """Told to screen readers, too; a mistake at once."""
    return f"<p class='said{' wrong' if wrong else ''}' role={'alert' if wrong else 'status'}>{escape(words)}</p>"
