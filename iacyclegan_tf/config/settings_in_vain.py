"""Settings that have no effect beside the others, by name: they were given in vain, and their user should know."""

from __future__ import annotations

from collections.abc import Iterator

from iacyclegan_tf.config.settings import Config, as_dict, flat

_PRETRAIN = "recognizer.pretrain."


def without_effect(config: Config) -> list[str]:
    """``data.drawn.seed (data.source is pairs)`` for each setting that differs from its default in vain."""
    values, defaults = flat(as_dict(config)), flat(as_dict(Config()))
    found = {
        name: f"{name} ({why})"
        for holds, why, beginnings in _in_vain(config)
        for name in values
        if holds and name.startswith(tuple(beginnings)) and values[name] != defaults[name]
    }
    return list(found.values())


def _in_vain(config: Config) -> Iterator[tuple[bool, str, list[str]]]:
    """Of each: whether it holds, the words for it, and how the names begin of settings that then have no effect."""
    data, recognizer, loss, export = config.data, config.recognizer, config.loss, config.export
    yield data.source == "pairs", "data.source is pairs", ["data.drawn."]
    drawn = [f"data.{name}" for name in ("split_file", "train_split", "test_split", "skip_bad")]
    yield data.source == "drawn", "data.source is drawn", drawn
    yield data.fit == "native", "data.fit is native", ["data.height", "data.width"]
    dlib = [f"recognizer.{name}" for name in ("width", "input_size", "normalization")]
    yield recognizer.network == "dlib", "recognizer.network is dlib", dlib
    pairs = [_PRETRAIN + name for name in ("epochs", "batch", "learning_rate", "warmup", "scale")]
    yield bool(recognizer.weights) and not recognizer.adapter, "recognizer.weights is given", pairs
    yield not config.rounds.finetune, "rounds.finetune is false", ["recognizer.finetune."]
    yield not config.rounds.perception, "rounds.perception is false", ["loss.perception_"]
    auto = ["loss.perception_share", "loss.perception_auto_steps"]
    yield loss.perception_weight != "auto", "loss.perception_weight is a number", auto
    yield loss.paired_weight == 0, "loss.paired_weight is 0", ["loss.paired_form"]
    yield config.train.non_finite == "stop", "train.non_finite is stop", ["train.non_finite_tries"]
    pushing = [f"export.{name}" for name in ("destination", "keep", "server_path", "version_policy")]
    yield not export.push, "export.push is false", pushing
    yield not export.infra_validation, "export.infra_validation is false, so nothing is pushed", ["export.push"]
