"""Values that no run could use, refused with the setting, its value and what is allowed."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import there
from iacyclegan_tf.config.blessing_rules import parse_rule
from iacyclegan_tf.config.ranges import TEXT
from iacyclegan_tf.config.settings import RECOGNIZER_LAYERS, Config

_INPUTS = ("data.root", "data.split_file", "recognizer.weights")
_SSIM_WINDOW = 11  # pixels; Wang et al. 2004


def check(config: Config) -> None:
    """Raises ``UserError`` for values that no run could use; names setting, value and what is allowed.

    A setting's own range stands beside its type in ``settings.py``; here are the relations between settings.
    """
    _check_ranges(config)
    for refused, sentence in _relations(config):
        if refused:
            raise UserError(sentence)
    for servable, rules in vars(config.export.thresholds).items():
        for rule in rules:
            parse_rule(rule, f"export.thresholds.{servable}")


def check_inputs(config: Config) -> None:
    """``UserError`` names the setting of a file or folder to read that is not there; before anything is loaded."""
    for name in _INPUTS:
        if path := attrgetter(name)(config):
            there(Path(path), f"{name} is given, but")


def _check_ranges(group, prefix: str = "") -> None:
    for key, hint in typing.get_type_hints(type(group), include_extras=True).items():
        name, value = prefix + key, getattr(group, key)
        if dataclasses.is_dataclass(value):
            _check_ranges(value, f"{name}.")
            continue
        texts = [one for one in (value if isinstance(value, tuple) else [value]) if isinstance(one, str)]
        ranges = [(value, allowed) for allowed in getattr(hint, "__metadata__", ())]
        for found, allowed in ranges + [(text, TEXT) for text in texts]:
            if not allowed.holds(found):
                raise UserError(f"{name} is {found!r}; it must be {allowed.words}.")


def _relations(config: Config) -> Iterator[tuple[bool, str]]:
    """Of each: whether it is broken, and the sentence that says so."""
    data, loss, recognizer = config.data, config.loss, config.recognizer
    yield (
        data.source == "pairs" and not data.root,
        "data.source is pairs, but data.root is empty; give the folder that holds the pairs.",
    )
    yield (
        data.source == "drawn" and not data.in_memory,
        "data.in_memory is false, which needs data.source=pairs: drawn faces are always held in memory.",
    )
    yield (
        loss.paired_weight > 0 and data.augment != "together",
        f"loss.paired_weight is {loss.paired_weight} with data.augment={data.augment}; a photo and a sketch that are "
        "cropped apart cannot be compared pixel by pixel. Use data.augment=together, or 0.",
    )
    yield (
        loss.paired_weight > 0 and min(data.height, data.width) < _SSIM_WINDOW,
        f"loss.paired_weight is {loss.paired_weight} with images of {data.width}×{data.height}; SSIM needs "
        f"{_SSIM_WINDOW} pixels in height and width.",
    )
    layers = RECOGNIZER_LAYERS[recognizer.network]
    embeddings = layers[1:]  # the first sees edges alone, which tell nobody apart
    yield (
        recognizer.embedding not in embeddings,
        f"recognizer.embedding is {recognizer.embedding!r} with recognizer.network={recognizer.network}; choose one of "
        f"{', '.join(embeddings)}.",
    )
    yield (
        not loss.perception_layer or bool(set(loss.perception_layer) - set(layers)),
        f"loss.perception_layer is {list(loss.perception_layer)} with recognizer.network={recognizer.network}; choose "
        f"one or more of {', '.join(layers)}.",
    )
    yield (
        config.train.epochs + config.train.decay_epochs < 1,
        "train.epochs and train.decay_epochs are both 0; a round needs at least one epoch.",
    )
