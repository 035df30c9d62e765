"""YAML into the typed settings of ``settings.py``: strict keys, strict types, dotted overrides."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from contextlib import suppress
from pathlib import Path

import yaml

from iacyclegan_tf.common.errors import UserError, shortened
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.user_paths import expanded, user_path
from iacyclegan_tf.config.checks import check
from iacyclegan_tf.config.settings import PATHS, Config, DataConfig, as_dict, flat
from iacyclegan_tf.config.strict_yaml import parse_yaml

MAX_BYTES = 1_000_000
CONFIGS = Path(__file__).parents[1] / "configs"


def load_config(path: str | Path | None = None, overrides: typing.Sequence[str] = ()) -> Config:
    """Reads ``path`` (a file, or the name of one in ``CONFIGS``; none: the defaults), applies ``overrides`` such as
    ``train.epochs=4``, checks the whole. Paths have ``~`` expanded, and a ``data.root`` makes ``data.source`` pairs.

    Raises ``UserError`` for a missing file, broken YAML, an unknown key (the nearest is named), a wrong type or a value
    that no run could use; however long or odd the key or value is that the sentence quotes, it stays readable.
    """
    config = Config()
    try:
        file = {} if path is None else _read(_config_file(path))
        given = [_override(override) for override in overrides]
        for values, where in [(file, str(path)), *((one, "the command line") for one in given)]:
            _fill(config, values, "", where)
        _expand_paths(config)
        _settle_source(config.data, file, given)
        check(config)
    except UserError as error:
        raise UserError(printable(shortened(str(error)), 3000)) from None
    return config


def _config_file(path: str | Path) -> Path:
    """The file ``path``, or the packaged config of that name."""
    file, packaged = user_path(path), CONFIGS / f"{path}.yaml"
    if not file.is_file() and Path(path).name == str(path) and packaged.is_file():
        return packaged
    if not file.is_file():
        names = ", ".join(sorted(one.stem for one in CONFIGS.glob("*.yaml")))
        raise UserError(f"The config file {path} does not exist, and no config has that name; there are: {names}.")
    return file


def _expand_paths(config: Config) -> None:
    for name in PATHS:
        *groups, key = name.split(".")
        group = functools.reduce(getattr, groups, config)
        setattr(group, key, expanded(getattr(group, key)))


def _settle_source(data: DataConfig, file: dict, given: list[dict]) -> None:
    """A root means pairs; ``UserError`` where drawn faces were asked for beside it, or after it."""
    if data.root and data.source == "drawn":
        names = {name for values in given for name in flat(values)}
        if "data.source" in names or ("data.root" not in names and "source" in file["data"]):
            raise UserError(f"data.source is drawn, which has no use for data.root={data.root}; leave out one of them.")
        data.source = "pairs"


def _override(override: str) -> dict:
    """Of ``train.epochs=4`` the nested mapping."""
    name, separator, text = override.partition("=")
    if not separator:
        raise UserError(f"{override!r} is not an override; write setting=value, e.g. train.epochs=4.")
    # ``data.root=`` is the empty text, which YAML would read as null
    value = _parse(text, f"the override {override!r}") if text.strip() else ""
    for part in reversed(name.strip().split(".")):
        value = {part: value}
    return value


def dump_config(config: Config) -> str:
    """The resolved settings as YAML; ``load_config`` reads it back to an equal config."""
    return yaml.safe_dump(as_dict(config), sort_keys=False, allow_unicode=True)


def _read(path: Path) -> dict:
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"The config file {path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"The config file {path} cannot be read as UTF-8 text: {error}.") from None
    values = _parse(text, f"the config file {path}")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"The config file {path} must hold settings as key: value, not {type(values).__name__}.")
    return values


def _parse(text: str, where: str):
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise UserError(f"{where[0].upper() + where[1:]} is not valid YAML: {error}.") from None


def _fill(target, values: dict, prefix: str, where: str) -> None:
    hints = typing.get_type_hints(type(target))
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in hints:
            raise UserError(f"Unknown setting {name!r} in {where}.{_nearest(str(key), prefix, hints)}")
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, dict):
                raise UserError(
                    f"{name} in {where} is {value!r}; it is a group of settings "
                    f"({', '.join(typing.get_type_hints(hints[key]))})."
                )
            _fill(getattr(target, key), value, f"{name}.", where)
        else:
            setattr(target, key, _convert(value, hints[key], name, where))


def _nearest(key: str, prefix: str, hints: dict) -> str:
    """The right name in the wrong group, else the one most like it here, else elsewhere."""
    everywhere = {one.rpartition(".")[2]: one for one in flat(as_dict(Config()))}
    here = difflib.get_close_matches(key, hints, n=1, cutoff=0.5)
    elsewhere = difflib.get_close_matches(key, everywhere, n=1, cutoff=0.7)
    found = everywhere.get(key) or (here and prefix + here[0]) or (elsewhere and everywhere[elsewhere[0]])
    return f" Did you mean {found}?" if found else f" Known here: {', '.join(hints)}."


def _convert(value, hint, name: str, where: str):
    """``value`` as the type that the field declares, or ``UserError`` with what is allowed."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        for option in options:
            with suppress(UserError):
                return _convert(value, option, name, where)
    elif origin is typing.Literal:
        if value in options and not isinstance(value, bool):
            return value
    elif origin is tuple:
        # on the command line a list may be written a,b
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(items, list):
            return tuple(_convert(item, options[0], name, where) for item in items)
    else:
        with suppress(ValueError, OverflowError):
            return _scalar(value, hint)
    raise UserError(f"{name} in {where} is {value!r}; it must be {_describe(hint)}.")


def _scalar(value, hint: type):
    """Of a number, text or switch; ``ValueError`` where it is none of this type."""
    if hint is str and type(value) in (int, float):
        return str(value)
    if hint is float and type(value) in (int, float, str) and abs(float(value)) < float("inf"):
        return float(value)  # YAML 1.1 reads ``2e-4`` as text, so numbers are taken from text too
    if type(value) is not hint or hint is float:
        raise ValueError(value)
    return value


def _describe(hint) -> str:
    options = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(options) if len(options) > 1 else repr(options[0])
    if typing.get_origin(hint) is tuple:
        return "a list"
    names = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}
    return names[hint] if hint in names else " or ".join(map(_describe, options))
