"""``iacyclegan_tf.load``: what it opens, and that its answers are those of the served signatures."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import iacyclegan_tf
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.portrait import find_portrait
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.drawn.scene import draw_scene
from iacyclegan_tf.data.images.files import encode_png
from iacyclegan_tf.inference import trained
from iacyclegan_tf.inference.trained_on import trained_on
from iacyclegan_tf.metrics.face_space import fit_face_space
from iacyclegan_tf.serving.calling import same_size_batches
from iacyclegan_tf.serving.signatures import CALIBRATION, SERVABLES
from iacyclegan_tf.serving.version_folders import SUMS

ROOT = Path(__file__).parents[2]
SIZES = ((40, 32), (50, 40), (40, 32), (61, 33), (40, 32))
PHOTOS, SKETCHES = zip(*(draw_pair(n, 0, seed=7, height=size[0], width=size[1]) for n, size in enumerate(SIZES)))


@pytest.fixture(scope="module")
def model(tiny_run):
    return iacyclegan_tf.load(tiny_run / "runs" / "tiny", align=False)


def served(model, servable: str, images) -> list[np.ndarray]:
    """By the signature that servers call, with encoded images, one by one."""
    call = tf.saved_model.load(str(model.folders[servable])).signatures["serving_default"]
    answers = [next(iter(call(image_bytes=tf.constant([encode_png(image)])).values()))[0] for image in images]
    return [tf.io.decode_png(one).numpy() if one.dtype == tf.string else one.numpy() for one in answers]


@pytest.mark.parametrize("servable, images", [("photo_to_sketch", PHOTOS), ("sketch_to_photo", SKETCHES)])
def test_images_are_those_of_the_served_signature(model, servable, images):
    translate = model.to_sketch if servable == "photo_to_sketch" else model.to_photo
    truths, answers = served(model, servable, images), translate(list(images))
    assert [one.shape for one in answers] == [image.shape for image in images] and answers[0].dtype == np.uint8
    for image, truth, answer in zip(images, truths, answers):
        alone = np.abs(translate(image).astype(int) - truth)
        assert alone.max() <= 1 and (alone > 0).mean() < 0.01  # another graph may sum in another order
        assert np.abs(answer.astype(int) - truth).max() <= 1
    assert np.ptp(truths[0]) > 5


@pytest.mark.parametrize("of, images", [("photo", PHOTOS), ("sketch", SKETCHES)])
def test_embeddings_are_those_of_the_served_signature(model, of, images):
    answers = model.embed(images, of)
    assert answers.dtype == np.float32 and answers.shape[0] == len(images)
    np.testing.assert_allclose(np.linalg.norm(answers, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(answers, served(model, f"{of}_recognizer", images), atol=1e-5)
    np.testing.assert_allclose(model.embed(images[1], of), answers[1], atol=1e-5)
    assert model.embed([], of).shape == (0, answers.shape[1]) and model.to_sketch([]) == []


class Ones:
    """Stands in for a recognizer."""

    def tensor(self, images):
        return {"embedding": tf.ones([len(images), 4])}


def test_the_two_recognizers_are_two(model, monkeypatch):
    """Each is asked for its own kind of image; in a run where neither was changed they would answer alike."""
    asked = []
    monkeypatch.setattr(model, "_served", lambda servable: asked.append(servable) or Ones())
    model.embed(PHOTOS[0])
    model.embed(PHOTOS[0], of="sketch")
    assert asked == ["photo_recognizer", "sketch_recognizer"]
    with pytest.raises(ValueError, match=r"'photo' or 'sketch'"):
        model.embed(PHOTOS[0], of="drawing")


def test_paths_bytes_and_pixels_say_the_same(model, tmp_path):
    data, gray = encode_png(PHOTOS[0]), SKETCHES[0][..., 0]
    (tmp_path / "a.png").write_bytes(data)
    truth = model.to_sketch(PHOTOS[0])
    for image in (tmp_path / "a.png", str(tmp_path / "a.png"), data):
        assert np.array_equal(model.to_sketch(image), truth)
    assert np.array_equal(model.to_photo(gray), model.to_photo(SKETCHES[0]))


@pytest.mark.parametrize(
    "image, error, words",
    [
        (PHOTOS[0].astype(np.float32), ValueError, "not float32"),
        (PHOTOS[0][None], ValueError, r"not uint8 \(1, 40, 32, 3\)"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, "not uint8"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "not uint8"),
        (None, ValueError, "not NoneType"),
        (b"text", UserError, "'the image' cannot be decoded"),
        ("nowhere.png", UserError, "'nowhere.png'"),
        (np.zeros((4097, 4096, 3), np.uint8), UserError, "4096x4097 pixels; the models take at most 16777216"),
    ],
)
def test_what_is_no_image_is_said(model, image, error, words):
    with pytest.raises(error, match=words):
        model.to_sketch(image)


def test_threads_share_one_loading(tiny_run, monkeypatch):
    loads = []

    class Counted(trained.Served):
        def __init__(self, folder):
            loads.append(folder)
            super().__init__(folder)

    monkeypatch.setattr(trained, "Served", Counted)
    model = iacyclegan_tf.load(tiny_run / "runs" / "tiny")
    assert loads == []
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(model.to_sketch, [PHOTOS[0]] * 4))
    assert len(loads) == 1 and all(np.array_equal(one, answers[0]) for one in answers)


def test_images_of_one_size_go_together_but_never_too_many():
    batches = list(same_size_batches([(8, 8, 3)] * 11 + [(2000, 2000, 3)] * 2 + [(8, 8, 3)]))
    assert sorted(place for batch in batches for place in batch) == list(range(14))
    assert [len(batch) for batch in batches] == [8, 4, 1, 1] and batches[1] == [8, 9, 10, 13]


# ---------------------------------------------------------------- which model


def test_a_run_by_name_by_folder_and_by_default(tiny_run, monkeypatch):
    monkeypatch.chdir(tiny_run)
    for model in (
        iacyclegan_tf.load(),
        iacyclegan_tf.load("tiny"),
        iacyclegan_tf.load("runs/tiny"),
        iacyclegan_tf.load("savedmodels/tiny"),
    ):
        assert (model.name, model.number) == ("tiny", 2)
        assert {name: path.resolve() for name, path in model.folders.items()} == {
            name: (tiny_run / "savedmodels" / "tiny" / name / "2").resolve() for name in SERVABLES
        }
    first = iacyclegan_tf.load("tiny", round=1)
    assert (
        first.number == 1
        and first.card()["round"] == 1
        and first.card("sketch_recognizer")["servable"] == "sketch_recognizer"
    )
    with pytest.raises(UserError, match="no round 3"):
        iacyclegan_tf.load("tiny", round=3)


def test_by_default_the_run_that_finished_a_round_last(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no finished run in runs/"):
        iacyclegan_tf.load()
    for place, (name, rounds) in enumerate([("older", 2), ("newer", 1), ("begun", 0)]):
        run = tmp_path / "runs" / name
        for number in range(1, rounds + 1):
            (run / f"round_{number}").mkdir(parents=True)
            shutil.copy(tiny_run / "runs" / "tiny" / f"round_{number}" / "metrics.json", run / f"round_{number}")
            os.utime(run / f"round_{number}" / "metrics.json", (place, place))
        run.mkdir(exist_ok=True, parents=True)
        shutil.copy(tiny_run / "runs" / "tiny" / "config.yaml", run)
    model = iacyclegan_tf.load()
    assert (model.name, model.number) == ("newer", 1)


def base_of(tiny_run, folder: Path, versions: dict[str, list[int]], pushed: tuple[int, ...]) -> Path:
    for servable, numbers in versions.items():
        for number in numbers:
            shutil.copytree(tiny_run / "savedmodels" / "tiny" / servable / "1", folder / servable / str(number))
            if number in pushed:
                (folder / servable / str(number) / "assets.extra" / "pushed.json").write_text("{}")
    return folder


def test_a_serving_base_gives_its_newest_blessed_version_that_is_whole(tiny_run, tmp_path):
    two, rest = "photo_to_sketch", [name for name in SERVABLES if name != "photo_to_sketch"]
    base = base_of(tiny_run, tmp_path / "serving", {two: [1, 2, 3, 9], **{name: [1, 2, 9] for name in rest}}, (1, 2, 3))
    model = iacyclegan_tf.load(base)  # 3 is not whole, 9 was put there by hand
    assert (model.name, model.number) == ("serving", 2) and set(model.folders) == set(SERVABLES)
    assert iacyclegan_tf.load(base, round=9).number == 9
    alone = iacyclegan_tf.load(base, round=3)
    assert list(alone.folders) == [two] and alone.to_sketch(PHOTOS[0]).shape == PHOTOS[0].shape
    with pytest.raises(UserError, match="serving 3 has no photo_recognizer; it has photo_to_sketch"):
        alone.embed(PHOTOS[0])
    with pytest.raises(UserError, match=r"no version 4 .* it holds: 1, 2, 3, 9"):
        iacyclegan_tf.load(base, round=4)


def test_a_base_without_a_whole_version_gives_the_newest(tiny_run, tmp_path):
    base = base_of(tiny_run, tmp_path / "serving", {"photo_to_sketch": [1], "sketch_to_photo": [2]}, (1, 2))
    model = iacyclegan_tf.load(base)
    assert model.number == 2 and list(model.folders) == ["sketch_to_photo"]


@pytest.mark.parametrize("name", ["nobody", "runs", "."])
def test_no_model_of_that_name(tiny_run, monkeypatch, name):
    monkeypatch.chdir(tiny_run)
    with pytest.raises(UserError, match="There is no model"):
        iacyclegan_tf.load(name)


def test_a_damaged_export_is_named(tiny_run, tmp_path):
    base = base_of(tiny_run, tmp_path / "exports", {"photo_to_sketch": [1]}, ())
    (base / "photo_to_sketch" / "1" / SUMS).unlink(missing_ok=True)  # an export of an earlier build
    (base / "photo_to_sketch" / "1" / "saved_model.pb").write_bytes(b"damaged")
    model = iacyclegan_tf.load(base)
    with pytest.raises(UserError, match="photo_to_sketch/1 cannot be loaded"):
        model.to_sketch(PHOTOS[0])
    (base / "photo_to_sketch" / "1" / "saved_model.pb").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        model.fingerprint("photo_to_sketch")
    (base / "photo_to_sketch" / "1" / "assets.extra" / "model_card.json").write_text("{")
    with pytest.raises(UserError, match=r"model_card.json cannot be read"):
        model.card()


def test_the_fingerprint_is_of_weights_and_graph(tiny_run, tmp_path, model):
    first = iacyclegan_tf.load(tiny_run / "runs" / "tiny", round=1)
    copy = iacyclegan_tf.load(base_of(tiny_run, tmp_path / "serving", {"photo_to_sketch": [5]}, (5,)))
    assert (
        copy.fingerprint("photo_to_sketch")
        == first.fingerprint("photo_to_sketch")
        != model.fingerprint("photo_to_sketch")
    )
    assert first.fingerprint("photo_to_sketch") != first.fingerprint("sketch_to_photo")


def test_opening_and_reading_cards_needs_no_tensorflow(tiny_run):
    """So that a page's About, or a list of what is there, comes at once."""
    code = (
        "import sys, iacyclegan_tf; assert 'load' in dir(iacyclegan_tf); "
        f"print(iacyclegan_tf.load({str(tiny_run / 'runs' / 'tiny')!r}).card()['run'], 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "tiny False\n"


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match=r"'nothing'"):
        _ = iacyclegan_tf.nothing


