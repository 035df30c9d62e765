"""The page in a real browser, on a tiny run's exports and a gallery of drawn photos: once through; the rest is slow."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import browser as chromium
import cv2
import numpy as np
import pytest
from in_process import refused, run

from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import decode_image, read_image
from iacyclegan_tf.inference.load import load

pytest.importorskip("gradio", reason="the page needs the extra app")
pytest.importorskip("selenium", reason="the page is tested in a browser, driven by selenium")
import requests

ROOT = Path(__file__).parents[2]
SIZE = {"height": 250, "width": 200}
PEOPLE, SHOWN = 14, 10
NASTY = "<img src=x onerror=document.title=1>.png"  # a name that must be shown, not obeyed
SOLID = re.compile(r"rgb.* solid [23]px")


@dataclass
class Page:
    """A running page: ``address``, and where its photos, sketches and files lie."""

    address: str
    folder: Path
    run: Path
    process: subprocess.Popen

    @property
    def scratch(self) -> Path:
        """Where its temporary folders are."""
        return self.folder / "tmp"

    def sketch(self, person: int) -> Path:
        return self.folder / f"sketches/{name(person)}"


def name(person: int) -> str:
    return NASTY if person == 0 else f"person{person:02}.png"


def written(path: Path, image: np.ndarray | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(image if isinstance(image, bytes) else cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    return path


@pytest.fixture(scope="module")
def page(tiny_run, tmp_path_factory):
    chromium.required()
    folder = tmp_path_factory.mktemp("page")
    for person in range(PEOPLE):
        photo, sketch = draw_pair(person, 0, seed=77, **SIZE)
        written(folder / "photos" / name(person), photo)
        written(folder / "sketches" / name(person), sketch)
    (folder / "tmp").mkdir()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "iacyclegan_tf.app",
            "--model",
            tiny_run / "runs/tiny",
            "--gallery",
            folder / "photos",
            "--port",
            "0",
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=(folder / "errors.txt").open("w"),
        text=True,
        env=os.environ | {"TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT)},
    )
    lines = [process.stdout.readline() for _ in range(4)]
    found = re.search(r"Open (http://127\.0\.0\.1:\d+) in a browser", lines[-1])
    assert found, "".join(lines) + (folder / "errors.txt").read_text()
    assert [line.split()[0] for line in lines[:3]] == ["Starting:", "Loading", "Opening"], "what loads is said"
    running = Page(found[1], folder, tiny_run / "runs/tiny", process)
    yield running
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert process.wait(20) == 143 and time.monotonic() - begun < 2.5
    assert list(running.scratch.iterdir()) == [], "pictures were left behind"
    assert "Traceback" not in (folder / "errors.txt").read_text()


@pytest.fixture(scope="module")
def view(page, tmp_path_factory):
    """The page in a browser whose camera sees a drawn face."""
    with chromium.browser(tmp_path_factory.mktemp("profile")) as view:
        yield view
        assert view.requested() == {page.address.removeprefix("http://")}, "the page asked another machine"
        # what is under way when a test opens the page anew is given up, and Gradio says so
        assert [line for line in view.complaints() if "AbortError: signal is aborted" not in line] == []


@pytest.fixture
def opened(page, view):
    view.open(page.address)
    view.until(lambda: view.all("#given button"), "the page")
    return view


@pytest.fixture(scope="module")
def model(page):
    return load(page.run, align=False)  # its pictures are the aligned crops


def shown(view, selector: str) -> np.ndarray:
    """The pixels of a picture that the page got as a file."""
    selector = selector if "img" in selector else f"{selector} img"
    view.until(lambda: view.pixels(selector)[0], f"a picture in {selector}")
    return fetched(view.js("return document.querySelector(arguments[0]).src", selector))


def fetched(address: str) -> np.ndarray:
    return decode_image(requests.get(address, timeout=10).content, address)


@pytest.fixture(scope="module")
def expected(page, model) -> dict[int, list[tuple]]:
    """By probe: names with their three scores in order, without the gallery's code."""
    names = sorted(name(person) for person in range(PEOPLE))
    photos = [read_image(page.folder / "photos" / one) for one in names]
    by_photo, by_sketch = model.embed(photos), model.embed(model.to_sketch(photos), of="sketch")
    lists = {}
    for person in range(PEOPLE):
        sketch = read_image(page.sketch(person))
        ways = [by_photo @ model.embed(model.to_photo(sketch)), by_sketch @ model.embed(sketch, of="sketch")]
        fused = sum((scores - scores.mean()) / scores.std() for scores in ways)
        lists[person] = [(names[i], fused[i], ways[0][i], ways[1][i]) for i in np.argsort(-fused)]
    return lists


