"""The client over real sockets, against a twin of the server, backed by the real exports of a tiny run."""

import copy
import socket
import threading
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from in_process import refused
from in_process import run as command
from model_server import Failure, Models, RestTwin, load

from iacyclegan_tf.client import parse, run
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.outputs import made_by
from iacyclegan_tf.data.drawn.scene import draw_scene
from iacyclegan_tf.data.images.files import read_image, write_png
from iacyclegan_tf.data.images.png_record import with_record
from iacyclegan_tf.serving.publishing.sample_requests import sample_requests
from iacyclegan_tf.serving.signatures import SERVABLES


@pytest.fixture(scope="module")
def exports(tiny_run) -> Models:
    return load({name: tiny_run / f"savedmodels/tiny/{name}/2" for name in SERVABLES}, version=2)


@pytest.fixture
def server(exports):
    """A twin with ``models`` that a test may change, and ``ask`` for the client's command line."""
    models = copy.copy(exports)
    models.loaded, models.states, models.labels = dict(exports.loaded), {}, {"stable": 2}
    models.failures, models.requests = [], []
    twin = RestTwin(models)

    def ask(command, *arguments, more=("--no-align",)):
        """Pictures as they are, where the faces are not what is tested."""
        words = [command, *map(str, arguments), *(more if command != "status" else ())]
        run(parse([*words, "--server", f"127.0.0.1:{twin.port}"]))

    twin.ask = ask
    yield twin
    twin.stop()


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> list[Path]:
    """Three drawn photos: a PNG, a JPEG and a BMP of three sizes."""
    folder = tmp_path_factory.mktemp("faces")
    encoded = sample_requests("photo_recognizer")["serving_default"]["image_bytes"]
    paths = [folder / name for name in ("anna.png", "bert.jpg", "cara.bmp")]
    for path, data in zip(paths, encoded):
        path.write_bytes(data)
    return paths


def recorded(png: bytes) -> bytes:
    """As the client writes an answer."""
    return with_record(png, {"made_by": made_by("client")})


def answer_of(server, name: str, signature: str, **inputs) -> np.ndarray:
    """What the export answers without any client."""
    values = {key: np.array([path.read_bytes() for path in paths], object) for key, paths in inputs.items()}
    return next(iter(server.models.loaded[name][2][signature](values).values()))


# ---------------------------------------------------------------- what it is for


@pytest.mark.parametrize("to, model", [("sketch", "photo_to_sketch"), ("photo", "sketch_to_photo")])
def test_translate(server, faces, tmp_path, to, model):
    server.ask("translate", *faces, "--to", to, "--out", tmp_path)
    wanted = answer_of(server, model, "serving_default", image_bytes=faces)
    for face, png in zip(faces, wanted):
        written = tmp_path / f"{face.stem}.{to}.png"
        assert written.read_bytes() == recorded(png) and read_image(written).shape == read_image(face).shape


def test_embed(server, faces, tmp_path):
    server.ask("embed", *faces, "--of", "photo", "--out", tmp_path / "e.npz", "--batch", 2)
    with np.load(tmp_path / "e.npz", allow_pickle=False) as file:
        assert list(file["names"]) == list(map(str, faces)) and file["embeddings"].dtype == np.float32
        wanted = answer_of(server, "photo_recognizer", "serving_default", image_bytes=faces)
        np.testing.assert_allclose(file["embeddings"], wanted, atol=1e-6)
    assert server.models.requests == [2, 1]


def test_status(server, capsys):
    server.models.states = {"photo_to_sketch": {3: "LOADING"}}
    server.ask("status")
    assert capsys.readouterr().out.splitlines() == [
        "photo_to_sketch: 3 LOADING, 2 AVAILABLE",
        "sketch_to_photo: 2 AVAILABLE",
        "photo_recognizer: 2 AVAILABLE",
        "sketch_recognizer: 2 AVAILABLE",
    ]


def test_versions_and_labels(server, faces, tmp_path):
    server.models.loaded["photo_to_sketch"] = {**server.models.loaded["photo_to_sketch"], 9: {"serving_default": echo}}
    for number, which in enumerate((["--version", 2], ["--label", "stable"], [])):
        server.ask("translate", faces[0], "--to", "sketch", "--out", tmp_path / str(number), *which)
    by_version, by_label, newest = [(tmp_path / f"{n}/anna.sketch.png").read_bytes() for n in range(3)]
    assert by_version == by_label != newest


def echo(inputs: dict) -> dict:
    return {"image_bytes": inputs["image_bytes"]}