# ---------------------------------------------------------------- what the models are for


def test_faces_are_aligned_unless_told_otherwise(tiny_run):
    """Of a scene the face alone goes in, and what comes out is its crop."""
    model = iacyclegan_tf.load(tiny_run / "runs/tiny")
    scene, _ = draw_scene(3, seed=19, share=0.5, degrees=-9, ground="noise", height=300, width=360)
    crop = find_portrait(scene).cut()
    assert np.array_equal(model.to_sketch(scene), model.as_is().to_sketch(crop))
    np.testing.assert_allclose(model.embed([scene])[0], model.as_is().embed(crop), atol=1e-5)
    wall = np.full((50, 60, 3), 99, np.uint8)
    with pytest.raises(UserError, match="No face was found in the image"):
        model.to_sketch(wall)
    assert model.as_is().to_sketch(wall).shape == wall.shape


def test_exports_say_what_they_were_trained_on(tiny_run, tmp_path):
    model = iacyclegan_tf.load(tiny_run / "runs/tiny")
    assert model.trained_on.drawn and model.trained_on.aligned and "only seen drawn faces" in model.caution
    folder = tmp_path / "photo_to_sketch"
    (folder / "assets.extra").mkdir(parents=True)
    for sizes, aligned in ((["256x256"], False), (["200x250"], True)):
        card = {"data": {"source": "pairs"}, "protocol": {"measured_at": sizes}}
        (folder / "assets.extra/model_card.json").write_text(json.dumps(card))
        known = trained_on({"photo_to_sketch": folder})
        assert (known.drawn, known.aligned, known.sizes) == (False, aligned, tuple(sizes))
    assert trained_on({"photo_to_sketch": tmp_path}) is None


def test_what_is_unlike_the_training_images_is_warned_of(tiny_run, tmp_path):
    model = iacyclegan_tf.load(tiny_run / "runs/tiny")
    assert (
        model.strangeness(PHOTOS[0]) is None and model.warning(PHOTOS[0]) is None
    )  # of six training images none is made
    faces = [draw_pair(n, 0, seed=7, height=80, width=64)[0] for n in range(50)]
    folder = tmp_path / "photo_recognizer"
    (folder / "assets.extra").mkdir(parents=True)
    spaces = {"face_spaces": {"photo": fit_face_space(faces[:40], faces[40:49]).as_json()}}
    (folder / "assets.extra" / CALIBRATION).write_text(json.dumps(spaces))
    warned = iacyclegan_tf.Trained("x", 1, {"photo_recognizer": folder})
    noise = np.random.default_rng(0).integers(0, 256, (250, 200, 3), np.uint8)
    assert warned.warning(faces[0]) is None and "this photo is unlike" in warned.warning(noise)
    assert warned.strangeness(noise, of="sketch") is None
