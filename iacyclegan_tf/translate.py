"""``python -m iacyclegan_tf.translate``: face photos to sketches, or sketches to photos, with a trained model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from iacyclegan_tf.common.errors import UserError, not_all
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.outputs import add_overwrite, check_output_folder
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import expanded


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("translate"),
        description="Translates face photos to sketches, or sketches to photos, with a trained model. The largest "
        "face of a picture is found and cut out, unless it is the aligned crop already; outputs are PNG files of that "
        "crop. What is done already is not done again, so the same command goes on after a stop. A file that cannot be "
        "used is named at the end, and the exit code is 2. docs/use.md tells more.",
    )
    parser.add_argument(
        "inputs", nargs="+", type=expanded, metavar="IN", help="an image, a folder, or a glob in quotes ('a/**/*.jpg')"
    )
    parser.add_argument("output", type=expanded, metavar="OUT", help="a .png file for one image, else a folder")
    parser.add_argument("--to", choices=("sketch", "photo"), default="sketch", help="what to make (default sketch)")
    parser.add_argument(
        "--model",
        metavar="RUN_OR_DIR",
        help="a run, or a folder of exports such as savedmodels/serving; "
        "by default the run in runs/ that finished a round last",
    )
    parser.add_argument("--round", type=int, metavar="N", help="the round, or the version; by default the last")
    parser.add_argument("--savedmodels", metavar="DIR", help="the folder above the run's exports; by default its own")
    face = parser.add_mutually_exclusive_group()
    face.add_argument("--no-align", action="store_true", help="look for no face: take each picture as it is")
    face.add_argument(
        "--put-back", action="store_true", help="write the whole picture, with the translated face in its place"
    )
    parser.add_argument(
        "--eyes",
        metavar="x1,y1,x2,y2|FILE.csv",
        help="where the eyes are, in pixels, image-left eye "
        "first; or a table file,left_x,left_y,right_x,right_y for many images",
    )
    parser.add_argument(
        "--side-by-side", action="store_true", help="also NAME.side_by_side.png: input left, output right"
    )
    add_overwrite(parser)
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    from iacyclegan_tf.common.terminal import open_console, progress_bar
    from iacyclegan_tf.inference.translation_jobs import plan

    if options.eyes and options.no_align:
        raise UserError("--eyes says where the face is, and --no-align that none is looked for; give one of them.")
    check_output_folder(Path(options.output))
    planned = plan(options.inputs, options.output, options.side_by_side)
    jobs = planned.jobs
    from iacyclegan_tf.inference.load import load
    from iacyclegan_tf.inference.translation import Way, translate

    eyes = _eyes(options.eyes, jobs) if options.eyes else {}
    model = load(options.model, options.round, options.savedmodels)
    console = open_console()
    align = model.align and not options.no_align
    for line in [*planned.notes, *_about(model, align, options)]:
        console.print(line, soft_wrap=True, markup=False)
    outcomes = list(
        progress_bar(console)(
            translate(model, jobs, Way(options.to, align, eyes, options.put_back, options.overwrite)),
            printable(f"to {options.to}, by {model.name} {model.number}"),
            len(jobs),
        )
    )
    _tell(outcomes, planned.complaints, options.output, console)


def _about(model, align: bool, options: argparse.Namespace) -> list[str]:
    """Which models, why, and what they are not for."""
    lines = [printable(f"models: {model.name} {model.number}, {model.why}")]
    if not (align or options.no_align):
        sizes = ", ".join(model.trained_on.sizes)
        lines.append(
            f"no face is looked for: these models were trained on pictures of {printable(sizes)} cut otherwise"
        )
        if options.eyes or options.put_back:
            raise UserError(f"{lines[-1]}; --eyes and --put-back cannot be used with them.")
    return lines + ([model.caution] if model.caution else [])


def _eyes(text: str, jobs: list) -> dict:
    """Of the one picture, or of those that a table names."""
    import math

    import numpy as np

    from iacyclegan_tf.data.alignment.eye_files import read_eyes

    if text.lower().endswith(".csv"):
        return read_eyes(Path(text).expanduser(), [(job.source.as_posix(), job.source) for job in jobs])
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[2]:
        raise UserError(
            f"--eyes is {text!r}; it must be x1,y1,x2,y2 in pixels, the eye on the left of the image first, or a "
            "table FILE.csv."
        )
    if len(jobs) != 1:
        raise UserError(
            f"--eyes gives the eyes of one image, but there are {len(jobs)}; give a table FILE.csv "
            "(file,left_x,left_y,right_x,right_y)."
        )
    return {jobs[0].source: np.array(numbers).reshape(2, 2)}


def _tell(outcomes: list, complaints: list[str], output: Path, console) -> None:
    by_state = {state: [one for one in outcomes if one.state == state] for state in ("written", "done", "failed")}
    for one in by_state["written"]:
        for reason in one.why:
            console.print(printable(f"look at {one.job.target}: {reason}", 2000), soft_wrap=True, markup=False)
    console.print(
        printable(f"{output}: {len(by_state['written'])} written, {len(by_state['done'])} done before", 2000),
        soft_wrap=True,
        markup=False,
    )
    failed = [one.why[0] for one in by_state["failed"]] + complaints
    if failed:
        words = not_all(len(failed), len(outcomes) + len(complaints), "could not be translated")
        raise UserError("\n".join([words, *(f"  {line}" for line in failed)]))


def main() -> None:
    sys.exit(run_command(lambda: run(parse())))


if __name__ == "__main__":
    main()
