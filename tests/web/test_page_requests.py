"""The page over real sockets, asked as by a browser or by somebody hostile, on models that are known."""

import csv
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the page needs the extra app")
import made_up_page
import requests
from made_up_page import EXAMPLE, FACE, NOISE, PHOTO, SEARCH, SKETCH, WHOLE, Asking, words

from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.search.search_result import LEAD
from iacyclegan_tf.web import guard
from iacyclegan_tf.web.folder import PageFolder
from iacyclegan_tf.web.pictures import png
from iacyclegan_tf.web.ranked_html import lead_html

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One page for all tests; it says nothing on the terminal in all that time."""
    folder = PageFolder(tmp_path_factory.mktemp("page") / "pictures")
    folder.path.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder.path))
        patch.setenv("GRADIO_ANALYTICS_MAX_EVENTS", "16")
        models = made_up_page.Models()
        page, app = made_up_page.build(folder, models)
        with made_up_page.served(app) as port:
            asking = Asking(port)
            asking.guard, asking.page, asking.folder, asking.models = app.app, page, folder, models
            yield asking


@pytest.fixture
def page(shared, monkeypatch, capfd):
    """Without what earlier tests have asked."""
    shared.guard._recent.clear()
    monkeypatch.setattr(shared.models, "wait", None)
    monkeypatch.setattr(shared.models, "fault", None)
    yield shared
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said and "Error" not in said, said


def made_of(page, answer: list) -> tuple[list[np.ndarray], list[Path]]:
    """The two pictures of the slider, and the files to be downloaded."""
    addresses = re.findall("src='gradio_api/([^']+)'", answer[1])[:2]
    pictures = [requests.get(f"{page.address}/{one}", timeout=9).content for one in addresses]
    return [decode_image(one, "made") for one in pictures], [Path(file["value"]["path"]) for file in answer[2:4]]


def test_a_picture_goes_there_and_back(page):
    for direction, kind in ((SKETCH, "sketch"), (PHOTO, "photo")):
        assert page.join(page.picture(), direction).status_code == 200
        answer = page.answer()
        assert f"The {kind} of face.png, 30x40 pixels." in words(answer[-1])
        shown, files = made_of(page, answer)
        np.testing.assert_array_equal(shown, [NOISE, 255 - NOISE])
        assert "This is unlike what was seen." in answer[1] and "A caution." in answer[1]
        assert [file.name for file in files] == [f"face.{kind}.png", "face.both.png"]


def test_the_first_click_shows_a_result(page):
    page.join(0, function=EXAMPLE)
    given, to, how, _, *rest = page.answer()
    shown, _ = made_of(page, [None, *rest])
    assert to == SKETCH and how == FACE and shown[0].shape == (250, 200, 3)
    assert "The sketch of person_1.png, 200x250 pixels." in words(rest[-1])
    page.folder.sweep(time.time() + 100)  # half an hour later
    page.join(given, to, how)
    assert words(page.answer()[-1]).startswith("The sketch of person_1.png")


def searched(page, *pictures, top: int = 10) -> list:
    held = [{"image": one, "caption": None} for one in pictures]
    assert page.join(held, WHOLE, top, function=SEARCH).status_code == 200
    return page.answer()


def test_several_sketches_are_searched_and_the_list_says_where_from(page):
    one, other = page.picture(), page.picture(png(255 - NOISE), "other.png")
    for pictures, said in (((one,), "face.png"), ((one, other), "face.png and 1 more, fused")):
        _, listed, table, case, sentence = searched(page, *pictures)
        assert words(sentence) == f"The 3 of 3 photos that are most alike to {said}."
        html = listed["value"]
        assert html.count("<symbol") == 2 * made_up_page.SHOWN + 2 * len(pictures)
        line = next(csv.DictReader(Path(table["value"]["path"]).read_text().splitlines()))
        digests = "; ".join(hashlib.sha256(Path(picture["path"]).read_bytes()).hexdigest() for picture in pictures)
        wanted = {"probe_sha256": digests, "gallery": "made up", "gallery_photos": "3", "model": "made up"}
        wanted |= {"round": "1", "version": "1", "date": "2026-11-26", "note": LEAD}
        wanted |= {"probe": "; ".join(one["orig_name"] for one in pictures)}
        assert line == line | wanted
        page_of_its_own = Path(case["value"]["path"]).read_text()
        assert all(escape(value) in page_of_its_own for name, value in wanted.items() if name != "note")
        assert lead_html() in page_of_its_own and html[html.index("<svg") :] in page_of_its_own
        assert Path(case["value"]["path"]).name == "face.candidates.html"
        assert not re.search("https?:|gradio_api|secret", page_of_its_own), "a file for itself, and no paths"


def test_no_face_is_a_sentence(page):
    said = page.said(page.picture(), SKETCH, FACE)
    assert said.startswith("No face was found in 'face.png'.") and str(page.folder.path) not in said


@pytest.mark.parametrize("name", ["x" * 120 + ".png", "é" * 70 + ".jpeg", "a.b.c", "." * 70, "x" * 70])
def test_downloads_keep_their_suffix_and_are_two_files(page, name):
    picture = page.picture() | {"orig_name": name}
    page.join(picture)
    _, files = made_of(page, page.answer())
    names = [file.name for file in files]
    assert names[0].endswith(".sketch.png") and names[1].endswith(".both.png") and names[0] != names[1]
    assert all(len(one) <= 60 for one in names)


def test_wrong_pictures_get_a_sentence(page):
    assert "'a.png' cannot be used: it is not an image" in page.said(page.picture(b"Dear diary", "a.png"))
    assert "face.png, 30x40 pixels" in page.said(page.picture())


def test_more_sketches_than_are_searched_together(page):
    held = [{"image": page.picture(), "caption": None}] * 9
    said = page.said(held, WHOLE, 10, function=SEARCH)
    assert said == "These are 9 sketches; at most 8 are searched together."


def test_a_fault_of_ours_goes_to_the_terminal_and_no_further(page, capfd):
    page.models.fault = ZeroDivisionError("/secret/place")
    said = page.said(page.picture())
    assert "it is not the picture's fault" in said and "secret" not in said
    assert "/secret/place" in capfd.readouterr().err


# ---------------------------------------------------------------- what is malformed


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, "Host: localhost", *headers, "Connection: close", "", ""]).encode("latin-1")


FORM = "Content-Type: multipart/form-data; boundary=b"
UPLOADS = {
    "no boundary": ("Content-Type: multipart/form-data", b"x"),
    "no form": ("Content-Type: text/plain", b"x"),
    "no type": ("X-A: b", b"x"),
    "cut": (FORM, b"--b\r\nContent-Disposition: form-data; na"),
    "rubbish": (FORM, b"\xff\x00\r\n--"),
    "a field": (FORM, b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nx\r\n--b--\r\n'),
    "no disposition": (FORM, b"--b\r\nA: b\r\n\r\nx\r\n--b--\r\n"),
    "no name": (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    "a long name": (
        FORM,
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="' + b"a" * 999 + b'"\r\n\r\nx\r\n--b--\r\n',
    ),
    "a folder": (FORM, b'--b\r\nContent-Disposition: form-data; name="files"; filename="../.."\r\n\r\nx\r\n--b--\r\n'),
    "a charset": (
        FORM + "; charset=none",
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="\xff"\r\n\r\nx\r\n--b--\r\n',
    ),
    "many files": (
        FORM,
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n' * 1100 + b"--b--\r\n",
    ),
}


@pytest.mark.parametrize("kind", UPLOADS)
def test_forms_that_are_none(page, kind):
    header, body = UPLOADS[kind]
    answer = page.raw(head("POST /gradio_api/upload HTTP/1.1", header, f"Content-Length: {len(body)}") + body)
    status = int(answer.split()[1])
    assert 400 <= status < 500 or (status == 200 and kind in ("cut", "a long name", "a folder", "a charset")), answer
    assert b"Traceback" not in answer and b"/site-packages/" not in answer


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /gradio_api/queue/data HTTP/1.1",
        "GET /gradio_api/queue/data?session_hash=unknown HTTP/1.1",
        "GET /gradio_api/upload_progress HTTP/1.1",
        "GET /gradio_api/heartbeat/%ff HTTP/1.1",
        "GET /gradio_api/file=%ff%fe HTTP/1.1",
        "GET /assets/none.js HTTP/1.1",
        "GET /static/none.js HTTP/1.1",
        "GET /?__theme=none HTTP/1.1",
        "GET [ HTTP/1.1",
        "GET http://[ HTTP/1.1",
        "FETCH / HTTP/9.9",
        "HEAD /config HTTP/1.1",
    ],
)
def test_requests_that_are_none(page, request_line):
    answer = page.raw(head(request_line))
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200")), answer
    assert b"Traceback" not in answer and b"/site-packages/" not in answer


@pytest.mark.parametrize("header", ["Host: [", "Host: ", "Host: a@b"])
def test_names_that_are_none(page, header):
    assert page.raw(f"GET / HTTP/1.1\r\n{header}\r\nConnection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("path", ["upload", "queue/join", "cancel"])
def test_a_length_beside_chunks_is_refused(page, path):
    headers = "Content-Length: 2", "Transfer-Encoding: chunked", "Content-Type: application/json"
    before = list(page.folder.path.rglob("*"))
    answer = page.raw(head(f"POST /gradio_api/{path} HTTP/1.1", *headers) + b"2\r\n{}\r\n0\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 411", b"HTTP/1.1 400")), answer
    assert list(page.folder.path.rglob("*")) == before


# ---------------------------------------------------------------- what is too much


def test_another_address_is_believed_of_nobody(page):
    codes = [
        page.join(None, headers={"X-Forwarded-For": f"10.0.0.{i}"}).status_code for i in range(guard._PER_MINUTE + 3)
    ]
    assert codes[-3:] == [429] * 3


def test_results_count_as_uploads_do(page, monkeypatch):
    picture = page.picture()
    held = sum(path.stat().st_size for path in page.folder.path.rglob("*") if path.is_file())
    monkeypatch.setattr(page.folder, "most", held + 6 * len(png(NOISE)))
    said = [page.said(picture) for _ in range(3)]
    assert (
        "30x40 pixels" in said[0]
        and said[1:] == ["The page holds too many pictures just now; try again in some minutes."] * 2
    )
    assert sum(path.stat().st_size for path in page.folder.path.rglob("*") if path.is_file()) <= page.folder.most


def test_uploads_side_by_side_do_not_pass_the_bound_together(page, monkeypatch):
    held = sum(path.stat().st_size for path in page.folder.path.rglob("*") if path.is_file())
    monkeypatch.setattr(page.folder, "most", held + 2 * 2**20)
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda i: page.upload(os.urandom(2**20)).status_code, range(6)))
    assert (
        507 in codes
        and sum(path.stat().st_size for path in page.folder.path.rglob("*") if path.is_file()) <= page.folder.most
    )


def test_the_memory_of_sessions_comes_back(page, monkeypatch):
    """Each leaves a list of candidates with its pictures; half of them never fetch their answer."""
    from iacyclegan_tf.web.server import _SESSIONS

    monkeypatch.setattr(guard, "_PER_MINUTE", 10_000)
    picture = page.picture()
    for number in range(2 * _SESSIONS):
        held = [{"image": picture, "caption": None}]
        while page.join(held, WHOLE, 10, function=SEARCH).status_code == 503:
            time.sleep(0.05)
        if number % 2:
            page.answer()
    queue, kept = page.page._queue, page.page.state_holder
    deadline = time.monotonic() + 20
    while queue.event_ids_to_events and time.monotonic() < deadline:
        time.sleep(0.05)
    sizes = [len(held) for held in (queue.pending_messages_per_session, kept.session_data, kept.time_last_used)]
    assert max(sizes) <= _SESSIONS and not queue.event_ids_to_events and len(queue.event_analytics) <= 16


# ---------------------------------------------------------------- the end

SERVING = """
import sys, threading
sys.path.insert(0, "tests/web")
import made_up_page
from iacyclegan_tf import app
from iacyclegan_tf.web.folder import page_folder
from iacyclegan_tf.web.server import listening, serve

def start(options):
    app.signal.signal(app.signal.SIGTERM, app._end)
    with listening("127.0.0.1", 0) as taken, page_folder() as folder:
        page, _ = made_up_page.build(folder)
        serve(page, folder, taken, lambda address: print(address, folder.path, flush=True))

made_up_page.Models.wait = threading.Event()
app.start, app.parse = start, lambda: None
app.main()
"""


@pytest.mark.slow
def test_sigterm_ends_the_page_within_two_seconds_whatever_it_does(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", SERVING]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        address, path = process.stdout.readline().split()
        page = Asking(int(address.rpartition(":")[2]))
        page.join(page.picture())  # the network computes for a minute
        stream = requests.get(f"{page.address}/queue/data?session_hash={page.session}", stream=True, timeout=30)
        next(stream.iter_lines())
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(20) == 143
        assert time.monotonic() - begun < 2.5  # two, and a slow machine
    assert not Path(path).parent.exists()
