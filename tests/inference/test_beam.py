"""The Beam pipeline, in this process and in workers: results, failures by name, what is skipped and refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from in_process import refused, run

pytest.importorskip("apache_beam", reason="needs the extra 'beam'")

import tensorflow as tf

from iacyclegan_tf.data.images.files import read_image, write_png
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.serving.served_modules import Embedder, Translator, save
from iacyclegan_tf.serving.version_folders import SUMS

ROOT, SIZE = Path(__file__).parents[2], (32, 24)


def beam(*arguments) -> subprocess.CompletedProcess:
    """In this process, with one worker."""
    return run("beam", *arguments)


def beam_process(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "iacyclegan_tf.beam", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def exported(module, folder: Path):
    save(module, folder)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """24 images in two folders and of two sizes, one of them without an image's name, 6 that are none, and two
    models."""
    folder = tmp_path_factory.mktemp("beam")
    random = np.random.default_rng(0)
    (folder / "images/deep").mkdir(parents=True)
    for number in range(24):
        size = SIZE if number % 3 else (40, 40)
        write_png(
            folder / "images" / ("deep" if number % 2 else "") / f"{number:02d}.png",
            random.integers(0, 256, [*size, 3], np.uint8),
        )
    whole = (folder / "images/00.png").read_bytes()
    (folder / "images/empty.png").write_bytes(b"")
    (folder / "images/cut.jpg").write_bytes(whole[:90])
    (folder / "images/text.png").write_text("no image")
    (folder / "images/deep/huge.png").write_bytes(whole[:16] + (50_000).to_bytes(4, "big") * 2 + whole[24:])
    (folder / "images/deep/junk.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 99)
    (folder / "images/notes.txt").write_text("no image, neither by name nor by content")
    (folder / "images/deep/@eaDir").mkdir()
    (folder / "images/deep/@eaDir/thumb.png").write_bytes(whole)
    return folder


BROKEN = ["cut.jpg", "deep/huge.png", "deep/junk.jpg", "empty.png", "notes.txt", "text.png"]


@pytest.fixture(scope="module")
def translator(made) -> Translator:
    generator = Generator(4, 1, "resize", seed=3)
    generator(tf.zeros([1, *SIZE, 3]))
    return exported(Translator(generator, Fit("squeeze", *SIZE)), made / "translator")


@pytest.fixture(scope="module")
def translated(made, translator) -> subprocess.CompletedProcess:
    return beam(
        "translate",
        "--to",
        "sketch",
        "--model",
        made / "translator",
        "--images",
        made / "images",
        "--out",
        made / "out",
        "--batch",
        4,
    )


def good(made: Path) -> list[Path]:
    return [path for path in sorted((made / "images").rglob("*.png")) if path.stem.isdigit()]


def test_every_image_is_translated_and_every_broken_one_named(made, translator, translated):
    assert (
        translated.returncode == 2
        and "24 results" in translated.stdout
        and "6 failures, 1 left out" in translated.stdout
    ), translated.stderr
    assert "Traceback" not in translated.stderr
    written = sorted(path.relative_to(made / "out") for path in (made / "out").rglob("*.png"))
    assert written == [Path(f"{path.relative_to(made / 'images')}.sketch.png") for path in good(made)]
    for path in good(made):
        image = read_image(path)
        expected = translator.tensor(tf.constant(image[None], tf.float32))["images"][0]
        result = read_image(made / "out" / f"{path.relative_to(made / 'images')}.sketch.png")
        # other processes may choose other convolution algorithms
        assert result.shape == image.shape and np.abs(result - np.asarray(expected)).max() <= 1
    failures = [json.loads(line) for line in (made / "out/failures.jsonl").read_text().splitlines()]
    assert sorted(one["name"] for one in failures) == BROKEN
    assert all(one["name"] in one["reason"] and len(one["reason"]) > 20 for one in failures)
    assert all(name in translated.stderr for name in BROKEN)
    assert not list((made / "out").rglob("*.partial"))


def test_a_second_run_does_what_is_missing(made, translated):
    missing = made / "out/02.png.sketch.png"
    before = {path: path.stat().st_mtime_ns for path in (made / "out").rglob("*.sketch.png") if path != missing}
    missing.unlink()
    again = beam(
        "translate",
        "--to",
        "sketch",
        "--model",
        made / "translator",
        "--images",
        made / "images",
        "--out",
        made / "out",
    )
    assert "1 results" in again.stdout and "23 were there, 6 failures" in again.stdout, again.stdout + again.stderr
    assert missing.exists() and all(path.stat().st_mtime_ns == time for path, time in before.items())
    exported(Translator(Generator(4, 1, "resize", seed=4), Fit("pad", *SIZE)), made / "other")
    other = beam(
        "translate", "--to", "sketch", "--model", made / "other", "--images", made / "images", "--out", made / "out"
    )
    refused(other, "holds results of another model")


@pytest.mark.slow
def test_embeddings_by_two_processes(made):
    check_embeddings(made, made / "embedded", beam_process, "--workers", 2)


def test_embeddings(made):
    check_embeddings(made, made / "embedded here", beam)


def check_embeddings(made: Path, out: Path, call, *more) -> None:
    shutil.rmtree(made / "embedder", ignore_errors=True)
    embedder = exported(Embedder(Recognizer(0.0625, 32, "pool4", seed=2), Fit("squeeze", *SIZE)), made / "embedder")
    done = call(
        *("embed", "--of", "photo", "--model", made / "embedder", "--images", made / "images", "--out", out, *more)
    )
    assert done.returncode == 2 and "24 results" in done.stdout and "6 failures" in done.stdout, (
        done.stdout + done.stderr
    )
    found = {}
    for record in tf.data.TFRecordDataset(sorted(map(str, out.glob("*.tfrecord")))).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        found[features["name"].bytes_list.value[0].decode()] = np.array(features["embedding"].float_list.value)
    assert found.keys() == {path.relative_to(made / "images").as_posix() for path in good(made)}
    for name, vector in found.items():
        pixels = tf.constant(read_image(made / "images" / name)[None], tf.float32)
        np.testing.assert_allclose(vector, embedder.tensor(pixels)["embedding"][0], atol=1e-5)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--images", "/no/such/folder"], ["--images", "/no/such/folder"]),
        (["--images", ".", "--batch", "0"], ["--batch is 0"]),
        (["--images", ".", "--model", "nobody"], ["no run 'nobody'"]),
        (["--images", ".", "--workers", "2", "--runner=PrismRunner"], ["--workers", "--runner"]),
        (["--images", ".", "stray"], ["'stray'"]),
        (["--images", ".", "--out", "a[1]"], ["--out is 'a[1]'"]),
    ],
)
def test_mistakes_are_one_sentence(made, translator, arguments, words, tmp_path):
    model = [] if "--model" in arguments else ["--model", made / "translator"]
    done = beam("translate", "--to", "sketch", "--out", tmp_path / "out", *model, *arguments)
    refused(done, *words)


def test_a_name_that_is_too_long_for_a_file_is_a_failure(made, translator, tmp_path):
    """The result's name is longer than the image's."""
    name = "न" * 83 + ".png"  # 253 bytes
    (tmp_path / "in").mkdir()
    for one in (name, "नेहा.png"):
        shutil.copy(good(made)[0], tmp_path / "in" / one)
    out = tmp_path / "out"
    done = beam(
        "translate", "--to", "sketch", "--model", made / "translator", "--images", tmp_path / "in", "--out", out
    )
    refused(done, "could not be used", "cannot be written")
    assert [path.name for path in out.glob("*.png")] == ["नेहा.png.sketch.png"]


def test_a_changed_model_is_refused(made, translator, tmp_path):
    shutil.copytree(made / "translator", tmp_path / "model")
    (tmp_path / "model/assets.extra").mkdir()
    (tmp_path / "model" / SUMS).write_text("0" * 64 + "  saved_model.pb\n")
    done = beam(
        *("translate", "--to", "sketch", "--model", tmp_path / "model", "--images", made / "images", "--out", tmp_path)
    )
    refused(done, "saved_model.pb is not as it was exported")
