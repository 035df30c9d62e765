"""Which people of a folder: ``s1-s20``, ``anna,bob,s3-s7``, or a file of such names, one or more a line."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from iacyclegan_tf.common.errors import UserError, shortened
from iacyclegan_tf.data.pairs.naming import normal_name

MAX_BYTES = 1_000_000


def select_people(names: Iterable[str], selection: str, where: str | Path) -> list[str]:
    """Those of ``names`` that ``selection`` means, each once, in natural order; all where it is empty.

    A part ``A-B`` whose ends differ in their last number only means all names between them (``p001-p020`` too); a
    name that itself reads so comes first. Names are compared in their normal form (``naming.normal_name``).
    ``UserError`` for a part that means nobody.

    >>> select_people(["s10", "s2", "s1", "anna"], "s1-s5,anna", "faces")
    ['anna', 's1', 's2']
    """
    known = {normal_name(name): name for name in sorted(names, key=natural)}
    parts = _parts(selection)
    found: set[str] = set()
    for part in parts:
        wanted = normal_name(part)
        some = {wanted} & set(known) or _range(wanted, known)
        if not some:
            close = difflib.get_close_matches(wanted, known, n=1)
            hint = (
                f"; did you mean {known[close[0]]}?"
                if close
                else f", which holds {len(known)} people, e.g. {', '.join(list(known.values())[:3])}. Write names or "
                "ranges such as s1-s20, separated by commas, or give a file of them."
            )
            raise UserError(f"{shortened(repr(part), 200)} names nobody in {where}{hint}")
        found |= some
    return [name for key, name in known.items() if key in found or not parts]


def natural(name: str) -> tuple:
    """A sort key under which s2 comes before s10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)), name


def _parts(selection: str) -> list[str]:
    """Comma-separated; of a file also line by line, with comments from ``#`` on."""
    path = Path(selection)
    if os.path.isfile(selection):  # unlike Path.is_file, False for a list too long for a file's name
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"The file of names {path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read.")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"The file of names {path} cannot be read as UTF-8 text: {error}.") from None
        parts = [part.strip() for line in text.splitlines() for part in line.partition("#")[0].split(",")]
        if not any(parts):
            raise UserError(f"The file of names {path} names nobody.")
    else:
        parts = [part.strip() for part in selection.split(",")]
    return [part for part in parts if part]


def _range(part: str, names: Iterable[str]) -> set[str]:
    match = re.fullmatch(r"(.*?)(\d+)-\1(\d+)", part)
    if not match:
        return set()
    first, last = int(match[2]), int(match[3])
    numbers = {name: re.fullmatch(re.escape(match[1]) + r"(\d+)", name) for name in names}
    return {name for name, number in numbers.items() if number and first <= int(number[1]) <= last}