def slider(view) -> list[np.ndarray]:
    """What the network was given, and what it made."""
    return [shown(view, f"#made .compare img:nth-of-type({number})") for number in (1, 2)]


def test_once_through_all_tabs(page, opened, model, expected, tmp_path):
    """One click shows a result; a photo becomes the sketch that the model draws; the sketch that the network knows best
    finds its person, with true scores; the card is told."""
    opened.click("#translate-examples button")
    opened.until_text("#translate-said", "The sketch of person_1.png")
    photo = page.folder / "photos/person03.png"
    opened.upload("#given", photo)
    opened.until_text("#translate-said", "The sketch of person03.png, 200x250 pixels.")
    made = model.to_sketch(photo)
    np.testing.assert_array_equal(slider(opened), [read_image(photo), made])
    np.testing.assert_array_equal(decode_image(opened.download("#download-result", tmp_path), "the result"), made)

    rank = {person: [one[0] for one in lines].index(name(person)) for person, lines in expected.items()}
    person = min(rank, key=rank.get)
    assert rank[person] < SHOWN < PEOPLE
    opened.tab("Search")
    opened.upload("#sketch", page.sketch(person))
    opened.until(lambda: len(opened.all("#candidates li[data-name]")) == SHOWN, "the list")
    cards = opened.js(
        "return [...document.querySelectorAll('#candidates li[data-name]')].map(e => "
        "[e.dataset.name, ...[...e.querySelectorAll('dd')].map(d => Number(d.innerText))])"
    )
    assert cards[rank[person]][0] == name(person)
    for card, line in zip(cards, expected[person]):
        np.testing.assert_allclose(card[1:], line[1:], atol=2e-3)
    assert sum(card[0] == line[0] for card, line in zip(cards, expected[person])) >= SHOWN - 2  # ties within rounding
    assert "A ranked list is a lead, not an identification" in opened.text("#lead")

    opened.tab("About")
    said = opened.text("#card")
    assert "Do not use it to identify, accuse or track people." in said and "Apache-2.0" in said
    assert f"{model.card()['measures']['ssim']:.3f}" in said and model.card()["data"]["split_sha256"] in said
    fused = model.card("sketch_recognizer")["measures"]["fusion"]
    assert f"both recognizers, fused, rank-1 {fused['rank1']:.3f}" in said


def test_a_candidate_opens_large_beside_the_probe(page, opened):
    from selenium.webdriver.common.keys import Keys

    opened.tab("Search")
    opened.click("#search-examples button")
    opened.until(lambda: opened.all("#candidates li > button"), "the list")
    opened.js("document.querySelector('#candidates li > button').focus()")
    opened.driver.switch_to.active_element.send_keys(Keys.ENTER)
    boxes = opened.js(
        "return [...document.querySelectorAll(':popover-open td svg')].map(e => { const b = e.getBoundingClientRect(); "
        "return [e.getAttribute('aria-label').split(' ').slice(0, 2).join(' '), b.left, b.top, b.height] })"
    )
    assert len(boxes) == 4 and min(box[3] for box in boxes) > 150
    (theirs, left, top, _), (ours, beside, same, _) = boxes[:2]
    assert theirs.startswith("Photo") and ours == "The network's" and beside > left and same == top
    opened.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert opened.js("return document.querySelectorAll(':popover-open').length") == 0
    assert opened.js("return document.activeElement.parentElement.dataset.name"), "the focus is where it was"


