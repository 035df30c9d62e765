"""What a person must know about a prepared set, for ``prepare.json`` and in words."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from iacyclegan_tf import __version__
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.pairs.naming import VALIDATION
from iacyclegan_tf.data.pairs.pair import Pairing, split_hash
from iacyclegan_tf.data.preparing.archives import Tree
from iacyclegan_tf.data.same_pictures import Picture

# Keys of ``prepare.json``, each a list, and what report.txt says of every entry.
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
UNPAIRED = ("orphan_photos", "orphan_sketches", "duplicates", "misnamed")


@dataclass
class Findings:
    """What turns up while pictures are read; file names as the user knows them."""

    ways: Counter = field(default_factory=Counter)  # how many pictures came how
    bad: list[dict[str, str]] = field(default_factory=list)
    suspicious: list[dict[str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)  # those that can be used


def make_report(layout: str, source: Path, tree: Tree, pairing: Pairing, findings: Findings) -> dict:
    """The content of ``prepare.json``; ``pairing`` holds the pairs as they were written."""

    def shown(paths: Iterable[Path]) -> list[str]:
        return [tree.shown(path) for path in paths]

    same_content = defaultdict(set)
    for picture in findings.pictures:
        same_content[picture.sha256].add(picture.name)
    return {
        "program": f"iacyclegan_tf {__version__}",
        "layout": layout,
        "source": str(source),
        "pairs": len(pairing.pairs),
        "splits": pairing.counts(),
        "split_sha256": split_hash(pairing.pairs),
        "pictures": dict(sorted(findings.ways.items())),
        "orphan_photos": shown(pairing.orphan_photos),
        "orphan_sketches": shown(pairing.orphan_sketches),
        "duplicates": [shown(group) for group in pairing.duplicates],
        "misnamed": shown(pairing.misnamed),
        "same_content": sorted(sorted(names) for names in same_content.values() if len(names) > 1),
        "bad": findings.bad,
        "suspicious": findings.suspicious,
        "not_in_split_file": shown(pair.photo for pair in pairing.unlisted),
        "passed_over": shown(pairing.passed_over),
        "notes": list(pairing.notes or tree.notes),
    }


def report_lines(report: dict) -> list[str]:
    """The report as lines for a person: counts first, then every file that needs a look, by name."""
    splits, pictures = (
        ", ".join(f"{name} {count}" for name, count in report[key].items()) for key in ("splits", "pictures")
    )
    lines = [
        f"{report['layout']}: {report['pairs']} pairs ({splits})",
        f"pictures: {pictures}",
        f"split SHA-256: {report['split_sha256']}",
    ]
    if VALIDATION in report["splits"]:
        lines.append(f"the people of the split {VALIDATION} are for validation: in training they replace held-out ones")
    return lines + _named(report, LISTS)


def unpaired_lines(report: dict) -> list[str]:
    """Of those lines, the files that have no partner, or several, or foreign names."""
    return _named(report, UNPAIRED)


def _named(report: dict, keys: Iterable[str]) -> list[str]:
    return [printable(f"{LISTS[key]}: {_words(entry)}", 2000) for key in keys for entry in report[key]]


def _words(entry: str | list[str] | dict[str, str]) -> str:
    if isinstance(entry, dict):
        return f"{entry['file']}: {entry['reason']}"
    return entry if isinstance(entry, str) else ", ".join(entry)
