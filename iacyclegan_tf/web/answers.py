"""What the page answers: a picture translated, sketches searched, each as the new values of the page's fields."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape

import gradio as gr

from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.search.gallery import Gallery
from iacyclegan_tf.search.ranked_list import as_csv
from iacyclegan_tf.web.folder import FolderFull, PageFolder
from iacyclegan_tf.web.html import NOTHING_MADE, compare_html, taken_html
from iacyclegan_tf.web.pictures import WrongPicture, plain_name, png, side_by_side
from iacyclegan_tf.web.probe import Probe, read_probe
from iacyclegan_tf.web.ranked_html import case_html, compared, ranked_html

TO = {"sketch": "Photo → sketch", "photo": "Sketch → photo"}
TOP = (10, 20, 50)  # candidates
MOST_SKETCHES = 8  # searched together
CUT, BACK, WHOLE = "The face", "The face, put back into the picture", "The whole picture, as it is"
CHOOSE_PICTURE = "Choose a picture, or an example below it; the result appears by itself."
CHOOSE_SKETCH = "Choose a sketch, or an example below it; the list appears by itself."
_FAULT = "That did not work, and it is not the picture's fault. The terminal that the page was started from says why."
_HIDDEN = gr.update(visible=False)


@dataclass(frozen=True)
class Served:
    """The models, the gallery and the folder that the page answers with.

    Attributes:
        gallery, gallery_name: the name is for people; None where the models have no recognizers.
        about: HTML of the last tab.
        folder: for what can be downloaded; its ``examples`` are drawn (``data/drawn/samples.py``).
    """

    models: Trained
    gallery: Gallery | None
    gallery_name: str | None
    about: str
    folder: PageFolder
    turn: threading.Lock = field(default_factory=threading.Lock)  # of the networks


def translate(served: Served, file: dict | None, wanted: str, how: str, number: int | None = 1) -> tuple:
    """The choice of a face, HTML of the result, two files and a sentence.

    Args:
        file: Gradio's message about what was uploaded.
        wanted: one of ``TO``'s words.
        how: ``CUT``, ``BACK`` or ``WHOLE``.
        number: of the face, from 1, the largest.
    """

    def work() -> tuple:
        to = next(key for key, words in TO.items() if words == wanted)
        probe = read_probe(file, how == WHOLE, (number or 1) - 1)
        of = "photo" if to == "sketch" else "sketch"
        before = probe.portrait.cut(of)
        warning = served.models.warning(before, of)
        with served.turn:
            models = served.models.as_is()  # what the probe is cut to is cut
            result = (models.to_sketch if to == "sketch" else models.to_photo)(before)
        if how == BACK:
            before, result = probe.portrait.image, probe.portrait.put_back(result)
        files = [
            served.folder.write(plain_name(probe.name, ending), png(image))
            for ending, image in (
                (".face.png", before),
                (f".{to}.png", result),
                (".both.png", side_by_side(before, result)),
            )
        ]
        words = f"The {to} of {probe.name}, {result.shape[1]}x{result.shape[0]} pixels."
        html = compare_html(*files[:2], to) + taken_html([probe], warning, served.models.caution)
        return _faces([probe]), html, *map(_file, files[1:]), sentence(words)

    return _explained(work, bool(file), CHOOSE_PICTURE, (_HIDDEN, NOTHING_MADE, _file(None), _file(None)))


def search(served: Served, files: list[dict] | None, how: str, count: int, number: int | None = 1) -> tuple:
    """The choice of a face, HTML of the list, two files and a sentence; as ``translate``."""

    def work() -> tuple:
        if len(files) > MOST_SKETCHES:
            raise WrongPicture(f"These are {len(files)} sketches; at most {MOST_SKETCHES} are searched together.")
        probes = [read_probe(one["image"], how == WHOLE, (number or 1) - 1) for one in files]
        with served.turn:
            sketches = [probe.portrait.cut("sketch") for probe in probes]
            result = served.gallery.search(sketches, min(count, TOP[-1]), cut=True)
            candidates = compared(result, served.gallery)
        names, digests = ("; ".join(getattr(probe, of) for probe in probes) for of in ("name", "sha256"))
        about = {"probe": names, "probe_sha256": digests, "gallery": served.gallery_name}  # files, and no paths
        result, name = replace(result, about=result.about | about), probes[0].name
        csv = served.folder.write(plain_name(name, ".candidates.csv"), as_csv(result).encode())
        html = served.folder.write(plain_name(name, ".candidates.html"), case_html(result, candidates).encode())
        words = f"The {len(candidates)} of {result.searched} photos that are most alike to "
        words += name if len(probes) == 1 else f"{name} and {len(probes) - 1} more, fused"
        return (
            _faces(probes),
            gr.update(value=taken_html(probes) + ranked_html(result, candidates), visible=True),
            *map(_file, (csv, html)),
            sentence(f"{words}."),
        )

    return _explained(work, bool(files), CHOOSE_SKETCH, (_HIDDEN, _HIDDEN, _file(None), _file(None)))


def _faces(probes: Sequence[Probe]) -> dict:
    """What the choice of a face becomes: there only for one picture with several."""
    if len(probes) > 1 or probes[0].faces < 2:
        return _HIDDEN
    choices = list(range(1, probes[0].faces + 1))
    return gr.update(choices=choices, value=probes[0].portrait.chosen + 1, visible=True)


def _file(path: str | None) -> dict:
    """What a button that downloads becomes."""
    return gr.update(value=path, interactive=path is not None)


def _explained(work: Callable[[], tuple], chosen: bool, choose: str, nothing: tuple) -> tuple:
    """What ``work`` gives; ``nothing`` and words where no picture is chosen or it failed.

    Only words about the picture itself are shown: others may name files and machines, and go to the terminal.
    """
    try:
        return work() if chosen else (*nothing, sentence(choose))
    except (WrongPicture, FolderFull) as error:
        return *nothing, sentence(str(error), wrong=True)
    except Exception:
        traceback.print_exc()
        return *nothing, sentence(_FAULT, wrong=True)


def sentence(words: str, wrong: bool = False) -> str:
    """HTML of a sentence, which screen readers announce."""
    return f"<p class='said{' wrong' if wrong else ''}' role={'alert' if wrong else 'status'}>{escape(words)}</p>"
