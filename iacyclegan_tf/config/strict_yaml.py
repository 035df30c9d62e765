"""YAML of plain scalars, lists and mappings: no anchors (they can expand without bound), no key twice, no objects."""

from __future__ import annotations

import yaml


class _Strict:
    def compose_node(self, parent, index):
        if getattr(self.peek_event(), "anchor", None):
            raise yaml.constructor.ConstructorError(None, None, "anchors are not allowed", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key in (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _StrictLoader(_Strict, yaml.SafeLoader):
    """Numbers, dates and switches are what they look like; whole numbers have 64 bits at most."""

    def construct_yaml_int(self, node):
        value = super().construct_yaml_int(node)
        if abs(value) >= 2**63:
            raise yaml.constructor.ConstructorError(None, None, "a number has more than 64 bits", node.start_mark)
        return value


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_yaml_int)


class _StrictTextLoader(_Strict, yaml.BaseLoader):
    """All scalars are text."""


def parse_yaml(text: str, only_text: bool = False):
    """What ``text`` holds. ``ValueError`` with one line that says where it is not YAML, or what is not allowed."""
    try:
        return yaml.load(text, Loader=_StrictTextLoader if only_text else _StrictLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # it nests without bound; it names no day or number
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None
