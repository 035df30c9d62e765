"""Text from elsewhere (file names, servers, YAML) made fit to print: no control characters, and not too long."""

from __future__ import annotations


def printable(text: object, most: int = 300) -> str:
    """``text`` with control and other unprintable characters escaped as in Python source, cut after ``most`` characters.

    >>> printable("a\\x1b[31m b")
    'a\\\\x1b[31m b'
    """
    text = str(text)
    cut = text[:most] + ("…" if len(text) > most else "")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)
