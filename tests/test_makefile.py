"""Which interpreter and which set of packages make takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SET = "requirements.txt" if sys.version_info < (3, 12) else "requirements-current.txt"

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def pythons(tmp_path) -> Path:
    """A PATH with a shell and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "make", "env"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


def make(pythons: Path, *options: str) -> subprocess.CompletedProcess:
    venv = pythons.parent / "venv"
    return subprocess.run(
        ["make", *options, f"VENV={venv}", f"{venv}/.installed"],
        cwd=ROOT,
        env={"PATH": str(pythons)},
        capture_output=True,
        text=True,
    )


def test_without_a_python_one_sentence_says_how_to_get_one(pythons):
    done = make(pythons)
    assert done.returncode == 2 and done.stdout == ""
    sentence = done.stderr.splitlines()[0]  # the second is of make itself
    assert sentence.startswith("error: Python 3.11, 3.12 or 3.13 is needed and none was found")
    assert "uv venv --python 3.11" in sentence


def test_another_python_is_refused_by_name(pythons):
    (pythons / "python3.9").write_text("#!/bin/sh\nexit 1\n")
    (pythons / "python3.9").chmod(0o755)
    done = make(pythons, "PYTHON=python3.9")
    assert done.returncode == 2 and "and python3.9 is none of them" in done.stderr.splitlines()[0]


@pytest.mark.parametrize("named", [True, False])
def test_the_python_that_is_there_chooses_its_set(pythons, named):
    name = "python{}.{}".format(*sys.version_info)
    (pythons / name).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (pythons / name).chmod(0o755)
    done = make(pythons, "-n", *[f"PYTHON={name}"] * named)
    assert done.returncode == 0, done.stderr
    assert f"{name} -m venv --clear {pythons.parent / 'venv'}" in done.stdout
    assert (
        f"installing {SET} into" in done.stdout
        and f"pip install --quiet --disable-pip-version-check -r {SET}\n" in (done.stdout)
    )


def test_3_11_comes_first_then_3_13(pythons):
    for name in ("python3.12", "python3.13", "python3.11"):
        (pythons / name).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (pythons / name).chmod(0o755)
    assert "python3.11 -m venv" in make(pythons, "-n").stdout
    (pythons / "python3.11").unlink()
    assert "python3.13 -m venv" in make(pythons, "-n").stdout


def test_a_virtual_environment_that_is_there_is_kept(pythons):
    folder = pythons.parent / "venv/bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    assert f"{folder}/python -m venv  {folder.parent}\n" in make(pythons, "-n").stdout
