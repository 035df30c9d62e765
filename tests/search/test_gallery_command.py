"""``python -m iacyclegan_tf.gallery`` on the tiny run: build, add, search, remove, check, and users' mistakes."""

import contextlib
import csv
import hashlib
import io
import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import iacyclegan_tf
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.drawn.samples import write_samples
from iacyclegan_tf.data.drawn.scene import draw_ground, draw_scene
from iacyclegan_tf.data.images.files import read_image, write_png
from iacyclegan_tf.gallery import parse, run
from iacyclegan_tf.inference.trained_on import ONLY_DRAWN
from iacyclegan_tf.search.search_result import LEAD

ROOT = Path(__file__).parents[2]


def gallery(*arguments) -> str:
    """The command in this process; returns what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        run(parse([str(argument) for argument in arguments]))
    return said.getvalue()


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """``photos`` of six drawn people, their ``sketches``, and a file that is no image."""
    folder = tmp_path_factory.mktemp("gallery")
    for i in range(6):
        photo, sketch = draw_pair(i, 0, seed=50, height=40, width=32)
        for side, image in (("photos", photo), ("sketches", sketch)):
            (folder / side).mkdir(exist_ok=True)
            write_png(folder / side / f"{i}.png", image)
    (folder / "photos/text.png").write_text("text")
    return folder


def test_the_whole_way(work, tiny_run):
    index, exports = work / "index", tiny_run / "savedmodels/tiny"
    with pytest.raises(
        UserError, match=r"1 files or folders were passed over; the others are in the gallery:\n .*text.png"
    ):
        gallery("build", work / "photos", index, "--model", exports, "--no-align")
    (work / "photos/text.png").unlink()
    said = gallery("build", work / "photos", index)  # by the models that it was begun with
    assert f"models: tiny 2, which the gallery {index} was built with" in said
    assert "0 added, 6 were there, 6 photos in all, embedded by tiny 2" in said
    said = gallery(
        "search",
        work / "sketches/2.png",
        index,
        "--top",
        4,
        "--csv",
        work / "found.csv",
        "--json",
        work / "found.json",
        "--strip",
        work / "found.png",
    )
    assert LEAD in said and "4 of 6 photos, by fusion" in said
    assert "needs at least 1000 impostor pairs (10 / FAR); there are 2." in said  # of two validation people
    with open(work / "found.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 and all(row["name"] in said for row in rows)
    values = json.loads((work / "found.json").read_text())
    assert [one["name"] for one in values["candidates"]] == [row["name"] for row in rows]
    assert values["models"]["name"] == "tiny" and values["calibration"]["people"] == 2 and LEAD in values["sentences"]
    assert read_image(work / "found.png").shape[1] > 6 * 160
    digest = hashlib.sha256((work / "sketches/2.png").read_bytes()).hexdigest()
    for about in (values, *rows):  # each line stands alone
        assert about["probe"] == str(work / "sketches/2.png") and about["probe_sha256"] == digest
        assert about["gallery"] == str(index) and int(about["gallery_photos"]) == 6
        assert (about["model"], int(about["round"])) == ("tiny", 2)
        assert about["version"] == f"iacyclegan_tf {iacyclegan_tf.__version__}" and about["date"][:2] == "20"
    assert "6 of 6 photos" in gallery("search", work / "sketches/2.png", index, "--top", 0)
    assert ONLY_DRAWN in said

    written = ["--csv", work / "found.csv", "--json", work / "found.json", "--strip", work / "found.png"]
    gallery("search", work / "sketches/3.png", index, "--model", exports, *written)  # over its own
    (work / "README.md").write_text("mine")
    with pytest.raises(UserError, match=r"README\.md is there already and was not made by this command"):
        gallery("search", work / "sketches/2.png", index, "--model", exports, "--csv", work / "README.md")
    with pytest.raises(UserError, match=r"the folder .*found.csv is not there"):
        gallery("search", work / "sketches/2.png", index, "--model", exports, "--csv", work / "found.csv/x.csv")
    with pytest.raises(UserError, match="names are taken by other photos"):
        gallery("add", index, work / "sketches/2.png", "--model", exports)
    (work / "sketches/2.png").rename(work / "sketches/more.png")
    assert "1 added, 0 were there, 7 photos in all" in gallery(
        "add", index, work / "sketches/more.png", "--model", exports
    )
    assert "2 removed, 5 photos in all" in gallery("remove", index, "more.png", "0.png")
    said = gallery("check", index, "--list").splitlines()
    assert said[:5] == [f"{i}.png" for i in range(1, 6)] and "5 photos, embeddings of photo 256, sketch 256" in said[5]
    with pytest.raises(UserError, match="was built with tiny 2, and tiny 1 has another"):
        gallery("search", work / "sketches/1.png", index, "--model", exports, "--round", 1)
    with sqlite3.connect(index / "gallery.sqlite") as base:
        base.execute("UPDATE photos SET vectors = zeroblob(length(vectors))")
    with pytest.raises(UserError, match="embeddings of 5 photos are damaged"):
        gallery("check", index)
    with pytest.raises(UserError, match="5 photos are not as they were written"):
        gallery("search", work / "sketches/1.png", index, "--model", exports)


def test_photos_without_a_face_are_left_out_and_other_runs_change_nothing(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        scene, _ = draw_scene(number, seed=19, share=0.5, degrees=8, ground="stripes", height=300, width=400)
        write_png(tmp_path / f"photos/{number}.png", scene)
        write_png(tmp_path / f"sketches/{number}.png", draw_pair(number, 0, seed=19, height=250, width=200)[1])
    write_png(tmp_path / "photos/wall.png", draw_ground(np.random.default_rng(0), "stripes", 60, 90))
    with pytest.raises(UserError, match=r"1 files or folders were passed over(.|\n)*No face was found in .*wall.png"):
        gallery("build", "photos", "index", "--model", tiny_run / "runs/tiny", "--round", 1)
    with pytest.raises(UserError, match="was begun with faces aligned"):
        gallery("build", "photos", "index", "--no-align")
    said = gallery("search", "sketches/0.png", "index")  # no run is in runs/, and the last round is another
    assert "models: tiny 1, which the gallery index was built with" in said and "2 of 2 photos" in said
    with pytest.raises(UserError, match=r"No face was found in 'photos/wall\.png'"):
        gallery("search", "photos/wall.png", "index")
    for arguments in (["build", "nowhere", "new"], ["search", "nowhere.png", "index"], ["add", "index", "nowhere"]):
        with pytest.raises(UserError, match=r"nowhere.* is not there"):
            gallery(*arguments)


def test_mistakes_are_told_without_tensorflow(work, tmp_path):
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "iacyclegan_tf.gallery",
        "search",
        "x.png",
        str(tmp_path / "no"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert (
        done.returncode == 2
        and done.stdout == ""
        and len(said) == 1
        and said[0].startswith("error: There is no gallery in")
    )
    assert not any(line.rpartition("|")[2].strip() == "tensorflow" for line in done.stderr.splitlines())


@pytest.mark.slow
def test_the_lines_of_the_readme_and_of_the_docs_run_as_they_stand(work, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/quickstart").symlink_to(tiny_run / "runs/tiny")
    Path("savedmodels").symlink_to(tiny_run / "savedmodels")
    for number, path in enumerate(["sketch.png", "photos/a.jpg", "photos/b.jpg", "more/two.jpg", "one.jpg"]):
        Path(path).parent.mkdir(exist_ok=True)
        assert cv2.imwrite(path, draw_pair(number, 0, seed=5, height=125, width=100)[0 if number else 1][..., ::-1])
    write_samples(Path("faces"))  # as the README's line before these
    docs = (ROOT / "docs/gallery.md").read_text(encoding="utf-8")
    for text, least in ((ROOT / "README.md").read_text(encoding="utf-8"), 2), (docs, 6):
        lines = re.findall(r"^python -m iacyclegan_tf\.gallery ([^#\n]*)", text, re.MULTILINE)
        assert len(lines) >= least
        for line in lines:
            gallery(*shlex.split(line))
        if text is not docs:
            shutil.rmtree("index")  # the docs begin with one of their own
    assert all(Path(f"found.{suffix}").stat().st_size for suffix in ("csv", "json", "png"))
    (example,) = re.findall(r"```python\n(.*?)```", docs, re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(example, "docs/gallery.md", "exec"), {})
    assert LEAD in said.getvalue() and said.getvalue().startswith(("1 a.jpg", "1 b.jpg"))
