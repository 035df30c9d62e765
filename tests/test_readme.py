"""The README and docs: their commands run as they stand, on a tiny run; what cannot is named here with its reason."""

import contextlib
import importlib
import io
import os
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from model_server import RestTwin, load

from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import read_image, write_png
from iacyclegan_tf.serving.signatures import SERVABLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Lines that are not run, by their beginning, and why.
NOT_RUN = {
    "make train": "is what this whole test stands in for; takes minutes",
    "make test": "is what runs this test",
    "tensorboard ": "serves until it is stopped; the folder that it is given is looked for instead",
    "python -m iacyclegan_tf.app ": "serves until it is stopped; test_app.py drives it in a browser",
    "python -m iacyclegan_tf.train --config cufs_128 data.root=PATH/TO/PAIRS name=mine": (
        "trains for most of an hour; the same line with --dry-run is run, and test_train.py trains a tiny run"
    ),
    "python -m iacyclegan_tf.evaluate ": "takes as long as all other lines; test_evaluate.py runs it on a tiny run",
    "python -m iacyclegan_tf.compare ": "reads what evaluate writes; test_compare.py runs it",
    "python -m iacyclegan_tf.export ": "validates four exports in a process of its own; test_export_command.py runs it",
}
PAIRS = 12  # to train on and to test with
# Placeholders and names of the README, and what stands for them here.
STANDS_FOR = {
    "PATH/TO/PAIRS": "pairs",
    "SOURCE": "source",
    "localhost:8501": None,
    "--dry-run": "--dry-run --no-timing",
}  # at full size a minute; test_cost_model.py times a tiny run


def blocks(text: str, kind: str = "") -> list[str]:
    """Of fences with this word behind them; fences are taken in pairs."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [content for word, content in fences if word == kind]


def commands(text: str) -> list[str]:
    """Command lines of all unmarked blocks, without comments; lines that end in a backslash are joined."""
    lines = "\n".join(blocks(text)).replace("\\\n", " ").splitlines()
    found = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    return [line for line in found if re.match(r"(python|make|tensorboard|pip|docker) ", line)]


def reason(line: str) -> str | None:
    return next(
        (
            why
            for beginning, why in NOT_RUN.items()
            if f"{line} ".startswith(beginning) and (beginning.endswith(" ") or line == beginning)
        ),
        None,
    )


LINES = commands(README)


def test_the_readme_opens_with_the_two_commands():
    assert LINES[:2] == ["make train", "make test"]


def test_every_exception_is_of_a_line_that_is_there():
    for beginning in NOT_RUN:
        assert any(f"{line} ".startswith(beginning) for line in LINES), f"{beginning!r} is in the README no longer"


@pytest.fixture(scope="module")
def clone(tiny_run, tmp_path_factory):
    """The folder in which the README's reader stands after ``make train``, with some pictures of their own."""
    here = tmp_path_factory.mktemp("clone")
    for run in ("mine", "other", "quickstart"):
        shutil.copytree(tiny_run / "runs/tiny", here / "runs" / run)
        shutil.copytree(tiny_run / "savedmodels/tiny", here / "savedmodels" / run)
        config = here / "runs" / run / "config.yaml"
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        settings |= {"name": run, "runs_dir": "runs", "savedmodels_dir": "savedmodels"}
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    for person in range(PAIRS):
        photo, sketch = draw_pair(person, 0, seed=12, height=50, width=40)
        split = "train" if person < PAIRS - 2 else "test"
        for place, image in ((f"source/{split}/photos", photo), (f"source/{split}/sketches", sketch)):
            (here / place).mkdir(parents=True, exist_ok=True)
            write_png(here / place / f"{person}.png", image)
    twin = RestTwin(load({name: tiny_run / f"savedmodels/tiny/{name}/2" for name in SERVABLES}, version=2))
    STANDS_FOR["localhost:8501"] = f"127.0.0.1:{twin.port}"
    before = Path.cwd(), sys.path[:]
    os.chdir(here)
    yield here
    os.chdir(before[0])
    sys.path[:] = before[1]
    twin.stop()


