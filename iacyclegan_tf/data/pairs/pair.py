"""The records of pairing: one pair, and everything that was found, used or left out."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import image_stem


@dataclass(frozen=True)
class Pair:
    """One person's photo and sketch. ``split`` is ``train``, ``dev``, ``test``, or '' when not known."""

    identity: str
    photo: Path
    sketch: Path
    split: str


@dataclass(frozen=True)
class Pairing:
    """All pairs found, and every file that was left out.

    Attributes:
        pairs: the usable pairs.
        orphan_photos, orphan_sketches: files without a partner.
        duplicates: groups of files that claim the same partner; all of them are left out.
        passed_over: files that are not images by their name, or that a better copy replaces.
        misnamed: images whose names are none of the layout's, nor of another set's.
        unlisted: pairs that a split file does not name; left out of ``pairs``.
    """

    pairs: tuple[Pair, ...]
    orphan_photos: tuple[Path, ...] = ()
    orphan_sketches: tuple[Path, ...] = ()
    duplicates: tuple[tuple[Path, ...], ...] = ()
    passed_over: tuple[Path, ...] = ()
    misnamed: tuple[Path, ...] = ()
    unlisted: tuple[Pair, ...] = ()

    def of_split(self, split: str) -> tuple[Pair, ...]:
        """The pairs of one split, in order."""
        return tuple(pair for pair in self.pairs if pair.split == split)

    def counts(self) -> dict[str, int]:
        """Number of pairs per split."""
        return dict(sorted(Counter(pair.split or "no split" for pair in self.pairs).items()))

    def report(self) -> list[str]:
        """Lines for a person: counts first, then every file that was left out, by name."""
        counts = ", ".join(f"{split} {count}" for split, count in self.counts().items())
        lines = [f"{len(self.pairs)} pairs ({counts or 'none'}), split SHA-256 {split_hash(self.pairs)}"]
        lines += [f"photo without a sketch: {path}" for path in self.orphan_photos]
        lines += [f"sketch without a photo: {path}" for path in self.orphan_sketches]
        lines += ["several claim one partner, all left out: " + ", ".join(map(str, group)) for group in self.duplicates]
        lines += [f"not named in the split file, left out: {pair.photo}" for pair in self.unlisted]
        lines += [f"passed over: {path}" for path in self.passed_over]
        return lines


def joined(pairings: Iterable[Pairing]) -> Pairing:
    """All parts of a set as one pairing, in the given order."""
    pairings = list(pairings)
    fields = ("pairs", "orphan_photos", "orphan_sketches", "duplicates", "passed_over", "misnamed", "unlisted")
    return Pairing(
        **{field: tuple(item for pairing in pairings for item in getattr(pairing, field)) for field in fields}
    )


def disjoint(pairing: Pairing, where: str) -> Pairing:
    """Return the pairing unless one identity stands in two splits, which would leak test faces.

    Raises:
        UserError: names the identity and both splits.
    """
    split_of: dict[str, str] = {}
    for pair in pairing.pairs:
        if split_of.setdefault(pair.identity, pair.split) != pair.split:
            raise UserError(
                f"Identity '{pair.identity}' in '{where}' stands in the splits "
                f"'{split_of[pair.identity]}' and '{pair.split}'; one person belongs to one."
            )
    return pairing


def split_hash(pairs: Iterable[Pair]) -> str:
    """SHA-256 (hex) over the sorted lines ``split identity photo-name sketch-name`` of the pairs.

    Names without suffixes, no folders and no contents: the hash is the same wherever the data lie, and
    before and after preparation.
    """
    lines = sorted(f"{pair.split} {pair.identity} {image_stem(pair.photo)} {image_stem(pair.sketch)}" for pair in pairs)
    return hashlib.sha256("".join(line + "\n" for line in lines).encode("utf-8")).hexdigest()
