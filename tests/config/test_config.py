"""Settings: strict reading, whole-sentence refusals, overrides, and the configs that ship."""

import dataclasses
from pathlib import Path

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.checks import check
from iacyclegan_tf.config.reading import MAX_BYTES, dump_config, load_config
from iacyclegan_tf.config.settings import PATHS, RECOGNIZER_LAYERS, Config, as_dict, flat

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.fixture
def written(tmp_path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "settings.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def load(written, text):
    return load_config(written(text))


DEFAULTS = flat(dataclasses.asdict(Config()))
# Of these any text is taken; other texts are one of a few words.
FREE_TEXTS = [name for name in DEFAULTS if name in PATHS or name.endswith(("_split", "server_path"))] + ["name"]


# ---------------------------------------------------------------- reading


def test_nothing_gives_the_defaults(written):
    assert load_config() == load(written, "") == load(written, "# only a comment\n") == Config()


def test_values_land_where_they_are_named(written):
    config = load(
        written,
        "name: a\ntrain:\n  epochs: 7\n  beta_1: 0.9\ndata:\n  drawn:\n    seed: 3\n  flip: false\n"
        "distribute:\n  devices: [GPU:0, GPU:1]\nloss:\n  perception_layer: [fc6]\n",
    )
    assert (config.name, config.train.epochs, config.train.beta_1, config.data.drawn.seed) == ("a", 7, 0.9, 3)
    assert config.data.flip is False and config.distribute.devices == ("GPU:0", "GPU:1")
    assert config.loss.perception_layer == ("fc6",)
    untouched = dataclasses.replace(config.data, drawn=Config().data.drawn, flip=True)
    assert untouched == Config().data


def test_dump_and_load_give_an_equal_config(written):
    config = load_config(
        None,
        [
            "name=Müller run",
            "train.learning_rate=1e-5",
            "distribute.devices=GPU:0,GPU:1",
            "loss.perception_weight=3e7",
            "data.root='C:\\faces: all'",
            "generator.ema=0.999",
        ],
    )
    assert load(written, dump_config(config)) == config != Config()
    assert load(written, dump_config(Config())) == Config()


def test_a_byte_order_mark_is_passed_over(written):
    assert load(written, b"\xef\xbb\xbfname: windows\n").name == "windows"


@pytest.mark.parametrize("text, number", [("2e-4", 2e-4), ("2.0e-4", 2e-4), ("1E5", 1e5), ("3", 3.0), ("'0.5'", 0.5)])
def test_numbers_that_yaml_reads_as_text(written, text, number):
    """YAML 1.1 wants a point and a sign in 2.0e-4; everybody writes 2e-4."""
    assert load(written, f"train:\n  learning_rate: {text}\n").train.learning_rate == number
    assert load_config(None, [f"train.learning_rate={text}"]).train.learning_rate == number


@pytest.mark.parametrize("value, result", [("auto", "auto"), ("3e7", 3e7), ("0", 0.0)])
def test_perception_weight_is_a_number_or_auto(value, result):
    assert load_config(None, [f"loss.perception_weight={value}"]).loss.perception_weight == result


def test_two_configs_share_nothing():
    first, second = load_config(), load_config()
    first.train.epochs = 99
    assert second.train.epochs == Config().train.epochs


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "text, words",
    [
        ("tarin:\n  epochs: 3\n", "'tarin'.*Did you mean train?"),
        ("train:\n  epoch: 3\n", r"'train.epoch'.*Did you mean train\.epochs?"),
        ("train:\n  lerning_rate: 3\n", r"Did you mean train\.learning_rate?"),
        ("epochs: 3\n", r"'epochs'.*Did you mean .*\.epochs?"),
        ("cycle_weight: 3\n", r"Did you mean loss\.cycle_weight?"),
        ("data:\n  xyzzy: 3\n", "'data.xyzzy'.*Known here: source, root"),
        ("1: 3\n", "Unknown setting '1'"),
        ("data:\n  drawn:\n    peple: 3\n", r"Unknown setting 'data\.drawn\.peple'"),
    ],
)
def test_unknown_keys_name_the_nearest(written, text, words):
    with pytest.raises(UserError, match=words) as error:
        load(written, text)
    assert "settings.yaml" in str(error.value)