def test_over_4_megabytes_both_ways(server, faces, tmp_path):
    """The first answer is small, the second as large as the image."""
    noise = np.random.default_rng(0).integers(0, 256, (1300, 1200, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "large.png"), noise)
    size = (tmp_path / "large.png").stat().st_size
    assert size > 4.3e6
    server.ask("translate", tmp_path / "large.png", "--to", "sketch", "--out", tmp_path)
    assert read_image(tmp_path / "large.sketch.png").shape == noise.shape
    server.models.loaded["photo_to_sketch"] = {9: {"serving_default": echo}}
    server.ask("translate", tmp_path / "large.png", "--to", "sketch", "--out", tmp_path)
    assert np.array_equal(read_image(tmp_path / "large.sketch.png"), noise[..., ::-1])
    with pytest.raises(UserError, match=r"large.png has 4.\d MB.*--max-message-mb"):
        server.ask("translate", tmp_path / "large.png", "--to", "sketch", "--out", tmp_path, "--max-message-mb", 4)


def test_an_answer_over_the_limit_is_named(server, faces, tmp_path):
    server.models.loaded["photo_to_sketch"] = {
        9: {
            "serving_default": lambda inputs: {
                "image_bytes": np.array([bytes(2 * 2**20)] * len(inputs["image_bytes"]), object)
            }
        }
    }
    with pytest.raises(UserError, match="--max-message-mb"):
        server.ask("translate", faces[0], "--to", "sketch", "--out", tmp_path, "--max-message-mb", 1)


def test_faces_are_aligned_before_they_are_sent(server, tmp_path):
    scene, _ = draw_scene(4, seed=19, share=0.5, degrees=5, ground="color", height=300, width=360)
    write_png(tmp_path / "scene.png", scene)
    write_png(tmp_path / "wall.png", np.full((40, 40, 3), 99, np.uint8))
    with pytest.raises(UserError, match=r"1 of 2 images could not be used; .*\n.*No face was found in .*wall.png"):
        server.ask(
            "translate", tmp_path / "scene.png", tmp_path / "wall.png", "--to", "sketch", "--out", tmp_path, more=()
        )
    assert read_image(tmp_path / "scene.sketch.png").shape == (250, 200, 3)


# ---------------------------------------------------------------- images that cannot be decoded


@pytest.fixture
def with_bad(faces, tmp_path) -> list[Path]:
    """Eight files of which the third and the last are no whole images."""
    paths = []
    for i in range(8):
        paths.append(tmp_path / f"{i}.png")
        paths[-1].write_bytes(faces[0].read_bytes())
    paths[2].write_bytes(b"GIF89a" + bytes(200))
    paths[7].write_bytes(faces[0].read_bytes()[:400])
    return paths


def test_translate_names_the_bad_ones_and_does_the_others(server, with_bad, tmp_path):
    with pytest.raises(UserError) as error:
        server.ask("translate", *with_bad, "--to", "sketch", "--out", tmp_path / "out")
    message = str(error.value)
    assert message.startswith("2 of 8 images") and "cannot be decoded" in message
    assert str(with_bad[2]) in message and str(with_bad[7]) in message and str(with_bad[3]) not in message
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{i}.sketch.png" for i in (0, 1, 3, 4, 5, 6)]
    assert server.models.requests == [6]


def test_files_that_are_not_there_or_would_meet(server, faces, tmp_path):
    with pytest.raises(UserError, match=r"nobody.png' cannot be read"):
        server.ask("translate", tmp_path / "nobody.png", "--to", "sketch", "--out", tmp_path)
    (tmp_path / "anna.jpg").write_bytes(faces[0].read_bytes())
    with pytest.raises(UserError, match="same name"):
        server.ask("translate", faces[0], tmp_path / "anna.jpg", "--to", "sketch", "--out", tmp_path)
    (tmp_path / "anna.sketch.png").write_bytes(b"an artist's")
    with pytest.raises(UserError, match=r"would replace .*anna.sketch.png, which is one of the images"):
        server.ask("translate", faces[0], tmp_path / "anna.sketch.png", "--to", "sketch", "--out", tmp_path)
    assert not server.models.requests and (tmp_path / "anna.sketch.png").read_bytes() == b"an artist's"


# ---------------------------------------------------------------- photos as cameras and people name them


def test_a_photo_is_sent_upright(server, faces, tmp_path):
    """Half of it bright, stored lying, with the orientation that turns it by 90 degrees."""
    server.models.loaded["photo_to_sketch"] = {9: {"serving_default": echo}}
    lying = np.zeros((40, 60, 3), np.uint8)
    lying[:20] = 200
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(lying).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    server.ask("translate", tmp_path / "turned.jpg", "--to", "sketch", "--out", tmp_path)
    found = read_image(tmp_path / "turned.sketch.png")
    assert found.shape == (60, 40, 3) and np.array_equal(found, read_image(tmp_path / "turned.jpg"))
    assert found[:, 30:].min() > 150 and found[:, :10].max() < 50


