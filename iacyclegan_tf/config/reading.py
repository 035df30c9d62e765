"""YAML into the typed settings of ``config.py``: strict keys, strict types, dotted overrides."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from pathlib import Path

import yaml

from iacyclegan_tf.common.errors import UserError, shortened
from iacyclegan_tf.config.checks import check
from iacyclegan_tf.config.settings import RETIRED, Config, as_dict
from iacyclegan_tf.config.strict_yaml import parse_yaml

MAX_BYTES = 1_000_000


def load_config(path: str | Path | None = None, overrides: typing.Sequence[str] = ()) -> Config:
    """Reads ``path`` (none: the defaults), applies ``overrides`` such as ``train.epochs=4``, checks the whole.

    Raises ``UserError`` for a missing file, broken YAML, an unknown key (the nearest is named), a wrong type
    or a value that no run could use; however long the key or value is that the sentence quotes, it stays readable.
    """
    try:
        return _loaded(path, overrides)
    except UserError as error:
        raise UserError(shortened(str(error))) from None


def _loaded(path: str | Path | None, overrides: typing.Sequence[str]) -> Config:
    config = Config()
    if path is not None:
        _fill(config, _read(Path(path)), "", str(path))
    for override in overrides:
        name, separator, text = override.partition("=")
        if not separator:
            raise UserError(f"{override!r} is not an override; write setting=value, e.g. train.epochs=4.")
        *parents, last = name.strip().split(".")
        # ``data.root=`` is the empty text, which YAML would read as null
        values: dict = {last: _parse(text, f"the override {override!r}") if text.strip() else ""}
        for parent in reversed(parents):
            values = {parent: values}
        _fill(config, values, "", "the command line")
    check(config)
    return config


def dump_config(config: Config) -> str:
    """The resolved settings as YAML; ``load_config`` reads it back to an equal config."""
    return yaml.safe_dump(as_dict(config), sort_keys=False, allow_unicode=True)


def _read(path: Path) -> dict:
    if not path.is_file():
        raise UserError(f"The config file {path} does not exist.")
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
        if name in RETIRED:
            unchanged, instead = RETIRED[name]
            if value != unchanged:
                raise UserError(f"{name} in {where} is {value!r}, but this setting is gone: {instead}.")
            continue
        if key not in hints:
            raise UserError(f"Unknown setting {name!r} in {where}.{_nearest(str(key), name, prefix, hints)}")
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, dict):
                raise UserError(
                    f"{name} in {where} is {value!r}; it is a group of settings "
                    f"({', '.join(typing.get_type_hints(hints[key]))})."
                )
            _fill(getattr(target, key), value, f"{name}.", where)
        else:
            setattr(target, key, _convert(value, hints[key], name, where))


def _nearest(key: str, name: str, prefix: str, hints: dict) -> str:
    everywhere = {n.rpartition(".")[2]: n for n in _all_names(Config, "")}
    if key in everywhere:  # the right name in the wrong group
        return f" Did you mean {everywhere[key]}?"
    close = difflib.get_close_matches(key, hints, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {prefix}{close[0]!s}?"
    close = difflib.get_close_matches(key, everywhere, n=1, cutoff=0.7)
    return f" Did you mean {everywhere[close[0]]}?" if close else f" Known here: {', '.join(hints)}."


def _all_names(cls, prefix: str):
    for key, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint):
            yield from _all_names(hint, f"{prefix}{key}.")
        else:
            yield prefix + key


def _convert(value, hint, name: str, where: str):
    """``value`` as the type that the field declares, or ``UserError`` with what is allowed."""
    origin = typing.get_origin(hint)
    options = typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        for option in options:
            try:
                return _convert(value, option, name, where)
            except UserError:
                continue
        allowed = " or ".join(_describe(option) for option in options)
    elif origin is typing.Literal:
        if value in options and not isinstance(value, bool):
            return value
        allowed = "one of " + ", ".join(map(str, options))
    elif origin is tuple:
        # on the command line a list may be written a,b
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(items, list):
            return tuple(_convert(item, options[0], name, where) for item in items)
        allowed = "a list"
    elif hint is float:
        number = _as_float(value)
        if number is not None:
            return number
        allowed = "a finite number"
    elif type(value) is hint:
        return value
    elif hint is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    else:
        allowed = _describe(hint)
    raise UserError(f"{name} in {where} is {value!r}; it must be {allowed}.")


def _as_float(value) -> float | None:
    """YAML 1.1 reads ``2e-4`` as text, so numbers are taken from text too."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _describe(hint) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, str(hint))