WRONG = {
    int: (["1.5", "1.0", "true", "many", "null", "[1]", "{a: 1}", "'3'"], "a whole number"),
    float: (["true", "many", "null", "[1]", "{a: 1}", ".nan", ".inf", "-.inf", "1e999", "nan"], "a finite number"),
    bool: (["1", "0", "2", "'true'", "perhaps", "null", "[true]"], "true or false"),
    str: (["null", "true", "[a]", "{a: 1}", "2024-01-05"], "text"),
    tuple: (["3", "true", "null", "{a: 1}", "[3, [4]]"], "list|text"),
}


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_every_setting_refuses_every_wrong_type(name):
    wrong, allowed = WRONG[type(DEFAULTS[name])]
    if name == "loss.perception_weight":
        wrong, allowed = ["many", "true", "null", "[1]", "{a: 1}", ".nan", ".inf"], "a finite number or 'auto'"
    elif type(DEFAULTS[name]) is str and name not in FREE_TEXTS:
        wrong, allowed = [*wrong, "nonsense", "3"], "one of"
    for text in wrong:
        with pytest.raises(UserError, match=f"{name} in the command line is .*must be .*({allowed})"):
            load_config(None, [f"{name}={text}"])


@pytest.mark.parametrize(
    "text, words",
    [
        ("train: 3\n", r"train in .* is 3; it is a group of settings \(epochs, "),
        ("train:\n", "train in .* is None; it is a group"),
        ("train: [1]\n", "it is a group"),
        ("[1, 2]\n", "must hold settings as key: value, not list"),
        ("hello\n", "must hold settings as key: value, not str"),
        ("train:\n  epochs: 1\n  epochs: 2\n", "'epochs' stands twice"),
        ("seed: 1\nseed: 1\n", "'seed' stands twice"),
        ("train: &a {epochs: 3}\ndata: *a\n", "anchors are not allowed"),
        ("name: !!python/object/apply:os.system ['true']\n", "not valid YAML.*python/object"),
        ("name: !!python/name:os.system\n", "not valid YAML"),
        ("name: !mine x\n", "not valid YAML"),
        ("name: {\n", "not valid YAML"),
        ("a: b: c\n", "not valid YAML"),
        ("name: a\n---\nname: b\n", "not valid YAML"),
        ("name: '\x07'\n", "not valid YAML"),
        ("[" * 20_000, "not valid YAML"),
        ("seed: " + "1" * 5000 + "\n", "not valid YAML"),
        ("? [a]\n: b\n", "not valid YAML"),
        ("when: 2001-99-99\n", "not valid YAML"),
        (b"\xff\xfe\x00n", "cannot be read as UTF-8"),
        ("? " + "x" * 9000 + "\n: 1\n", r"^Unknown setting 'x+ \[\.\.\.\] x+' in .*Known here: .{,1000}$"),
        ("seed: " + "x" * 90_000 + "\n", r"^seed in .* is 'x+ \[\.\.\.\] x+'; it must be a whole number\.$"),
    ],
)
def test_broken_or_unsafe_files_are_refused_in_a_sentence(written, text, words):
    with pytest.raises(UserError, match=words) as error:
        load(written, text)
    assert "settings.yaml" in str(error.value) and "\n" not in str(error.value)


def test_nothing_is_run_by_a_tag(written, tmp_path):
    with pytest.raises(UserError):
        load(written, f"name: !!python/object/apply:os.mkdir [{tmp_path}/touched]\n")
    assert not (tmp_path / "touched").exists()


def test_an_expansion_bomb_is_refused(written):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(UserError, match="not valid YAML"):
        load(written, "\n".join(lines))


def test_missing_large_and_folder(written, tmp_path):
    with pytest.raises(UserError, match=r"nowhere.yaml does not exist"):
        load_config(tmp_path / "nowhere.yaml")
    with pytest.raises(UserError, match="does not exist"):
        load_config(tmp_path)
    with pytest.raises(UserError, match=f"{MAX_BYTES + 1} bytes; at most {MAX_BYTES}"):
        load(written, "#" * (MAX_BYTES + 1))


# ---------------------------------------------------------------- overrides


def test_overrides_come_after_the_file_and_the_last_wins(written):
    path = written("train:\n  epochs: 7\n  batch: 2\n")
    config = load_config(path, ["train.epochs=8", "seed=3", "train.epochs=9"])
    assert (config.train.epochs, config.train.batch, config.seed) == (9, 2, 3)


def test_override_values_may_hold_equal_signs_and_lists():
    assert load_config(None, ["data.root=/a=b"]).data.root == "/a=b"
    assert load_config(None, ["loss.perception_layer=[pool3, fc7]"]).loss.perception_layer == ("pool3", "fc7")
    assert load_config(None, ["loss.perception_layer=pool3,fc7"]).loss.perception_layer == ("pool3", "fc7")
    assert load_config(None, ["data.root=''"]).data.root == ""


