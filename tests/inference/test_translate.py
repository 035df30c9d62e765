"""The command ``translate``: outputs, resumption, bad files, faces aligned and put back."""

import hashlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import skimage.data

import iacyclegan_tf
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.run_command import run_command
from iacyclegan_tf.data.alignment.crop import TARGETS, align, similarity
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import read_image, write_png
from iacyclegan_tf.inference import translation
from iacyclegan_tf.inference.translation import Way, translate
from iacyclegan_tf.inference.translation_jobs import Job, plan
from iacyclegan_tf.translate import parse, run

SIZES = ((50, 40), (33, 61), (50, 40))
EYES = "203,100,246,102"  # of the astronaut


@pytest.fixture
def work(tiny_run, tmp_path, monkeypatch) -> Path:
    """A folder with the run ``tiny``, three photos and a broken one; the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(tiny_run / "runs")
    for number, (height, width) in enumerate(SIZES):
        write_png(tmp_path / "photos" / f"{number}.png", draw_pair(number, 0, seed=5, height=height, width=width)[0])
    cv2.imwrite(str(tmp_path / "astronaut.png"), skimage.data.astronaut()[..., ::-1])
    return tmp_path


def call(*arguments: str) -> int:
    return run_command(lambda: run(parse([*arguments])))


def as_is(*arguments: str) -> int:
    """Pictures of any size as they are: what is tested is not the face."""
    return call(*arguments, "--no-align")


def state(folder: Path) -> dict:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


# ---------------------------------------------------------------- outputs


def test_a_folder_with_a_bad_file(work, capsys):
    (work / "photos" / "broken.jpg").write_text("no image")
    (work / "photos" / "notes.txt").write_text("no image either, and none by its name")
    (work / "photos" / "gone.jpg").symlink_to("nowhere")
    (work / "photos/@eaDir").mkdir()
    (work / "photos/2.png").rename(work / "photos/2.HEIC")  # its content decides
    assert as_is("photos", "sketches", "--side-by-side") == 2
    out, err = capsys.readouterr()
    assert "sketches: 3 written, 0 done before" in out
    assert err.startswith(
        "error: 3 of 6 images could not be translated; the others are done:\n  'photos/broken.jpg' cannot"
    )
    assert "'photos/gone.jpg' cannot be read: No such file" in err and "'photos/notes.txt' holds no image" in err
    assert "left out, hidden or made by a system: @eaDir" in out
    (work / "photos/2.HEIC").rename(work / "photos/2.png")
    assert sorted(path.name for path in (work / "sketches").iterdir()) == sorted(
        f"{number}{kind}.png" for number in range(3) for kind in ("", ".side_by_side")
    )
    model = iacyclegan_tf.load("tiny", align=False)
    for number, size in enumerate(SIZES):
        photo, sketch = read_image(f"photos/{number}.png"), read_image(f"sketches/{number}.png")
        assert sketch.shape == (*size, 3) == photo.shape
        assert np.abs(sketch.astype(int) - model.to_sketch(photo)).max() <= 1
        assert np.array_equal(read_image(f"sketches/{number}.side_by_side.png"), np.hstack([photo, sketch]))


def test_one_image_to_a_file_and_to_a_photo(work, capsys):
    os.mkdir("new")
    assert as_is("photos/1.png", "new/face.png", "--to", "photo", "--round", "1", "--model", "runs/tiny") == 0
    truth = iacyclegan_tf.load("tiny", round=1, align=False).to_photo("photos/1.png")
    assert np.array_equal(read_image("new/face.png"), truth) and os.listdir("new") == ["face.png"]
    assert capsys.readouterr().err == ""


def test_an_output_says_what_it_was_made_of(work):
    assert as_is("photos/0.png", "a.png") == 0
    with PIL.Image.open("a.png") as image:
        record = json.loads(image.text["iacyclegan_tf"])
    assert record["source_sha256"] == hashlib.sha256(Path("photos/0.png").read_bytes()).hexdigest()
    assert record["model"] == "tiny 2" and record["to"] == "sketch" and len(record["weights"]) == 64


# ---------------------------------------------------------------- resumption


def test_only_what_is_missing_or_stale_is_made(work, capsys):
    assert as_is("photos", "out") == 0
    first = state(work / "out")
    assert as_is("photos", "out") == 0 and state(work / "out") == first
    assert "0 written, 3 done before" in capsys.readouterr().out

    (work / "out" / "0.png").unlink()
    write_png("photos/1.png", draw_pair(9, 0, seed=5, height=33, width=61)[0])  # another picture of that name
    assert as_is("photos", "out") == 0
    now = state(work / "out")
    assert "2 written, 1 done before" in capsys.readouterr().out
    assert {name for name in first if first[name] != now[name]} == {"0.png", "1.png"}

    assert as_is("photos", "out", "--round", "1") == 0  # another model
    assert "3 written, 0 done before" in capsys.readouterr().out
    assert np.array_equal(read_image("out/1.png"), iacyclegan_tf.load("tiny", 1, align=False).to_sketch("photos/1.png"))


def test_what_is_done_needs_no_network(work, monkeypatch):
    assert as_is("photos", "out") == 0
    monkeypatch.setattr(iacyclegan_tf.Trained, "_served", None)
    assert as_is("photos", "out") == 0


def test_files_of_others_are_left_alone(work, capsys):
    (work / "out").mkdir()
    write_png("out/1.png", np.zeros((9, 9, 3), np.uint8))  # an artist's sketch of that name, say
    before = Path("out/1.png").read_bytes()
    assert as_is("photos", "out") == 2
    assert "'out/1.png' is there already and was not made by this command" in capsys.readouterr().err
    assert Path("out/1.png").read_bytes() == before and len(os.listdir("out")) == 3
    assert as_is("photos", "out", "--overwrite") == 0 and read_image("out/1.png").shape == (33, 61, 3)


@pytest.mark.slow
def test_killed_it_leaves_whole_files_and_goes_on(work, capsys):
    for number in range(150):
        shutil.copy(f"photos/{number % 3}.png", f"photos/copy{number}.png")
    command = [sys.executable, "-m", "iacyclegan_tf.translate", "photos", "out", "--no-align"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(Path(iacyclegan_tf.__file__).parents[1])})
    while not (work / "out").is_dir() or len(os.listdir("out")) < 20:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (work / "out" / ".copy149.png.abcd_123.partial").write_bytes(b"cut")  # as a kill between write and rename leaves it
    done = [path for path in (work / "out").glob("*.png") if read_image(path).size]
    assert 20 - translation._THREADS <= len(done) < 153  # those under way are files of other names
    assert as_is("photos", "out") == 0
    assert f"{153 - len(done)} written, {len(done)} done before" in capsys.readouterr().out
    assert len(os.listdir("out")) == 153  # and nothing else


# ---------------------------------------------------------------- the queue


class Slow:
    """In the place of a model: its network waits for ``gate``."""

    name, number = "slow", 1

    def __init__(self, gate):
        self.gate = gate

    def fingerprint(self, servable):
        return "0"

    def as_is(self):
        return self

    def warning(self, face, of):
        return None

    def to_sketch(self, images):
        assert self.gate.wait(timeout=60)
        return images


def test_reading_goes_on_while_the_network_works_but_not_for_ever(work, monkeypatch):
    jobs = [Job(work / "photos" / f"{number % 3}.png", work / "out" / f"{number}.png") for number in range(100)]
    gate, begun, read = threading.Event(), [], translation._read

    def counted(job, *more):
        begun.append(job)
        if len(begun) > translation.BATCH:  # read while the network is busy with the first batch
            threading.Timer(0.3, gate.set).start()
        if not gate.is_set():
            most.append(len(begun))
        return read(job, *more)

    most = []
    monkeypatch.setattr(translation, "_read", counted)
    assert [one.state for one in translate(Slow(gate), jobs, Way(align=False))] == ["written"] * 100
    assert translation.BATCH < max(most) <= 2 * translation.BATCH


def test_an_output_that_cannot_be_written_stops_the_work(work, monkeypatch):
    gate, full = threading.Event(), OSError(28, "No space left on device")
    gate.set()
    monkeypatch.setattr(translation, "write_bytes", lambda path, data: (_ for _ in ()).throw(full))
    jobs = [Job(work / "photos" / f"{number}.png", work / "out" / f"{number}.png") for number in range(3)]
    with pytest.raises(UserError, match=r"out/0.png cannot be written: No space left on device"):
        list(translate(Slow(gate), jobs, Way(align=False)))


# ---------------------------------------------------------------- faces


@pytest.mark.parametrize("eyes", [["--eyes", EYES], []])
def test_a_face_is_put_back_and_nothing_else_changes(work, eyes):
    assert call("astronaut.png", "out.png", "--put-back", *eyes) == 0
    before, after = read_image("astronaut.png").astype(int), read_image("out.png").astype(int)
    assert after.shape == before.shape
    changed = np.abs(after - before).max(axis=2) > 0
    rows, columns = np.nonzero(changed)
    # eyes 43 pixels apart stand for 50 of the crop's 200 x 250, and lie in the middle of its height
    assert 0.8 < changed.sum() / (math.pi / 4 * 172 * 215) < 1.15
    assert abs(columns.mean() - 225) < 8 and abs(rows.mean() - 105) < 12 and rows.max() < 225
    assert not changed[:, :120].any() and not changed[:, 330:].any()


def test_the_crop_alone(work):
    assert call("astronaut.png", "crop.png", "--eyes", EYES, "--side-by-side") == 0
    points = np.array(EYES.split(","), float).reshape(2, 2)
    crop = align(read_image("astronaut.png"), similarity(points, TARGETS[:2]), 0)
    truth = iacyclegan_tf.load("tiny", align=False).to_sketch(crop)
    assert np.array_equal(read_image("crop.png"), truth) and truth.shape == (250, 200, 3)
    assert np.array_equal(read_image("crop.side_by_side.png"), np.hstack([crop, truth]))


def test_eyes_from_a_table_and_faces_that_are_not_found(work, capsys):
    for number in range(3):
        write_png(f"walls/{number}.png", np.full((60, 50, 3), 90 + number, np.uint8))
    Path("eyes.csv").write_text("file,left_x,left_y,right_x,right_y\n0.png,15,30,32,30\n1.png,15,30,99,30\n")
    assert call("walls", "out", "--eyes", "eyes.csv") == 2
    out, err = capsys.readouterr()
    assert "look at out/0.png: the eyes are only 17.0 pixels apart" in out
    assert "The eyes of 'walls/1.png' are given at" in err and "No face was found in 'walls/2.png'" in err
    assert os.listdir("out") == ["0.png"]


def test_names_of_any_script_and_length_are_kept(work, capsys):
    """80 letters of three bytes each leave room for .png, not for .side_by_side.png."""
    for name in ("नेहा", "नहा", "José", "Jose\u0301", "न" * 80):
        write_png(f"names/{name}.png", draw_pair(1, 0, seed=5, height=20, width=16)[0])
    assert as_is("names", "out") == 0
    assert sorted(os.listdir("out")) == sorted(os.listdir("names"))
    assert as_is("names", "two", "--side-by-side") == 2
    assert "1 of 5 images" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["photos", "out", "--eyes", EYES, "--no-align"], "--eyes says where the face is"),
        (["photos", "out", "--eyes", EYES], "but there are 3; give a table"),
        (["photos/0.png", "out", "--eyes", "1,2,3"], "must be x1,y1,x2,y2"),
        (["photos/0.png", "out", "--eyes", "30,2,10,2"], "the eye on the left of the image first"),
        (["photos", "out", "--model", "nobody"], "There is no model 'nobody'"),
        (["nowhere.png", "out"], "The input nowhere.png is not there"),
        (["*.tif", "out"], "No file matches '\\*.tif'"),
        (["photos/0.png", "out.jpg"], "must end in .png"),
        (["photos", "astronaut.png"], "is a file; for several"),
        (["photos", "photos"], "photos/0.png is one of the inputs"),
        (["runs", "out"], "The folder runs holds no image"),
    ],
)
def test_mistakes_are_one_sentence(work, capsys, arguments, words):
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert re.match(f"error: .*{words}", err) and err.count("\n") == 1
    assert not Path("out").exists()


# ---------------------------------------------------------------- which pictures go where


def test_plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.jpg", "in/b.PNG", "in/deep/c.ppm.gz", "in/deep/note.txt", "d.jpg", "[1].png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()

    def planned(*inputs, out="out", **more):
        return {str(job.source): str(job.target) for job in plan(inputs, out, **more).jobs}

    assert planned("in") == {"in/a.jpg": "out/a.png", "in/b.PNG": "out/b.png"}
    os.symlink("nowhere", "in/deep/gone.jpg")
    Path("in/deep/@eaDir").mkdir()
    Path("in/deep/@eaDir/c.jpg").touch()
    assert planned("in/**/*.[jp]*") == {"in/a.jpg": "out/a.png", "in/deep/c.ppm.gz": "out/deep/c.png"}
    globbed = plan(["in/**/*.[jp]*"], "out")  # a glob would pass over what is closed without a word
    assert globbed.complaints == ["'in/deep/gone.jpg' cannot be read: No such file or directory."]
    assert globbed.notes == ["left out, hidden or made by a system: @eaDir"]
    assert planned("in/a.jpg", "d.jpg", "in") == {
        "in/a.jpg": "out/a.png",
        "d.jpg": "out/d.png",
        "in/b.PNG": "out/b.png",
    }
    assert planned("d.jpg", out="x.png") == {"d.jpg": "x.png"} and planned("d.jpg", out="in") == {"d.jpg": "in/d.png"}
    assert planned("[1].png") == {"[1].png": "out/[1].png"}  # a name, though it could be a glob
    assert plan(["d.jpg"], "x.png", side_by_side=True).jobs[0].beside == Path("x.side_by_side.png")
    Path("in/a.bmp").touch()
    with pytest.raises(UserError, match=r"in/a.bmp and in/a.jpg would both be written to out/a.png"):
        plan(["in"], "out")
    os.symlink("in", "alias")
    Path("in/a.bmp").unlink()
    Path("in/b.PNG").rename("in/b.png")
    with pytest.raises(UserError, match=r"alias/b.png is one of the inputs"):  # by another name
        plan(["in"], "alias")
