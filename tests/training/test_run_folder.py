"""The folder of a run: settings written first, resumption with the same settings only."""

import json
import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.training.run_folder import RunFolder


@pytest.fixture
def config(tmp_path) -> Config:
    return load_config(None, ["name=first", f"runs_dir={tmp_path / 'runs'}", f"savedmodels_dir={tmp_path / 'served'}"])


def changed(config: Config, *overrides: str) -> Config:
    return load_config(
        None,
        [f"name={config.name}", f"runs_dir={config.runs_dir}", f"savedmodels_dir={config.savedmodels_dir}", *overrides],
    )


def test_a_new_run_writes_its_settings_and_nothing_else(config, tmp_path):
    folder = RunFolder(config)
    assert not folder.resumed and folder.path == tmp_path / "runs" / "first"
    assert sorted(path.name for path in folder.path.iterdir()) == [".lock", "config.yaml"]
    assert load_config(folder.path / "config.yaml") == config


def test_the_same_settings_go_on(config):
    RunFolder(config)
    assert RunFolder(config).resumed


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("train.epochs", "99", 99),
        ("seed", "3", 3),
        ("data.drawn.seed", "8", 8),
        ("loss.perception_layer", "[fc7]", ["fc7"]),
    ],
)
def test_other_settings_are_refused_with_both_values(config, name, text, value):
    RunFolder(config)
    before = attrgetter(name)(config)
    before = list(before) if isinstance(before, tuple) else before
    words = re.escape(f"{name}: {before!r} -> {value!r}")
    with pytest.raises(UserError, match=f"first holds a run with other settings.*{words}.*another name"):
        RunFolder(changed(config, f"{name}={text}"))
    assert RunFolder(config).resumed  # the refusal left the run as it was


def test_rounds_may_be_added_and_not_taken_away(config):
    few, more = changed(config, "rounds.count=2"), changed(config, "rounds.count=3", "export.keep=5")
    folder = RunFolder(few)
    assert RunFolder(more).resumed
    assert load_config(folder.path / "config.yaml") == changed(
        config, "rounds.count=3"
    )  # what readers go by; nothing else changes
    with pytest.raises(UserError, match=r"rounds.count: 3 -> 2"):
        RunFolder(few)
    with pytest.raises(UserError, match="seed: 0 -> 5"):
        RunFolder(changed(config, "rounds.count=4", "seed=5"))
    assert load_config(folder.path / "config.yaml").rounds.count == 3


def test_many_changes_are_cut_after_four(config):
    RunFolder(config)
    with pytest.raises(UserError) as error:
        RunFolder(
            changed(config, "seed=1", "train.epochs=99", "train.batch=77", "generator.blocks=17", "generator.filters=7")
        )
    assert str(error.value).count("->") == 4 and "..." in str(error.value)


def test_settings_of_exports_may_change(config):
    """No result depends on them."""
    RunFolder(config)
    assert RunFolder(
        changed(config, "export.keep=5", "export.thresholds.photo_recognizer=[]", "export.push=false")
    ).resumed


def test_folders_of_results_may_move(config, tmp_path):
    folder = RunFolder(config)
    folder.path.rename(tmp_path / "first")
    moved = changed(config, f"runs_dir={tmp_path}", f"savedmodels_dir={tmp_path / 'elsewhere'}")
    assert RunFolder(moved).resumed


def test_settings_of_an_older_version_without_a_new_key_go_on_with_its_default(config):
    folder = RunFolder(config)
    saved = folder.path / "config.yaml"
    saved.write_text("".join(line for line in saved.read_text().splitlines(True) if "snapshot_epochs" not in line))
    assert RunFolder(config).resumed


def test_broken_settings_of_a_begun_run_are_a_user_error(config):
    saved = RunFolder(config).path / "config.yaml"
    saved.write_text("name: {")
    with pytest.raises(UserError, match=r"config.yaml is not valid YAML"):
        RunFolder(config)


@pytest.mark.parametrize("name, place", [("first", "file"), ("n" * 300, "runs")])
def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path, name, place):
    """A file in its place; a name longer than file systems allow."""
    (tmp_path / "file").write_text("")
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match=r"cannot be written.*runs_dir=FOLDER"):
        RunFolder(load_config(None, [f"name={name}", f"runs_dir={tmp_path / place}"]))


def test_a_folder_of_other_files_is_not_taken_for_a_run(config, tmp_path):
    place = tmp_path / "runs/first"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="first holds other files and no run"):
        RunFolder(config)
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


def test_places(config, tmp_path):
    folder = RunFolder(config)
    assert folder.history == folder.path / "history.jsonl"
    assert folder.round(2) == folder.path / "round_2"
    assert folder.checkpoints("round_1/synthesis") == folder.path / "checkpoints" / "round_1" / "synthesis"
    assert folder.tensorboard("a") == folder.path / "tensorboard" / "a"
    assert folder.savedmodels == tmp_path / "served" / "first"


def test_json_is_written_readably(config):
    folder = RunFolder(config)
    folder.write_json(folder.round(1) / "metrics.json", {"a": {"b": 0.1}, "name": "Müller"})
    text = (folder.round(1) / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": {"b": 0.1}, "name": "Müller"} and "Müller" in text and text.endswith("}\n")


def test_other_data_are_refused_with_both(config):
    """Pairs that come or go between a kill and a resumption would make one run of two."""
    folder, data = (
        RunFolder(config),
        {"counts": ["train 86 = 76 fit + 10 validation", "dev 48"], "split_sha256": 64 * "a"},
    )
    folder.keep_data(data)
    folder.keep_data(data)
    for other in ({**data, "split_sha256": 64 * "b"}, {**data, "counts": [data["counts"][0], "dev 47"]}):
        with pytest.raises(
            UserError, match=r"begun on other data \(train 86 .*, dev 48, split aaaaaaaaaaaa; now .*another name"
        ):
            folder.keep_data(other)
    assert json.loads((folder.path / "data.json").read_text()) == data


WRITER = """
import sys
from pathlib import Path
from iacyclegan_tf.common.atomic_files import new_path
with new_path(Path(sys.argv[1])) as aside:
    aside.write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_stays(config, tmp_path):
    """Found by ``make soak``: a kill between the writing of a small file and its renaming left it for ever."""
    RunFolder(config)
    places = [
        tmp_path / "runs/first/round_1/metrics.json",
        tmp_path / "served/first/blessing/photo_to_sketch/1/BLESSED",
    ]

    def writer(path: Path) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "writing\n"
        return process

    for path in places:
        killed = writer(path)
        killed.kill()
        killed.communicate()
    living = writer(places[0])
    assert [len(list(path.parent.glob(".*.partial"))) for path in places] == [2, 1]
    RunFolder(config)
    assert [len(list(path.parent.glob(".*.partial"))) for path in places] == [1, 0]
    living.communicate("")
    assert living.returncode == 0 and places[0].read_text() == "half" and not list(tmp_path.rglob(".*.partial"))
