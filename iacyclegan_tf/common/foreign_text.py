"""Text from elsewhere (file names, servers, YAML) made fit to print: no control characters, and not too long."""

from __future__ import annotations


def printable(text: object, most: int = 300) -> str:
    """``text`` with control and other unprintable characters escaped as in Python source, cut to ``most`` characters.

    >>> printable("a\\x1b[31m b")
    'a\\\\x1b[31m b'
    """
    text = str(text)
    cut = text[:most] + ("…" if len(text) > most else "")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)


def printable_lines(text: object, most: int = 100_000) -> str:
    """``printable`` for texts whose line breaks and tabs are meant."""
    return "\n".join(
        "\t".join(printable(part, most) for part in line.split("\t")) for line in str(text)[:most].split("\n")
    )
