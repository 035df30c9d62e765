"""docs/use.md runs as it stands, on a trained run."""

import doctest
import re
import shlex
from functools import partial
from pathlib import Path

import cv2
import pytest
import skimage.data

from iacyclegan_tf.common.run_command import run_command
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import read_image
from iacyclegan_tf.translate import parse, run

ROOT = Path(__file__).parents[1]
USE = ROOT / "docs/use.md"


@pytest.fixture
def place(tiny_run, tmp_path, monkeypatch) -> Path:
    """A folder as after ``make train``, with the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(tiny_run / "runs" / "tiny")
    (tmp_path / "savedmodels").symlink_to(tiny_run / "savedmodels")
    for number, path in enumerate(["face.jpg", "photos/a.jpg", "photos/b.jpg", "archive/1998/c.jpg"]):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(path, draw_pair(number, 0, seed=5, height=60, width=48)[0][..., ::-1])
    cv2.imwrite("group.jpg", skimage.data.astronaut()[..., ::-1])
    Path("eyes.csv").write_text("file,left_x,left_y,right_x,right_y\na.jpg,18,30,39,30\nb.jpg,18,30,39,30\n")
    return tmp_path


def commands(document: Path) -> list[str]:
    return re.findall(
        r"^python -m iacyclegan_tf\.translate ([^#\n]*)", document.read_text(encoding="utf-8"), re.MULTILINE
    )


def test_every_command_does_its_work(place):
    lines = commands(USE)
    assert len(lines) >= 7
    for line in lines:
        options = parse(shlex.split(line))
        assert run_command(partial(run, options)) == 0, line
        output = Path(options.output)
        made = [output] if output.suffix else list(output.rglob("*.png"))
        assert made and all(read_image(path).size for path in made), line


def test_the_examples_for_python(place):
    text = USE.read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(
        re.sub(r"^```.*$", "", text, flags=re.MULTILINE), {}, "use.md", str(USE), 0
    )
    assert len(test.examples) >= 15
    said = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
