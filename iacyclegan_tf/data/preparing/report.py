"""What a person must know about a prepared set, for ``prepare.json`` and in words."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from iacyclegan_tf import __version__
from iacyclegan_tf.data.duplicate_images import Picture
from iacyclegan_tf.data.pairs.naming import VALIDATION
from iacyclegan_tf.data.pairs.pair import FOR_VALIDATION, Pairing, listed, split_hash
from iacyclegan_tf.data.preparing.archives import Tree

UNPAIRED = ("orphan_photos", "orphan_sketches", "duplicates", "misnamed")  # lists of files without one partner


@dataclass
class Findings:
    """What turns up while pictures are read; file names as the user knows them."""

    ways: Counter = field(default_factory=Counter)  # how many pictures came how
    bad: list[dict[str, str]] = field(default_factory=list)
    suspicious: list[dict[str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)  # those that can be used


def make_report(layout: str, source: Path, tree: Tree, pairing: Pairing, findings: Findings) -> dict:
    """The content of ``prepare.json``; ``pairing`` holds the pairs as they were written."""
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
        **pairing.left_out(tree.shown),
        "same_content": sorted(sorted(names) for names in same_content.values() if len(names) > 1),
        "bad": findings.bad,
        "suspicious": findings.suspicious,
        "notes": list(pairing.notes or tree.notes),
    }


def report_lines(report: dict) -> list[str]:
    """The report as lines for a person: counts first, then every file that needs a look, by name."""
    splits, pictures = (
        ", ".join(f"{name} {count}" for name, count in report[key].items()) for key in ("splits", "pictures")
    )
    first = [f"{report['layout']}: {report['pairs']} pairs ({splits})", f"pictures: {pictures}"]
    first.append(f"split SHA-256: {report['split_sha256']}")
    return [*first, *([FOR_VALIDATION] if VALIDATION in report["splits"] else []), *listed(report)]
