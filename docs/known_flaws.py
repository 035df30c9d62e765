"""Writes the table of known flaws into SECURITY.md: ``python docs/known_flaws.py``.

The versions are those of requirements.txt; what is known of them was read by people on the day ``READ``, which has to
be set anew whenever a line below is. A package that is named here and no longer pinned ends the script with code 1.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
READ = "2026-11-26"
BEGIN, END = "<!-- known flaws: begin -->\n", "<!-- known flaws: end -->\n"

# package: (what is known, what follows here)
KNOWN = {
    "tensorflow": (
        "an old branch: flaws found after March 2024 are mended in newer branches only. Advisories up to TensorFlow "
        "2.12 (e.g. CVE-2023-25671, CVE-2023-25673, mended in 2.11.1 and 2.12) are in it. TensorFlow's own policy: a "
        "model is a program, and TensorFlow no sandbox",
        "give it no graphs of strangers; images reach its decoders only within the bounds above",
    ),
    "keras": (
        "CVE-2024-3660 (Lambda layers, below 2.13) is mended for the `.keras` format only; `.h5` files and SavedModels "
        "never had a safe mode (described for Keras 3 as CVE-2025-9905). CVE-2025-1550, CVE-2025-9906 and "
        "CVE-2026-1462 are of Keras 3 and its `.keras` files",
        "no Keras loader is ever called, on any format",
    ),
    "tensorflow-addons": (
        "at its end since May 2024, no further releases",
        "one loss of it is used, in one file (`method/triplet_loss.py`)",
    ),
    "tensorflow-io": (
        "at its end; a PNM reader in C++",
        "only for PGM and PPM, in one file (`data/images/pixels.py`), after our own header checks",
    ),
    "opencv-python-headless": (
        "CVE-2025-53644 (reading JPEG, mended in 4.12, which needs NumPy 2)",
        "OpenCV reads no file here: it finds eyes and scales pixels",
    ),
    "tensorboard": ("a development server", "`tensorboard` binds to localhost unless told otherwise; leave it so"),
}


def pinned() -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M))


def table() -> str:
    versions = pinned()
    missing = sorted(KNOWN.keys() - versions.keys())
    if missing:
        sys.exit(f"error: {', '.join(missing)}: named in {Path(__file__).name}, but not in requirements.txt")
    rows = [f"| {name} {versions[name]} | {known} | {follows} |\n" for name, (known, follows) in KNOWN.items()]
    rest = (
        f"| the other {len(versions) - len(KNOWN)} | newest that work together on the day of pinning | pinned anew |\n"
    )
    head = f"Read {READ}:\n\n| package | known | what follows here |\n|---|---|---|\n"
    return head + "".join(rows) + rest


def written(text: str) -> str:
    """SECURITY.md with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    page = ROOT / "SECURITY.md"
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