def run(line: str) -> tuple[int, str]:
    """Exit code and output of ``python -m MODULE ...``, in this process, whose TensorFlow is loaded."""
    for word, stand_in in STANDS_FOR.items():
        line = line.replace(word, stand_in)
    words, before, output = shlex.split(line), sys.argv, io.StringIO()
    assert words[:2] == ["python", "-m"], (
        f"this test does not know how to run {line!r}; teach it, or name the line in NOT_RUN"
    )
    sys.argv = words[2:]
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            sys.modules.pop(words[2], None)  # runpy warns where a command was imported before
            runpy.run_module(words[2], run_name="__main__", alter_sys=True)
        return 0, output.getvalue()
    except SystemExit as end:
        return end.code or 0, output.getvalue()
    finally:
        sys.argv = before


@pytest.mark.parametrize("line", [line for line in LINES if reason(line) is None])
def test_the_commands_of_the_readme_run(clone, line):
    """In the README's order: later lines use what earlier ones made."""
    code, output = run(line)
    assert code == 0, output


def test_they_left_what_they_promise(clone):
    assert (clone / "sketch.png").is_file() and len(list((clone / "sketches").glob("*.png"))) >= 6
    assert (clone / "index/gallery.sqlite").is_file() and (clone / "candidates.png").is_file()
    assert len(list((clone / "pairs/photos").glob("*.png"))) == PAIRS


def test_the_python_of_the_readme_runs(clone, capsys):
    (block,) = blocks(README, "python")
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.count("\n") == 5


def test_the_picture_can_be_made(clone, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["translated.py", "--out", "picture.png"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "docs/pictures/translated.py"), run_name="__main__")
    assert end.value.code == 0 and read_image(clone / "picture.png").shape == (
        4 * 32 + 3 * 4,
        4 * 32 + 3 * 4,
        3,
    )  # four people


def test_tensorboard_finds_its_folder(clone):
    (line,) = [line for line in LINES if line.startswith("tensorboard ")]
    assert list((clone / line.partition("--logdir ")[2]).rglob("events.out.tfevents.*"))


PARSED = [
    *(line for line in LINES if reason(line)),
    *(line for path in DOCS[1:] for line in commands(path.read_text("utf-8"))),
]


@pytest.mark.parametrize(
    "line", [line.replace("LAYOUT", "pairs") for line in PARSED if line.startswith("python -m iacyclegan_tf.")]
)
def test_the_commands_of_the_docs_are_understood(line):
    """And those of the README that are not run: as far as their parser goes, so that no option is gone or
    misspelled."""
    words = shlex.split(re.split(r" \|| > ", line)[0])
    name = words[2].removeprefix("iacyclegan_tf.")
    module = importlib.import_module(words[2])
    parse = getattr(module, "parse", None) or getattr(module, "parser", getattr(module, "_parser", None))().parse_args
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            parse(words[3:])
        except SystemExit as end:
            assert end.code == 0, f"{name}: {said.getvalue()}"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)|<img src=\"([^\"]+)\"", text):
        target, _, anchor = (link[0] or link[1]).partition("#")
        file = (path.parent / target) if target else path
        assert file.exists(), f"{path.name} links to {target}, which is not there"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles], anchor


@pytest.mark.parametrize("path", [*DOCS, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=lambda path: path.name)
def test_files_that_are_named_are_there(path):
    """By their path from the root or the package, or by a name that is found somewhere."""
    named = set(re.findall(r"[`(]([\w/]+\.(?:py|yaml))[`)]", path.read_text(encoding="utf-8")))
    known = {
        file.relative_to(ROOT).as_posix()
        for folder in ("iacyclegan_tf", "tests", "benchmarks", "configs", "docs")
        for file in (ROOT / folder).rglob("*.[py]*")
    }
    lost = {name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in known)}
    assert not lost - {"config.yaml"}, lost  # a run's own


def test_citation():
    """What citation tools read; the version is that of the package."""
    from iacyclegan_tf import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (
        citation["cff-version"] == "1.2.0"
        and citation["version"] == __version__
        and citation["license"] == "Apache-2.0"
    )
    paper = citation["preferred-citation"]
    assert paper["doi"] in README and all(one["family-names"] in README for one in paper["authors"])