def scene(person: int) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face in a larger picture, and its crop."""
    photo, _ = draw_pair(person, 0, seed=78, height=500, width=400)
    picture = np.full((900, 1200, 3), photo[:40].mean((0, 1)), np.uint8)
    picture[200:700, 500:900] = photo
    return picture, cv2.resize(photo, (200, 250), interpolation=cv2.INTER_AREA)


def away(one: np.ndarray, other: np.ndarray) -> float:
    """By how many pixels two crops of one face are shifted against each other, hair and background left out."""
    inside = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[70:220, 40:160].astype(np.float32) for image in (one, other)]
    return float(np.hypot(*cv2.phaseCorrelate(*inside, cv2.createHanningWindow((120, 150), cv2.CV_32F))[0]))


def test_a_face_in_a_larger_picture_is_found_shown_and_put_back(page, opened):
    picture, crop = scene(1)
    opened.upload("#given", written(page.folder / "scene/one.png", picture))
    opened.until_text("#translate-said", "The sketch of one.png, 200x250 pixels.")
    given = slider(opened)[0]
    assert away(given, crop) <= 3 and opened.pixels("#made .taken img")[1] == 200
    assert not opened.js("return document.querySelector('#face') && document.querySelector('#face').offsetParent")
    opened.click("#framing label:nth-of-type(2)")
    opened.until_text("#translate-said", "The sketch of one.png, 1200x900 pixels.")
    before, after = slider(opened)
    np.testing.assert_array_equal(before, picture)
    changed = (before != after).any(2)
    assert changed[450, 700] and not changed[:150].any() and not changed[:, :400].any(), "the face and no more"

    both = np.concatenate([scene(2)[0], scene(3)[0]], 1)
    opened.click("#framing label:nth-of-type(1)")
    opened.upload("#given", written(page.folder / "scene/two.png", both))
    opened.until_text("#translate-said", "The sketch of two.png")
    first = slider(opened)[0]
    opened.click("#face label:nth-of-type(2)")
    opened.until(lambda: not np.array_equal(slider(opened)[0], first), "the other face")
    assert min(away(slider(opened)[0], scene(person)[1]) for person in (2, 3)) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_real_pictures_as_they_are(page, opened, real_pairs, kind):
    """Aligned to within 3 pixels of the published crops."""
    if kind == "sketches":
        opened.click("#direction label:nth-of-type(2)")
    for path in sorted((real_pairs / "raw" / kind).iterdir())[:4]:
        opened.upload("#given", path)
        opened.until_text("#translate-said", f"of {path.name}, 200x250 pixels.")
        assert away(slider(opened)[0], read_image(real_pairs / "train" / kind / path.name)) <= 3, path.name


@pytest.mark.slow
def test_the_other_direction_and_both_downloads(page, opened, model, tmp_path):
    opened.click("#direction label:nth-of-type(2)")
    opened.upload("#given", page.sketch(4))
    opened.until_text("#translate-said", "The photo of person04.png")
    made = model.to_photo(page.sketch(4))
    np.testing.assert_array_equal(decode_image(opened.download("#download-result", tmp_path), "the result"), made)
    both = decode_image(opened.download("#download-both", tmp_path), "both")
    np.testing.assert_array_equal(both[:, :200], read_image(page.sketch(4)))
    np.testing.assert_array_equal(both[:, -200:], made)


@pytest.mark.slow
def test_a_picture_from_the_camera(opened):
    """Chromium's own test picture, in the place of a face."""
    opened.press("#given", "Capture from camera")
    opened.press("#given", "Click to Access Webcam")
    opened.until(
        lambda: opened.js(
            "const v = document.querySelector('#given video'); return v && v.videoWidth > 0 && v.currentTime > 0"
        ),
        "the camera's picture",
    )
    opened.press("#given", "capture photo")
    opened.until_text("#translate-said", "No face was found in 'image.png'")
    opened.click("#framing label:nth-of-type(3)")
    opened.until_text("#translate-said", "The sketch of image.png")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, words",
    [
        ("notes.txt", "Invalid file type: notes.txt. Only pictures are taken."),  # seen by the browser
        ("notes.png", "'notes.png' cannot be used: it is not an image of a known format"),
        ("huge.png", "at most 16777216 are taken"),
    ],
)
def test_wrong_files_get_a_message(page, opened, name, words):
    path = page.folder / name
    whole = (page.folder / "photos/person01.png").read_bytes()
    path.write_bytes({"huge.png": whole[:16] + b"\0\0\xff\xff" * 2 + whole[24:]}.get(name, b"Dear diary"))
    opened.upload("#given", path)
    said = opened.until_text("#translate-said", words) + opened.text("body")
    assert not opened.all("#made img") and str(page.folder) not in said and "Traceback" not in said
    opened.upload("#given", page.folder / "photos/person01.png")  # and the page goes on
    opened.until_text("#translate-said", "The sketch of person01.png")