def test_names_in_any_script_are_kept(server, faces, tmp_path, capsys):
    names = ["नेहा", "नहा", "José", "名前", "a [1] *?"]
    for name in names:
        (tmp_path / f"{name}.png").write_bytes(faces[0].read_bytes())
    server.ask("translate", *tmp_path.glob("*.png"), "--to", "sketch", "--out", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f"{name}.sketch.png" for name in names)
    capsys.readouterr()
    (tmp_path / "\x1b[31m.png").write_bytes(faces[0].read_bytes())
    server.ask("translate", tmp_path / "\x1b[31m.png", "--to", "sketch", "--out", tmp_path / "out")
    assert "\\x1b[31m.sketch.png" in capsys.readouterr().out


# ---------------------------------------------------------------- servers that are down, slow, wrong or failing


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_server_that_is_down(free_port):
    done = command("client", "status", "--server", f"127.0.0.1:{free_port}", "--retries", 1)
    refused(done, f"No TensorFlow Serving answers at 127.0.0.1:{free_port} after 2 attempts", "usually 8501")
    assert not done.stdout


def test_a_busy_server_is_asked_again(server, faces, tmp_path):
    server.models.failures = [Failure("UNAVAILABLE", "not yet"), Failure("RESOURCE_EXHAUSTED", "the queue is full")]
    server.ask("embed", faces[0], "--of", "photo", "--out", tmp_path / "e.npz")
    assert len(server.models.requests) == 3 and (tmp_path / "e.npz").exists()


def test_a_slow_server_is_not_asked_again(server, faces, tmp_path):
    server.models.pause_s = 1.0
    with pytest.raises(UserError, match=r"no answer within 0.3 s.*--timeout"):
        server.ask("embed", faces[0], "--of", "photo", "--out", tmp_path / "e.npz", "--timeout", 0.3)
    assert len(server.models.requests) == 1 and not (tmp_path / "e.npz").exists()


def test_a_version_that_is_not_ready(server, faces, tmp_path):
    server.models.states = {"photo_recognizer": {5: "LOADING"}}
    with pytest.raises(UserError, match=r"cannot answer for photo_recognizer version 5.*5 LOADING, 2 AVAILABLE"):
        server.ask("embed", faces[0], "--of", "photo", "--out", tmp_path / "e.npz", "--version", 5)


def test_a_model_that_is_unknown(server, faces, tmp_path):
    del server.models.loaded["photo_recognizer"]
    with pytest.raises(UserError, match=r"has no model 'photo_recognizer'"):
        server.ask("embed", faces[0], "--of", "photo", "--out", tmp_path / "e.npz")
    with pytest.raises(UserError, match=r"has no model 'photo_recognizer'"):
        server.ask("status", "--model", "photo_recognizer")


def test_a_server_that_fails(server, faces, tmp_path):
    server.models.failures = [Failure("INTERNAL", "out of memory")]
    with pytest.raises(UserError, match=r"failed: .*out of memory"):
        server.ask("embed", faces[0], "--of", "photo", "--out", tmp_path / "e.npz")


def test_a_port_that_speaks_something_else(free_port):
    with socket.create_server(("127.0.0.1", free_port)) as listening:
        threading.Thread(target=lambda: listening.accept()[0].sendall(b"hello\r\n"), daemon=True).start()
        with pytest.raises(UserError, match=r"does not speak HTTP.*REST port"):
            run(parse(["status", "--server", f"127.0.0.1:{free_port}", "--retries", "0", "--timeout", "5"]))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--server", "localhost:http"], "--server"),
        (["--server", ":8501"], "--server"),
        (["--server", "localhost:8501", "--timeout", "0"], "--timeout"),
        (["--server", "localhost:8501", "--timeout", "nan"], "--timeout"),
        (["--server", "localhost:8501", "--timeout", "inf"], "--timeout"),
        (["--server", "localhost:²"], "--server"),
    ],
)
def test_wrong_options(arguments, words):
    with pytest.raises(UserError, match=words):
        run(parse(["status", *arguments]))


def test_what_the_client_did_not_make_is_kept(server, faces, tmp_path):
    ways = [
        ("anna.sketch.png", ["translate", faces[0], "--to", "sketch", "--out", tmp_path]),
        ("e.npz", ["embed", faces[0], "--of", "photo", "--out", tmp_path / "e.npz"]),
    ]
    for name, words in ways:
        (tmp_path / name).write_text("mine")
        with pytest.raises(UserError, match="was not made by this command"):
            server.ask(*words)
        assert (tmp_path / name).read_text() == "mine"
        server.ask(*words, "--overwrite")
        server.ask(*words)  # its own
