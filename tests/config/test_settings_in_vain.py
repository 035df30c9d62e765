"""Settings given in vain are named, and a root means pairs."""

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.checks import check_inputs
from iacyclegan_tf.config.reading import CONFIGS, load_config
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.config.settings_in_vain import without_effect


@pytest.mark.parametrize(
    "overrides, named",
    [
        ([], []),
        (["data.root=x", "data.drawn.seed=3"], ["data.drawn.seed (data.source is pairs)"]),
        (["data.split_file=x"], ["data.split_file (data.source is drawn)"]),
        (["data.root=x", "data.fit=native", "data.height=40"], ["data.height (data.fit is native)"]),
        (
            ["recognizer.weights=x", "recognizer.pretrain.epochs=3"],
            ["recognizer.pretrain.epochs (recognizer.weights is given)"],
        ),
        (
            ["rounds.finetune=false", "recognizer.finetune.steps=3"],
            ["recognizer.finetune.steps (rounds.finetune is false)"],
        ),
        (
            ["rounds.perception=false", "loss.perception_share=3"],
            ["loss.perception_share (rounds.perception is false)"],
        ),
        (
            ["loss.perception_weight=3", "loss.perception_share=3"],
            ["loss.perception_share (loss.perception_weight is a number)"],
        ),
        (["loss.paired_form=l1"], ["loss.paired_form (loss.paired_weight is 0)"]),
        (["train.non_finite_tries=9"], ["train.non_finite_tries (train.non_finite is stop)"]),
        (["export.destination=x"], ["export.destination (export.push is false)"]),
        (["export.destination=x", "export.push=true"], []),
    ],
)
def test_named_with_the_reason(overrides, named):
    assert without_effect(load_config(None, overrides)) == named


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_shipped_config_holds_one(path):
    assert (
        without_effect(load_config(path.stem, [] if path.stem in ("quickstart", "cyclegan") else ["data.root=x"])) == []
    )


def test_a_root_means_pairs(tmp_path):
    assert load_config("quickstart", ["data.root=x"]).data.source == "pairs"
    assert load_config(None, ["data.root="]).data.source == "drawn"
    for overrides in (["data.root=x", "data.source=drawn"], ["data.source=drawn", "data.root=x"]):
        with pytest.raises(UserError, match=r"data\.source is drawn, which has no use for data\.root=x"):
            load_config("quickstart", overrides)
    (tmp_path / "own.yaml").write_text("data: {source: drawn, root: x}\n")
    with pytest.raises(UserError, match="leave out one of them"):
        load_config(tmp_path / "own.yaml")
    (tmp_path / "own.yaml").write_text("data: {root: x}\n")
    assert load_config(tmp_path / "own.yaml").data.source == "pairs"


def test_configs_are_found_by_name_and_paths_from_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_config("cyclegan").name == "cyclegan"
    with pytest.raises(UserError, match=r"config file cuf does not exist, and no config has that name; .* cufs, "):
        load_config("cuf")
    (tmp_path / "cyclegan.yaml").write_text("name: mine\n")
    assert load_config("~/cyclegan.yaml").name == "mine"
    config = load_config(None, ["data.root=~/a", "runs_dir=~/b", "recognizer.weights=~/c"])
    assert [config.data.root, config.runs_dir, config.recognizer.weights] == [f"{tmp_path}/{x}" for x in "abc"]


def test_inputs_that_are_not_there_are_named():
    with pytest.raises(UserError, match=r"^data.root is given, but /no/such is not there\.$"):
        check_inputs(load_config(None, ["data.root=/no/such"]))
    check_inputs(Config())
