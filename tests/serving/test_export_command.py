"""The export command on a tiny run, and what publishing leaves in the run's folders."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from in_process import refused, run
from serving_protos import BatchingParameters

import iacyclegan_tf
import iacyclegan_tf.serving.publishing.export as publish_module
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.export import export, parse
from iacyclegan_tf.serving.publishing import pusher
from iacyclegan_tf.serving.publishing.export import Source, Version, publish
from iacyclegan_tf.serving.served_modules import Translator
from iacyclegan_tf.serving.signatures import SERVABLES

LENIENT = [
    f"export.thresholds.{servable}={measure} >= -1"
    for servable, measure in {
        "photo_to_sketch": "photo_to_sketch.ssim",
        "sketch_to_photo": "sketch_to_photo.ssim",
        "photo_recognizer": "retrieval.photo.rank1",
        "sketch_recognizer": "retrieval.sketch.rank1",
    }.items()
]


@pytest.fixture(scope="module")
def work(tiny_run, tmp_path_factory) -> Path:
    """A copy of the tiny run whose second round was exported again, with thresholds that it meets.

    The verdicts of training hang on four people and on the processor's rounding: in the copy both rounds are refused.
    """
    folder = tmp_path_factory.mktemp("work")
    shutil.copytree(tiny_run / "runs", folder / "runs")
    shutil.copytree(tiny_run / "savedmodels", folder / "savedmodels", ignore=shutil.ignore_patterns("serving"))
    for servable, number in itertools.product(SERVABLES, (1, 2)):
        blessing = folder / f"savedmodels/tiny/blessing/{servable}/{number}"
        for name in ("BLESSED", "push.json"):
            (blessing / name).unlink(missing_ok=True)
        (blessing / "NOT_BLESSED").touch()
    command(folder, f"export.destination={folder / 'savedmodels/serving'}", *LENIENT)
    return folder


def command(folder: Path, *arguments: str) -> None:
    export(parse([str(folder / "runs/tiny"), "--savedmodels", str(folder / "savedmodels"), *arguments]))


def source(folder: Path, *settings: str) -> Source:
    """What version 3 is made from, with thresholds that it meets."""
    run = folder / "runs/tiny"
    config = load_config(run / "config.yaml", [*LENIENT, f"savedmodels_dir={folder / 'savedmodels'}", *settings])
    return Source(config, {}, json.loads((run / "round_2/metrics.json").read_text()), run / "round_2/calibration.json")


def marks(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".json"}


# ---------------------------------------------------------------- what a training run leaves


@pytest.mark.parametrize("number", [1, 2])
def test_every_round_exports_all_four_and_judges_them(tiny_run, number):
    said = (tiny_run / "output.txt").read_text()
    for servable in SERVABLES:
        assert (tiny_run / f"savedmodels/tiny/{servable}/{number}/saved_model.pb").is_file()
        blessing = tiny_run / f"savedmodels/tiny/blessing/{servable}/{number}"
        reasons = json.loads((blessing / "evaluation.json").read_text())["reasons"]
        assert marks(blessing) == {"NOT_BLESSED" if reasons else "BLESSED", "INFRA_BLESSED"}
        (line,) = [line for line in said.splitlines() if line.startswith(f"{servable} version {number}: ")]
        assert ("not blessed, not pushed" in line and reasons[0] in line) if reasons else line.endswith("blessed")
        assert (blessing / "push.json").exists() == (not reasons)
    assert not list((tiny_run / "savedmodels").rglob("*.partial"))


def test_networks_after_a_dozen_steps_are_not_blessed(tiny_run):
    """12 steps of synthesis: pictures worse than a copy of the input."""
    for servable in SERVABLES[:2]:
        assert "NOT_BLESSED" in marks(tiny_run / f"savedmodels/tiny/blessing/{servable}/2")


# ---------------------------------------------------------------- the command


def test_a_round_is_exported_again_as_a_new_version_and_pushed(work):
    for servable in SERVABLES:
        again, first = (work / f"savedmodels/tiny/{servable}/{n}" for n in (3, 2))
        card = json.loads((again / "assets.extra/model_card.json").read_text())
        assert (card["round"], card["version"]) == (2, 3)
        blessing = work / f"savedmodels/tiny/blessing/{servable}/3"
        assert marks(blessing) == {"BLESSED", "INFRA_BLESSED"}
        assert json.loads((blessing / "push.json").read_text()) == {
            "pushed": True,
            "base": str(work / "savedmodels/serving"),
            "version": 1,
        }
        pushed = work / f"savedmodels/serving/{servable}/1"
        assert json.loads((pushed / "assets.extra/pushed.json").read_text())["sha256"] == pusher.fingerprint(again)
        variables = [tf.train.load_checkpoint(str(folder / "variables/variables")) for folder in (first, pushed)]
        names = [
            sorted(name for name in one.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name) for one in variables
        ]
        assert names[0] == names[1] and names[0]
        for name in names[0]:
            np.testing.assert_array_equal(variables[0].get_tensor(name), variables[1].get_tensor(name))


def test_translators_alone_may_be_batched(work):
    """Server batching would join the galleries of several match requests, so recognizers do not take part."""
    for servable in SERVABLES:
        file = work / f"savedmodels/serving/{servable}/1/batching_params.pbtxt"
        assert file.exists() == (not servable.endswith("recognizer"))
        if file.exists():
            assert text_format.Parse(file.read_text(), BatchingParameters()).max_batch_size.value == 16


def test_a_blessed_round_is_pushed_to_another_base(work, tmp_path, capsys):
    command(work, "--push", str(tmp_path / "base"))
    command(work, "--push", str(tmp_path / "base"), "--round", "2")
    assert "is version 1 of" in capsys.readouterr().out
    for servable in SERVABLES:
        assert [path.name for path in (tmp_path / "base" / servable).iterdir()] == ["1"]
        assert (
            pusher.fingerprint(work / f"savedmodels/tiny/{servable}/3")
            == json.loads((tmp_path / "base" / servable / "1/assets.extra/pushed.json").read_text())["sha256"]
        )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--round", "1", "--push", "base"], "Round 1 of .* has no blessed export.*versions 1.*blessing"),
        (["--round", "3"], "no evaluated round 3; evaluated are: 1, 2"),
        (["train.epochs=3"], "train.epochs=3.*only export"),
    ],
)
def test_mistakes_are_named(work, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        command(work, *arguments)
    assert not (tmp_path / "base").exists()


# ---------------------------------------------------------------- going on, and going on without


def never() -> dict:
    raise AssertionError("nothing has to be exported")


def test_a_killed_publication_is_completed_without_exporting_again(work, tmp_path):
    """The marks and the push record of version 3 are taken away, as if the run had been killed before them."""
    folder = Path(shutil.copytree(work, tmp_path / "work"))
    one = Version(folder / "savedmodels/tiny", 3)
    for servable, name in zip(SERVABLES, ("BLESSED", "INFRA_BLESSED", "push.json", "push.json")):
        (one.blessing(servable) / name).unlink()
    assert not one.published(push=True)
    said = []
    publish(one, source(folder), never, said.append)
    assert one.published(push=True) and said[-1].startswith("pushed to") and "as version 1" in said[-1]
    for servable in SERVABLES:
        assert [path.name for path in (folder / "savedmodels/serving" / servable).iterdir()] == ["1"], "pushed twice"
    said.clear()
    publish(one, source(folder), never, said.append)
    assert said == []


def test_a_base_that_cannot_be_written_is_said_and_stops_nothing(work, tmp_path):
    folder = Path(shutil.copytree(work, tmp_path / "work"))
    (tmp_path / "file").write_text("no folder")
    one = Version(folder / "savedmodels/tiny", 3)
    for servable in SERVABLES:
        (one.blessing(servable) / "push.json").unlink()
    said = []
    publish(one, source(folder, f"export.destination={tmp_path / 'file'}"), never, said.append)
    assert (
        one.published(push=True)
        and "could not be pushed" in said[-1]
        and "iacyclegan_tf.export tiny --push" in said[-1]
    )
    assert json.loads((one.blessing(SERVABLES[0]) / "push.json").read_text())["pushed"] is False


def test_an_export_that_no_server_could_run_is_kept_and_not_pushed(work, tmp_path):
    folder = Path(shutil.copytree(work, tmp_path / "work"))
    shutil.rmtree(folder / "savedmodels/serving")
    one = Version(folder / "savedmodels/tiny", 3)
    shutil.rmtree(folder / "savedmodels/tiny/blessing")
    (one.export("photo_to_sketch") / "variables/variables.index").unlink()
    said = []
    publish(one, source(folder), never, said.append)
    assert one.published(push=True) and one.blessed() == list(SERVABLES[1:])
    assert "photo_to_sketch version 3: not blessed, not pushed (" in said[0] and "variables.index is missing" in said[0]
    assert marks(one.blessing("photo_to_sketch")) == {"BLESSED", "INFRA_NOT_BLESSED"}
    assert one.export("photo_to_sketch").exists()
    assert sorted(path.name for path in (folder / "savedmodels/serving").iterdir() if path.is_dir()) == sorted(
        SERVABLES[1:]
    )


def test_operations_outside_stock_tensorflow_are_refused_at_save_time(work, tmp_path):
    """``tf.saved_model.save`` itself refuses, before anything lies in the run's folder."""
    tfa = pytest.importorskip("tensorflow_addons", reason="no other package here has operations of its own to refuse")
    module = Translator(lambda x: tfa.image.adjust_hsv_in_yiq(x, 0.1), Fit("squeeze", 16, 16))
    with pytest.raises(ValueError, match="Addons"):
        publish_module.export(module, "photo_to_sketch", Version(tmp_path / "savedmodels", 9), source(work))
    assert not list((tmp_path / "savedmodels").rglob("*.pb"))


