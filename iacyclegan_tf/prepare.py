"""Command: bring a photo-sketch set as distributed into the form that training reads.

    python -m iacyclegan_tf.prepare cufs-student downloads/cuhk prepared/cuhk

See ``docs/data.md`` for the sets, one command each, and the traps.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from iacyclegan_tf.common.command_line import run_command
from iacyclegan_tf.data.pairs.splits import SPLITS
from iacyclegan_tf.data.preparing.layouts import LAYOUTS

MAX_SHARDS = 99_999  # file names have five digits


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    layouts = "\n".join(f"  {name:13} {layout.summary}" for name, layout in LAYOUTS.items())
    commands = argparse.ArgumentParser(
        prog="python -m iacyclegan_tf.prepare",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Pair, align to 200x250 and check the photos and sketches of a set as distributed.",
        epilog=f"layouts:\n{layouts}\n\nOUT receives photos/, sketches/, manifest.csv, prepare.json, "
        "report.txt and contact_sheet.png (look at it).\nWith --shards also tfrecords/; the same command goes on "
        "where it stopped. SOURCE = OUT only adds\ntfrecords/ to a folder of pairs that is there already.",
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
    commands.add_argument(
        "--shards", type=_shards, metavar="N", help="also write N TFRecord files per split, for data.format=tfrecord"
    )
    commands.add_argument("--force", action="store_true", help="replace an earlier result in OUT")
    return commands


def _shards(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_SHARDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_SHARDS}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, prepare, print the report."""
    settings = vars(parser().parse_args(arguments))
    shards = settings.pop("shards")
    from iacyclegan_tf.data.preparing.earlier import is_prepared, prepared_pairs
    from iacyclegan_tf.data.preparing.preparation import BadFiles, Request, prepare
    from iacyclegan_tf.data.preparing.report import report_lines

    request = Request(**settings)
    if shards and is_prepared(request):
        print(f"{request.out} is prepared; its shards are written or completed")
    else:
        try:
            report = prepare(request, _with_progress)
        except BadFiles as error:
            for line in [*error.unpaired, *(f"{entry['file']}: {entry['reason']}" for entry in error.bad)]:
                print(line, file=sys.stderr)
            raise
        print("\n".join(report_lines(report)))
        print(f"written to {request.out}; look at {request.out / 'contact_sheet.png'}")
    if shards:
        from iacyclegan_tf.data.shards.writing import write_shards

        print("\n".join(write_shards(prepared_pairs(request), request.out, shards, _with_progress)))


def _with_progress(pairs: Sequence, words: str = "preparing") -> Iterable:
    from rich.progress import track

    from iacyclegan_tf.common.terminal import open_console

    console = open_console(errors=True)
    return track(pairs, words, console=console, disable=not console.is_terminal, transient=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
