"""``python -m iacyclegan_tf.prepare LAYOUT SOURCE OUT``: a photo-sketch set as distributed, made ready for training.

See ``docs/data.md`` for the sets, one command each, and the traps.
"""

import argparse
import sys

from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.data.pairs.naming import SPLITS
from iacyclegan_tf.data.preparing.layouts import LAYOUTS


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    layouts = "\n".join(f"  {name:13} {layout.summary}" for name, layout in LAYOUTS.items())
    commands = argparse.ArgumentParser(
        prog=program("prepare"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Pair, align to 200x250 and check the photos and sketches of a set as distributed.",
        epilog=f"layouts:\n{layouts}\n\nOUT receives photos/, sketches/, manifest.csv, prepare.json, "
        "report.txt and contact_sheet.png (look at it).",
    )
    commands.add_argument("layout", metavar="LAYOUT", choices=LAYOUTS, help="one of the layouts below")
    commands.add_argument("source", metavar="SOURCE", type=user_path, help="folder, zip file, or folder of zip files")
    commands.add_argument("out", metavar="OUT", type=user_path, help="folder to make")
    commands.add_argument(
        "--eyes",
        type=user_path,
        metavar="FILE",
        help="CSV: file,left_x,left_y,right_x,right_y (left and right in the image)",
    )
    commands.add_argument(
        "--split-file",
        type=user_path,
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
    return commands.parse_args(arguments)


def prepare(arguments: argparse.Namespace) -> None:
    """Prepare the set and print the report."""
    from iacyclegan_tf.common.terminal import open_console, progress_bar
    from iacyclegan_tf.data.preparing import preparation, report

    found = preparation.prepare(preparation.Request(**vars(arguments)), progress_bar(open_console()))
    print("\n".join(report.report_lines(found)))
    print(f"written to {arguments.out}; look at {arguments.out / 'contact_sheet.png'}")


def main() -> None:
    sys.exit(run_command(lambda: prepare(parse())))


if __name__ == "__main__":
    main()
