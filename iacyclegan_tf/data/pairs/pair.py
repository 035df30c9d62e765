"""The records of pairing: one pair, and everything that was found, used or left out."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import image_stem
from iacyclegan_tf.data.pairs.naming import VALIDATION, normal_name

# What a report says of each entry of a list of files; the lists of ``prepare.json`` have these keys.
LISTS = {
    "orphan_photos": "photo without a sketch",
    "orphan_sketches": "sketch without a photo",
    "duplicates": "several claim one partner, all left out",
    "misnamed": "no name of this set, left out",
    "same_content": "files with the same content",
    "bad": "cannot be used, left out",
    "suspicious": "look at this crop",
    "not_in_split_file": "not named in the split file, left out",
    "passed_over": "passed over",
    "notes": "note",
}
FOR_VALIDATION = f"the people of the split {VALIDATION} are for validation; nobody is held out from training"


@dataclass(frozen=True)
class Pair:
    """One person's photo and sketch.

    ``split``: ``train``, ``val``, ``dev``, ``test``, or '' when not known; ``subset``: a part of the set, or ''.
    """

    identity: str
    photo: Path
    sketch: Path
    split: str
    subset: str = ""


@dataclass(frozen=True)
class Pairing:
    """All pairs found, and every file that was left out.

    Attributes:
        pairs: the usable pairs.
        orphan_photos, orphan_sketches: files without a partner.
        duplicates: groups of files that claim the same partner; all of them are left out.
        passed_over: files that are not images by their name, or that a better copy replaces; folders not looked into.
        misnamed: images whose names are none of the layout's, nor of another set's.
        unlisted: pairs that a split file does not name; left out of ``pairs``.
        notes: lines about what was left out because systems make it, because it is hidden, or a sub-folder.
    """

    pairs: tuple[Pair, ...]
    orphan_photos: tuple[Path, ...] = ()
    orphan_sketches: tuple[Path, ...] = ()
    duplicates: tuple[tuple[Path, ...], ...] = ()
    passed_over: tuple[Path, ...] = ()
    misnamed: tuple[Path, ...] = ()
    unlisted: tuple[Pair, ...] = ()
    notes: tuple[str, ...] = ()

    def each_with(self, **changes: str) -> "Pairing":
        """The same with these attributes in every pair, e.g. ``split="train"``."""
        return replace(self, pairs=tuple(replace(pair, **changes) for pair in self.pairs))

    def counts(self) -> dict[str, int]:
        """Number of pairs per split."""
        return dict(sorted(Counter(pair.split or "no split" for pair in self.pairs).items()))

    def left_out(self, shown: Callable[[Path], str] = str) -> dict[str, list]:
        """Everything that is not used, by the keys of ``LISTS``; ``shown`` writes a path as the user knows it."""
        return {
            "orphan_photos": [*map(shown, self.orphan_photos)],
            "orphan_sketches": [*map(shown, self.orphan_sketches)],
            "duplicates": [[*map(shown, group)] for group in self.duplicates],
            "misnamed": [*map(shown, self.misnamed)],
            "not_in_split_file": [shown(pair.photo) for pair in self.unlisted],
            "passed_over": [*map(shown, self.passed_over)],
            "notes": [*self.notes],
        }

    def report(self) -> list[str]:
        """Lines for a person: counts first, then every file that was left out, by name."""
        counts = ", ".join(f"{split} {count}" for split, count in self.counts().items())
        first = f"{len(self.pairs)} pairs ({counts or 'none'}), split SHA-256 {split_hash(self.pairs)}"
        return [first, *([FOR_VALIDATION] if VALIDATION in self.counts() else []), *listed(self.left_out())]


def listed(lists: Mapping[str, list], keys: Iterable[str] = LISTS) -> list[str]:
    """A line, fit to print, for every entry of ``lists`` under ``keys``: a text, several, or a file with its reason."""
    lines = []
    for key in keys:
        for entry in lists.get(key, ()):
            words = f"{entry['file']}: {entry['reason']}" if isinstance(entry, dict) else entry
            words = words if isinstance(words, str) else ", ".join(words)
            lines.append(printable(f"{LISTS[key]}: {words}", 2000))
    return lines


def joined(pairings: Iterable[Pairing]) -> Pairing:
    """All parts of a set as one pairing, in the given order."""
    pairings = list(pairings)
    return Pairing(*(tuple(item for part in pairings for item in getattr(part, each.name)) for each in fields(Pairing)))


def disjoint(pairing: Pairing, where: str) -> Pairing:
    """Return the pairing unless one identity stands in two splits, which would leak test faces.

    Raises:
        UserError: names the identity and both splits.
    """
    first: dict[str, Pair] = {}
    for pair in pairing.pairs:
        other = first.setdefault(normal_name(pair.identity), pair)
        if other.split != pair.split:
            spelt = "" if other.identity == pair.identity else f" (also spelt '{pair.identity}')"
            raise UserError(
                f"Identity '{other.identity}'{spelt} in '{where}' stands in the splits "
                f"'{other.split}' and '{pair.split}'; one person belongs to one."
            )
    return pairing


def split_hash(pairs: Iterable[Pair]) -> str:
    """SHA-256 (hex) over the sorted lines ``split identity photo-name sketch-name`` of the pairs.

    Names without suffixes, composed (NFC), no folders and no contents: the hash is the same wherever the data lie,
    and before and after preparation.
    """
    names = (f"{pair.split} {pair.identity} {image_stem(pair.photo)} {image_stem(pair.sketch)}" for pair in pairs)
    lines = sorted(unicodedata.normalize("NFC", line) for line in names)
    return hashlib.sha256("".join(line + "\n" for line in lines).encode("utf-8")).hexdigest()