def test_override_of_a_group_takes_a_mapping_only():
    assert load_config(None, ["train={epochs: 9, batch: 3}"]).train.epochs == 9
    with pytest.raises(UserError, match="train in the command line is 3; it is a group of settings"):
        load_config(None, ["train=3"])


@pytest.mark.parametrize(
    "override, words",
    [
        ("train.epochs=0x" + "f" * 9000, "a number has more than 64 bits"),
        ("train=0x" + "f" * 9000, "a number has more than 64 bits"),
        ("train.epochs", "'train.epochs' is not an override; write setting=value"),
        ("--epochs", "not an override"),
        ("=3", "Unknown setting ''"),
        ("train.=3", "Unknown setting 'train.'"),
        ("train.epoch=3", r"Did you mean train\.epochs?"),
        ("train.epochs.deep=3", "train.epochs in the command line"),
        ("name={", "The override 'name={' is not valid YAML"),
        ("name=!!python/name:os.system", "is not valid YAML"),
    ],
)
def test_wrong_overrides(override, words):
    with pytest.raises(UserError, match=words):
        load_config(None, [override])


# ---------------------------------------------------------------- check


@pytest.mark.parametrize(
    "overrides, words",
    [
        (["data.height=0"], "data.height is 0; it must be divisible by 4, .* and positive"),
        (["data.height=62"], "data.height is 62; it must be divisible by 4"),
        (["data.width=30"], "data.width is 30; it must be divisible by 4"),
        (["data.source=pairs"], "data.root is empty"),
        (["data.enlarge=0.9"], "data.enlarge is 0.9; it must be from 1 to 2"),
        (["data.enlarge=2.5"], "data.enlarge is 2.5"),
        (["data.validation_share=0"], "data.validation_share is 0.0"),
        (["data.validation_share=0.9"], "data.validation_share is 0.9"),
        (["generator.ema=1"], "generator.ema is 1.0; it must be at least 0 and below 1"),
        (["generator.ema=-0.1"], "generator.ema is -0.1"),
        (["train.beta_1=1"], "train.beta_1 is 1.0"),
        (["generator.sharpness=3"], "generator.sharpness is 3.0; it must be from 0 to 2"),
        (["generator.sharpness=-0.1"], "generator.sharpness is -0.1"),
        (["recognizer.views.crop=0.1"], "recognizer.views.crop is 0.1; it must be from 0.2 to 1"),
        (["recognizer.views.crop=1.1"], "recognizer.views.crop is 1.1"),
        (["recognizer.pretrain.batch=7"], "recognizer.pretrain.batch is 7; it must be even and at least 4"),
        (["recognizer.pretrain.batch=2"], "recognizer.pretrain.batch is 2"),
        (["recognizer.pretrain.scale=0"], "recognizer.pretrain.scale is 0.0; it must be more than 0"),
        (["train.epochs=0", "train.decay_epochs=0"], "both 0; a round needs at least one epoch"),
        (["recognizer.input_size=100"], "recognizer.input_size is 100; it must be divisible by 32"),
        (["recognizer.input_size=0"], "recognizer.input_size is 0"),
        (["recognizer.input_size=-32"], "recognizer.input_size is -32"),
        (["recognizer.finetune.people=1"], "recognizer.finetune.people is 1; it must be at least 2"),
        (["recognizer.finetune.images=1"], "recognizer.finetune.images is 1; it must be at least 2"),
        (["loss.perception_layer=pool9"], r"is \['pool9'\] with recognizer.network=vggface; choose .* of pool1"),
        (["loss.perception_layer=[level2]"], r"is \['level2'\] with recognizer.network=vggface"),
        (
            ["recognizer.network=dlib"],
            "recognizer.embedding is 'pool3' with recognizer.network=dlib; choose one of level4",
        ),
        (["recognizer.network=dlib", "recognizer.embedding=level2"], r"\['pool1', 'pool2', 'pool3'\] with .*=dlib"),
        (["recognizer.embedding=level2"], "recognizer.embedding is 'level2' with recognizer.network=vggface"),
        (["recognizer.pretrain.warmup=-1"], "0 or more"),
        (["loss.perception_layer=[]"], "choose one or more"),
        (["name=''"], "name is ''; it must be a plain folder name"),
        (["name=a/b"], "plain folder name"),
        (["name=.."], "plain folder name"),
        (["seed=-1"], "seed is -1"),
        (["seed=4294967296"], "seed is 4294967296"),
        (["loss.perception_weight=-1"], "loss.perception_weight is -1"),
    ],
)
def test_each_rule_of_check(overrides, words):
    with pytest.raises(UserError, match=words):
        load_config(None, overrides)


