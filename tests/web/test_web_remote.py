"""The page's models in a server: a twin of TensorFlow Serving over sockets, on a tiny run's exports."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from model_server import Failure, RestTwin
from model_server import load as serve

from iacyclegan_tf.app import parse
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import write_png
from iacyclegan_tf.inference.trained import load
from iacyclegan_tf.search.gallery import LEAD, Gallery
from iacyclegan_tf.search.store import GalleryStore
from iacyclegan_tf.serving.contract import SERVABLES
from iacyclegan_tf.web.pictures import png
from iacyclegan_tf.web.remote_model import RemoteGallery, RemoteModel
from iacyclegan_tf.web.sources import about_html, open_gallery, open_models, try_models

PEOPLE = 4


@pytest.fixture(scope="module")
def models(tiny_run):
    return serve({name: tiny_run / f"savedmodels/tiny/{name}/2" for name in SERVABLES}, version=2)


@pytest.fixture
def ask(models):
    """The models of a server, opened as the command line says; ``ask.models`` is what it serves."""
    twins = []

    def opened(*more: str) -> RemoteModel:
        twins.append(RestTwin(models))
        return open_models(parse(["--server", f"127.0.0.1:{twins[-1].port}", *more]))

    yield opened
    models.failures.clear()
    models.labels.clear()
    for twin in twins:
        twin.stop()


@pytest.fixture(scope="module")
def local(tiny_run):
    return load(tiny_run / "runs/tiny", 2)


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> tuple[Path, list[np.ndarray]]:
    """A folder of photos, and their sketches."""
    folder, sketches = tmp_path_factory.mktemp("faces"), []
    for person in range(PEOPLE):
        photo, sketch = draw_pair(person, 0, seed=41, height=50, width=40)
        write_png(folder / f"{person}.png", photo)
        sketches.append(sketch)
    return folder, sketches


class Quiet:
    """A console that remembers."""

    is_terminal = False

    def __init__(self):
        self.lines = []

    def print(self, text, **_):
        self.lines.append(text)

    def __getattr__(self, name):
        from rich.console import Console

        return getattr(Console(quiet=True), name)


def test_a_server_answers_as_the_loaded_models_do(ask, local, faces):
    remote, (_, sketches) = ask(), faces
    for way in ("to_sketch", "to_photo"):  # another signature, which may round one value in thousands otherwise
        ours, theirs = (getattr(model, way)(sketches[0]).astype(int) for model in (local, remote))
        assert np.abs(ours - theirs).max() <= 1 and np.mean(ours == theirs) > 0.999
    found = remote.embed(sketches, of="sketch")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [local.embed(one, of="sketch") for one in sketches], atol=1e-5)
    np.testing.assert_allclose(remote.embed(sketches[1], of="sketch"), found[1], atol=1e-6)


def test_a_folder_of_photos_is_searched_through_a_server(ask, local, faces, tmp_path):
    (folder, sketches), console = faces, Quiet()
    shutil.copytree(folder, tmp_path / "photos")
    (tmp_path / "photos/broken.png").write_bytes(b"no image")
    gallery = open_gallery(tmp_path / "photos", ask(), tmp_path / "scratch", console)
    assert len(gallery) == PEOPLE and len(console.lines) == 1 and "broken.png" in console.lines[0]
    found = gallery.search(sketches[2], top=PEOPLE)
    assert found.sentences[0] == LEAD and "tells no thresholds" in found.sentences[1]
    wanted = Gallery.build(folder, tmp_path / "local", local)[0].search(sketches[2], top=PEOPLE)
    assert {one.name: one.photo for one in found.candidates} == pytest.approx(
        {one.name: one.photo for one in wanted.candidates}, abs=1e-4
    )


def test_an_index_is_tried_on_its_photos(ask, local, tiny_run, faces, tmp_path):
    folder, sketches = faces
    Gallery.build(folder, tmp_path / "same", local)[0].close()
    opened = open_gallery(tmp_path / "same", ask(), tmp_path, Quiet())
    assert isinstance(opened, RemoteGallery) and len(opened.search(sketches[0]).candidates) == PEOPLE
    Gallery.build(folder, tmp_path / "other", load(tiny_run / "runs/tiny", 1))[0].close()  # by the round before
    with pytest.raises(UserError, match=r"built with tiny 1, and the server at .* embeds '0.png' otherwise"):
        open_gallery(tmp_path / "other", ask(), tmp_path, Quiet())


def test_an_index_whose_photos_are_gone_cannot_be_tried(ask, local, faces, tmp_path):
    shutil.copytree(faces[0], tmp_path / "photos")
    Gallery.build(tmp_path / "photos", tmp_path / "index", local)[0].close()
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(UserError, match=r"None of the photos of the gallery .* is at its place"):
        RemoteGallery(GalleryStore(tmp_path / "index"), ask())


NOT_EMBEDDINGS = [
    [np.nan, 0.0],
    [np.inf, 0.0],
    [0.6, 0.6],
    [0.0, 0.0],
    ["a", "b"],
    [None, 1.0],
    "text",
    [[1.0]],
    1.0,
    None,
]


@pytest.mark.parametrize("values", NOT_EMBEDDINGS, ids=str)
def test_what_is_no_embedding_is_refused(values):
    answering = SimpleNamespace(server=SimpleNamespace(name="a:1"), predict=lambda *_: [values])
    with pytest.raises(UserError, match=r"server at a:1 gave no embeddings for photo_recognizer"):
        RemoteModel(answering).embed(np.zeros((9, 9, 3), np.uint8))


@pytest.mark.parametrize("data", [b"text", None, 7, png(np.zeros((8, 9, 3), np.uint8))], ids=str)
def test_what_is_no_picture_is_refused(data):
    answering = SimpleNamespace(server=SimpleNamespace(name="a:1"), predict=lambda *_: [data])
    with pytest.raises(UserError, match="server at a:1"):
        RemoteModel(answering).to_sketch(np.zeros((9, 9, 3), np.uint8))


def test_an_index_of_embeddings_that_are_no_numbers_is_refused(local, faces, tmp_path):
    """``nan < 0.999`` is false: a comparison that lets something in must be true for it."""
    Gallery.build(faces[0], tmp_path / "index", local)[0].close()
    model = RemoteModel(SimpleNamespace(server=SimpleNamespace(name="a:1")))
    model.to_sketch = local.to_sketch
    model.embed = lambda image, of: np.full_like(local.embed(image, of=of), np.nan)
    with pytest.raises(UserError, match=r"embeds '0.png' otherwise"):
        RemoteGallery(GalleryStore(tmp_path / "index"), model)


def test_about_tells_the_servers_versions(ask):
    said = about_html(ask())
    assert (
        "<th>photo_to_sketch</th><td>2 AVAILABLE</td>" in said
        and "Do not use it to identify, accuse or track people." in said
    )


def test_labels_and_what_goes_wrong(ask, models):
    with pytest.raises(
        UserError, match="refused a request to photo_to_sketch: Unrecognized servable version label: stable"
    ):
        try_models(ask("--label", "stable"))
    models.labels["stable"] = 2
    remote = ask("--label", "stable")
    assert remote.to_sketch(np.zeros((9, 9, 3), np.uint8)).shape == (9, 9, 3)
    models.failures.append(Failure("INTERNAL", "out of luck"))
    with pytest.raises(UserError, match="failed: HTTP 500, out of luck"):
        try_models(remote)
