"""``python -m iacyclegan_tf``: the list of the commands."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from iacyclegan_tf import __version__

# In the order in which a user meets them.
COMMANDS = (
    "train", "samples", "translate", "gallery", "app", "prepare", "evaluate", "compare", "export", "client", "weights",
    "beam",
)  # fmt: skip


def main() -> None:
    print(f"iacyclegan_tf {__version__}: face photo-sketch synthesis and recognition. Commands, each with --help:\n")
    for name in COMMANDS:
        print(f"  python -m iacyclegan_tf.{name:10} {_summary(name)}")
    print("\nInstalled, each is a program too: iacyclegan-train, iacyclegan-translate, ...")
    unknown = [word for word in sys.argv[1:] if word not in ("-h", "--help")]
    if unknown:
        print(f"error: {unknown[0]!r} is not taken here; write one of the commands above.", file=sys.stderr)
        sys.exit(2)


def _summary(name: str) -> str:
    """From the first line of the command's file, which is not imported: what stands behind its name."""
    text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)).splitlines()[0].partition(": ")[2].rstrip(".")


if __name__ == "__main__":
    main()
