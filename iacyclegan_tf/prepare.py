"""Command: bring a photo-sketch set as distributed into the form that training reads.

    python -m iacyclegan_tf.prepare cufs-student downloads/cuhk prepared/cuhk

See ``docs/data.md`` for the sets, one command each, and the traps.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from iacyclegan_tf.common.command_line import run_command
from iacyclegan_tf.data.pairs.naming import SPLITS
from iacyclegan_tf.data.preparing.layouts import LAYOUTS


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    layouts = "\n".join(f"  {name:13} {layout.summary}" for name, layout in LAYOUTS.items())
    commands = argparse.ArgumentParser(
        prog="python -m iacyclegan_tf.prepare",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Pair, align to 200x250 and check the photos and sketches of a set as distributed.",
        epilog=f"layouts:\n{layouts}\n\nOUT receives photos/, sketches/, manifest.csv, prepare.json, "
        "report.txt and contact_sheet.png (look at it).",
    )
    commands.add_argument("layout", metavar="LAYOUT", choices=LAYOUTS, help="one of the layouts below")
    commands.add_argument("source", metavar="SOURCE", type=Path, help="folder, zip file, or folder of zip files")
    commands.add_argument("out", metavar="OUT", type=Path, help="folder to make")
    commands.add_argument(
        "--eyes",
        type=Path,
        metavar="FILE",
        help="CSV: file,left_x,left_y,right_x,right_y (left and right in the image)",
    )
    commands.add_argument(
        "--split-file",
        type=Path,
        metavar="FILE",
        help="YAML file of names, split by split, for sets without an official split",
    )
    commands.add_argument(
        "--split",
        choices=("auto", *SPLITS),
        default="auto",
        help="give this split to every pair (default: from names, folders or --split-file)",
    )
    commands.add_argument("--skip-bad", action="store_true", help="go on without files that cannot be used")
    commands.add_argument("--force", action="store_true", help="replace an earlier result in OUT")
    return commands


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, prepare, print the report."""
    settings = vars(parser().parse_args(arguments))
    from iacyclegan_tf.common.terminal import open_console, progress_bar
    from iacyclegan_tf.data.preparing.preparation import Request, prepare
    from iacyclegan_tf.data.preparing.report import report_lines

    report = prepare(Request(**settings), progress_bar(open_console()))
    print("\n".join(report_lines(report)))
    print(f"written to {settings['out']}; look at {settings['out'] / 'contact_sheet.png'}")


if __name__ == "__main__":
    sys.exit(run_command(main))
