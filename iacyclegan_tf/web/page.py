"""The page's tabs and what happens in them. Needs Gradio (the extra ``app``)."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape

import gradio as gr

from iacyclegan_tf.search.gallery import Gallery
from iacyclegan_tf.search.ranked_list import as_csv
from iacyclegan_tf.web.examples import Examples
from iacyclegan_tf.web.folder import FolderFull, PageFolder
from iacyclegan_tf.web.html import HOW_TO_SEARCH, NO_GALLERY, NOTHING_MADE, TITLE, WHAT, compare_html, taken_html
from iacyclegan_tf.web.messages import MOST_PICTURES
from iacyclegan_tf.web.pictures import WrongPicture, plain_name, png, side_by_side
from iacyclegan_tf.web.probe import MOST_FACES, Probe, read_probe, to_show
from iacyclegan_tf.web.ranked_html import case_html, compared, lead_html, ranked_html

TO = {"sketch": "Photo → sketch", "photo": "Sketch → photo"}
CUT, BACK, WHOLE = "The face", "The face, put back into the picture", "The whole picture, as it is"
_CHOOSE_PICTURE = "Choose a picture, or an example below it; the result appears by itself."
_CHOOSE_SKETCH = "Choose a sketch, or an example below it; the list appears by itself."
_FAULT = "That did not work, and it is not the picture's fault. The terminal that the page was started from says why."
_QUEUE = 16  # requests that wait; more are turned away with a message
_AT_ONCE = 4  # that are decoded side by side; one after the other goes through the networks
_TOP = (10, 20, 50)
_HIDDEN = gr.update(visible=False)
# Files come as messages about them, not opened by Gradio: ``read_probe`` bounds what is decoded.
_ASKED = {"preprocess": False, "api_name": False, "concurrency_id": "models"}


@dataclass(frozen=True)
class Served:
    """What the page stands on.

    Attributes:
        models: ``Trained`` or ``RemoteModel``.
        gallery, gallery_name: the name is for people; None where the models have no recognizers.
        about: HTML of the last tab.
        folder: for what can be downloaded.
    """

    models: object
    gallery: Gallery | None
    gallery_name: str | None
    about: str
    folder: PageFolder
    examples: Examples
    turn: threading.Lock = field(default_factory=threading.Lock)  # of the networks


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
            examples = _examples(given, served.examples.pictures, "translate-examples")
        with gr.Column():
            said = _html(_said(_CHOOSE_PICTURE), "translate-said")
            face = _face_choice("face")
            made = _html(NOTHING_MADE, "made")
            with gr.Row():
                one = gr.DownloadButton("Download the result", interactive=False, elem_id="download-result")
                both = gr.DownloadButton("Download side by side", interactive=False, elem_id="download-both")
            as_trained = CUT if served.models.align else WHOLE
            framing = gr.Radio([CUT, BACK, WHOLE], value=as_trained, label="What is translated", elem_id="framing")

    def translate(file: dict | None, wanted: str, how: str, number: int | None = 1) -> tuple:
        to = next(key for key, words in TO.items() if words == wanted)

        def work() -> tuple:
            probe = read_probe(file, how == WHOLE, (number or 1) - 1)
            before = probe.face("photo" if to == "sketch" else "sketch")
            with served.turn:
                models = served.models.as_is()  # what the probe is cut to is cut
                result = (models.to_sketch if to == "sketch" else models.to_photo)(before)
            if how == BACK:
                before, result = probe.image, probe.put_back(result)
            files = [
                served.folder.write(plain_name(probe.name, ending), png(image))
                for ending, image in (
                    (".face.png", before),
                    (f".{to}.png", result),
                    (".both.png", side_by_side(before, result)),
                )
            ]
            words = f"The {to} of {probe.name}, {result.shape[1]}x{result.shape[0]} pixels."
            html = compare_html(*files[:2], to) + taken_html([probe], served.models.caution)
            shown = _shown([probe], served.folder)
            return (shown[0] if shown else gr.skip(), _faces([probe]), html, *map(_file, files[1:]), _said(words))

        return _explained(work, file, _CHOOSE_PICTURE, (gr.skip(), _HIDDEN, NOTHING_MADE, _file(None), _file(None)))

    def example(index: int) -> tuple:
        path, to = served.examples.pictures[index]
        answer = translate({"path": path, "orig_name": None}, TO[to], as_trained)
        return path, TO[to], as_trained, *answer[1:]

    outputs = [given, face, made, one, both, said]
    gr.on([given.input], translate, [given, direction, framing], outputs, show_progress_on=made, **_ASKED)
    gr.on(
        [direction.input, framing.input, face.input],
        translate,
        [given, direction, framing, face],
        outputs,
        show_progress_on=made,
        **_ASKED,
    )
    gr.on(
        [examples.click],
        example,
        [examples],
        [given, direction, framing, *outputs[1:]],
        show_progress_on=made,
        **_ASKED,
    )


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
            examples = _examples(gr.Image(render=False), served.examples.sketches, "search-examples")
        with gr.Column():
            said = _html(_said(_CHOOSE_SKETCH), "search-said")
            face = _face_choice("sketch-face")
            as_made = CUT if served.gallery.store.align else WHOLE
            framing = gr.Radio([CUT, WHOLE], value=as_made, label="What is searched", elem_id="sketch-framing")
            top = gr.Radio(list(_TOP), value=_TOP[0], label="Candidates to show", elem_id="top")
            with gr.Row():
                table = gr.DownloadButton("Download as CSV", interactive=False, elem_id="download-csv")
                case = gr.DownloadButton("Download for the case file", interactive=False, elem_id="download-case")
            words = HOW_TO_SEARCH.format(
                count=len(served.gallery), name=escape(served.gallery_name), most=MOST_PICTURES
            )
            _html(f"<p>{words}</p>", "how-to-search")
    listed = _html("", "candidates", visible=False)

    def search(files: list[dict] | None, how: str, count: int, number: int | None = 1) -> tuple:
        def work() -> tuple:
            probes = [read_probe(file["image"], how == WHOLE, (number or 1) - 1) for file in files]
            with served.turn:
                result = served.gallery.search([probe.face("sketch") for probe in probes], count, cut=True)
                candidates = compared(result, served.gallery)
            names, digests = ("; ".join(getattr(probe, of) for probe in probes) for of in ("name", "sha256"))
            about = {"probe": names, "probe_sha256": digests, "gallery": served.gallery_name}  # files, and no paths
            result, name = replace(result, about=result.about | about), probes[0].name
            csv = served.folder.write(plain_name(name, ".candidates.csv"), as_csv(result).encode())
            html = served.folder.write(plain_name(name, ".candidates.html"), case_html(result, candidates).encode())
            words = f"The {len(candidates)} of {result.searched} photos that are most alike to "
            words += name if len(probes) == 1 else f"{name} and {len(probes) - 1} more, fused"
            return (
                _shown(probes, served.folder) or gr.skip(),
                _faces(probes),
                gr.update(value=taken_html(probes) + ranked_html(result, candidates), visible=True),
                *map(_file, (csv, html)),
                _said(f"{words}."),
            )

        return _explained(work, files, _CHOOSE_SKETCH, (gr.skip(), _HIDDEN, _HIDDEN, _file(None), _file(None)))

    outputs = [sketches, face, listed, table, case, said]
    gr.on([sketches.change], search, [sketches, framing, top], outputs, show_progress_on=listed, **_ASKED)
    gr.on(
        [framing.input, top.input, face.input],
        search,
        [sketches, framing, top, face],
        outputs,
        show_progress_on=listed,
        **_ASKED,
    )
    # a field of several pictures tells of a change that the page has made, unless it was empty
    chosen = examples.click(lambda index: [served.examples.sketches[index][0]], [examples], [sketches], **_ASKED)
    chosen.then(search, [sketches, framing, top], outputs, show_progress_on=listed, **_ASKED)


def _html(words: str, name: str, visible: bool = True) -> gr.HTML:
    return gr.HTML(words, elem_id=name, visible=visible)


def _examples(component, samples: Sequence[tuple], name: str) -> gr.Dataset:
    return gr.Dataset(
        components=[component],
        samples=[[path] for path, *_ in samples],
        type="index",
        label="Examples, drawn by this program",
        elem_id=name,
    )


def _face_choice(name: str) -> gr.Radio:
    return gr.Radio(list(range(1, MOST_FACES + 1)), value=1, label="Which face", elem_id=name, visible=False)


def _faces(probes: Sequence[Probe]) -> dict:
    """What the choice of a face becomes: there only for one picture with several."""
    if len(probes) > 1 or probes[0].faces < 2:
        return _HIDDEN
    choices = list(range(1, probes[0].faces + 1))
    return gr.update(choices=choices, value=probes[0].portrait.chosen + 1, visible=True)


def _shown(probes: Sequence[Probe], folder: PageFolder) -> list[str]:
    """What a field of pictures becomes; empty where all are shown as they are."""
    paths = [to_show(probe, folder) for probe in probes]
    return [] if paths == [str(probe.sent) for probe in probes] else paths


def _file(path: str | None) -> dict:
    """What a button that downloads becomes."""
    return gr.update(value=path, interactive=path is not None)


def _explained(work: Callable[[], tuple], upload, choose: str, nothing: tuple) -> tuple:
    """What ``work`` gives; ``nothing`` and words where nothing was uploaded or it failed.

    Only words about the picture itself are shown: others may name files and machines, and go to the terminal.
    """
    if not upload:
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