@pytest.mark.parametrize("name", [*FREE_TEXTS, "distribute.devices", "export.thresholds.photo_recognizer"])
def test_no_text_holds_what_steers_a_terminal_or_cuts_a_path(name):
    """Nor a half of a character, which no file name and no YAML file can hold."""
    for escape in (r"\0", r"\e[31m", r"\n", r"\x7f", r"\u2028"):
        text = f"/a{escape}b" if name == "export.server_path" else f"a{escape}b"
        with pytest.raises(UserError, match=f"{name} is .*; it must be") as error:
            load_config(None, [f"{name}=" + (f'["{text}"]' if "." in name and name not in FREE_TEXTS else f'"{text}"')])
        assert str(error.value).isprintable()
    with pytest.raises(UserError, match="not valid YAML"):
        load_config(None, [f"{name}=a\udcffb"])


@pytest.mark.parametrize(
    "name", ["lr[1e-4]", "a b", "Müller_2.0-é", "김민수", "what? *", "back\\slash", "a'b\"c", "n" * 200]
)
def test_names_of_runs_as_people_have_them(name, written):
    config = dataclasses.replace(Config(), name=name)
    check(config)
    assert load(written, dump_config(config)).name == name


@pytest.mark.parametrize("name", ["a\u202eb", "a\u200bb", "serving", ".hidden", "a/b", "a\tb"])
def test_names_that_no_run_may_have(name):
    with pytest.raises(UserError, match=r"name is .*; it must be a plain folder name") as error:
        check(dataclasses.replace(Config(), name=name))
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("name", [name for name, value in DEFAULTS.items() if type(value) in (int, float)])
def test_no_number_may_be_negative(name):
    if "seed" not in name:
        value = "-4" if type(DEFAULTS[name]) is int else "-0.5"
        with pytest.raises(UserError, match=f"{name} is {value}"):
            load_config(None, [f"{name}={value}"])


def test_what_may_be_zero_or_at_its_edge():
    for override in (
        "generator.blocks=0",
        "discriminator.pool_size=0",
        "loss.cycle_weight=0",
        "recognizer.pretrain.epochs=0",
        "recognizer.finetune.steps=0",
        "data.enlarge=1",
        "data.enlarge=2",
        "generator.ema=0",
        "loss.perception_weight=0",
        "seed=4294967295",
        *(f"loss.perception_layer={layer}" for layer in RECOGNIZER_LAYERS["vggface"]),
    ):
        load_config(None, [override])
    load_config(None, ["train.epochs=0", "train.decay_epochs=1"])
    load_config(None, ["train.epochs=1", "train.decay_epochs=0"])


def test_as_dict_is_plain():
    values = as_dict(Config())
    assert values["distribute"]["devices"] == [] and values["loss"]["perception_layer"] == [
        *Config().loss.perception_layer
    ]
    assert values["data"]["drawn"]["seed"] == Config().data.drawn.seed


# ---------------------------------------------------------------- the configs that ship


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_config_loads_and_comes_back(path, written):
    config = load_config(path, ["data.root=somewhere"])
    assert load(written, dump_config(config)) == config


def test_shipped_configs_have_names_of_their_own():
    names = [load_config(path, ["data.root=somewhere"]).name for path in CONFIGS]
    assert len(set(names)) == len(names)


def test_the_best_preset_is_the_student_one_but_for_what_it_says():
    """Else its row in docs/results.md would compare more than the paired loss and the precision."""
    student, best = (
        load_config(ROOT / "configs" / f"cufs_student_{name}.yaml", ["data.root=x"]) for name in ("128", "best")
    )
    student, best = flat(as_dict(student)), flat(as_dict(best))
    assert {key for key in student if student[key] != best[key]} == {"name", "loss.paired_weight", "train.precision"}


def test_quickstart_equals_the_defaults():
    path = ROOT / "configs" / "quickstart.yaml"
    assert path.is_file(), "configs/quickstart.yaml ships with the program"
    config = load_config(path)
    assert config.export.push, "the quickstart alone pushes unasked"
    config.export.push = False
    assert config == Config()