@pytest.mark.slow
def test_more_candidates_and_the_table(page, opened, tmp_path):
    opened.tab("Search")
    opened.click("#top label:nth-of-type(2)")
    opened.upload("#sketch", page.sketch(5), page.sketch(6))
    opened.until_text("#search-said", "and 1 more, fused.")
    assert len(opened.all("#candidates li[data-name]")) == PEOPLE
    assert NASTY in opened.text("#candidates") and opened.driver.title != "1"  # shown, not obeyed
    lines = opened.download("#download-csv", tmp_path).decode().splitlines()
    assert lines[0].startswith("rank,name,") and len(lines) == PEOPLE + 1 and "person05.png" in "".join(lines)
    case = written(tmp_path / "case.html", opened.download("#download-case", tmp_path))
    opened.open(f"file://{case}")
    assert len(opened.all("li[data-name]")) == PEOPLE and opened.driver.title != "1"
    assert "person05.png; person06.png" in opened.text("table") and str(page.folder) not in case.read_text()


# ---------------------------------------------------------------- for everybody


@pytest.mark.slow
def test_readable_at_400_pixels(page, opened):
    opened.size(400, 800)
    opened.upload("#given", page.folder / "photos/person02.png")
    opened.until_text("#translate-said", "The sketch of person02.png")
    for tab in ("Translate", "Search", "About"):
        opened.tab(tab)
        if tab == "Search":
            opened.upload("#sketch", page.sketch(2))
            opened.until(lambda: opened.all("#candidates li"), "the list")
        assert opened.js("return document.documentElement.scrollWidth") <= 400, f"{tab} is wider than the screen"
        small = opened.js(
            "return [...document.querySelectorAll('p, li, dt, dd, td, th, h1, h2, button, label, figcaption')]"
            ".filter(e => e.offsetParent && e.innerText.trim() && parseFloat(getComputedStyle(e).fontSize) < 12.5)"
            ".map(e => e.innerText)"
        )
        assert small == [], f"too small to read on {tab}"


@pytest.mark.slow
def test_by_keyboard_alone(page, opened):
    """Every control is reached by Tab, shows that it has the focus, and works by the keys."""
    from selenium.webdriver.common.keys import Keys

    reached = []
    for _ in range(12):
        opened.driver.switch_to.active_element.send_keys(Keys.TAB)
        here, outline = opened.js(
            "const e = document.activeElement; return [(e.getAttribute('aria-label') || e.innerText || "
            "e.value || '').split('\\n')[0], getComputedStyle(e).outline]"
        )
        if here in reached or opened.js("return document.activeElement === document.body"):
            break
        assert SOLID.search(outline), f"{here} does not show that it has the focus"
        reached.append(here)
    assert {"Translate", "Search", "About", "Drop an image file here to upload", "Capture from camera"} <= set(reached)
    opened.js("document.querySelector('#direction label:nth-of-type(2) input').focus()")
    opened.driver.switch_to.active_element.send_keys(Keys.SPACE)
    opened.upload("#given", page.sketch(6))
    opened.until_text("#translate-said", "The photo of person06.png")
    opened.js("[...document.querySelectorAll('[role=tab]')].find(e => e.innerText.trim() === 'Search').focus()")
    opened.driver.switch_to.active_element.send_keys(Keys.ENTER)
    opened.until(lambda: opened.all("#lead") and opened.all("#lead")[0].is_displayed(), "the tab Search")


@pytest.mark.parametrize(
    "arguments, words",
    [(["--model", "nowhere"], "no model 'nowhere'"), (["--gallery", "nowhere"], "The gallery nowhere is not there")],
)
def test_mistakes_are_one_sentence(tmp_path, arguments, words):
    refused(run("app", *arguments, cwd=tmp_path), words)


def test_nothing_is_written_into_the_package(page):
    assert not list((ROOT / "iacyclegan_tf").rglob("*.pyi"))