def test_a_run_that_is_not_there_is_named(tmp_path):
    refused(run("export", "nobody", cwd=tmp_path), "There is no run 'nobody'")


# ---------------------------------------------------------------- damage, and names that are patterns elsewhere


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_an_export_with_one_flipped_bit_is_neither_pushed_nor_opened(work, tmp_path, name):
    shutil.copytree(work / "runs/tiny", tmp_path / "runs/tiny")
    shutil.copytree(work / "savedmodels/tiny", tmp_path / "savedmodels/tiny")
    path = tmp_path / "savedmodels/tiny/photo_to_sketch/3" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    more = ("--savedmodels", tmp_path / "savedmodels")
    done = run("export", tmp_path / "runs/tiny", *more, "--push", tmp_path / "base")
    refused(done, str(path), "not as it was exported")
    assert not [one for one in (tmp_path / "base").rglob("*") if one.is_dir()]
    model = iacyclegan_tf.load(tmp_path / "savedmodels/tiny", 3, align=False)
    with pytest.raises(UserError, match="not as it was exported"):
        model.to_sketch(np.zeros([8, 8, 3], np.uint8))


@pytest.fixture
def patterns(work, tmp_path) -> Path:
    """The same in a folder whose name is a pattern to TensorFlow."""
    place = tmp_path / "lr[1e-4] *?"
    shutil.copytree(work / "runs/tiny", place / "runs/tiny")
    shutil.copytree(work / "savedmodels/tiny", place / "savedmodels/tiny")
    return place


def test_brackets_stars_and_question_marks_in_paths(patterns):
    command(patterns, "--push", str(patterns / "base[2]"))
    photo = np.full([20, 16, 3], 128, np.uint8)
    for model in (patterns / "base[2]", patterns / "savedmodels/tiny"):
        assert iacyclegan_tf.load(model, align=False).to_sketch(photo).shape == photo.shape


@pytest.mark.slow
def test_exported_again_under_such_a_path(patterns):
    command(patterns, f"export.destination={patterns / 'base[2]'}", *LENIENT)
    assert sorted(path.name for path in (patterns / "base[2]").iterdir() if path.is_dir()) == sorted(SERVABLES)
