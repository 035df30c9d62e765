"""``python -m iacyclegan_tf.compare RUN RUN …``: evaluated runs side by side, with paired bootstrap intervals."""

from __future__ import annotations

import argparse
import json
import sys

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.outputs import add_overwrite, check_output, check_output_folder, made_by
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import user_path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("compare"),
        description="Compares evaluated runs (python -m iacyclegan_tf.evaluate) on the same test people: means, and "
        "differences from the first run with intervals of a paired bootstrap over people.",
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", help="a run's name or folder: its last round; RUN:N for round N"
    )
    parser.add_argument("--out", type=user_path, metavar="DIR", help="also write comparison.json and .md there")
    add_overwrite(parser)
    parser.add_argument("--evaluation", metavar="NAME", help="compare what evaluate --data has left under this name")
    parser.add_argument("--resamples", type=int, default=2000, metavar="N", help="of the bootstrap (default 2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the bootstrap (default 0)")
    return parser.parse_args(arguments)


def compare(arguments: argparse.Namespace) -> None:
    from iacyclegan_tf.common.atomic_files import write_text
    from iacyclegan_tf.common.tables import print_table
    from iacyclegan_tf.common.terminal import open_console, progress_bar, say
    from iacyclegan_tf.evaluation import comparison
    from iacyclegan_tf.evaluation.report import comparison as report

    if len(arguments.runs) < 2 or len(set(arguments.runs)) < len(arguments.runs):
        raise UserError(f"A comparison needs two or more different runs; given: {', '.join(arguments.runs)}.")
    if arguments.resamples < 1 or arguments.seed < 0:
        raise UserError(
            f"--resamples must be at least 1 and --seed 0 or more; they are {arguments.resamples} and {arguments.seed}."
        )
    names = ("comparison.json", "comparison.md")
    if arguments.out and check_output_folder(arguments.out).is_dir():
        for name in names:
            check_output(arguments.out / name, "compare", arguments.overwrite, arguments.out / names[0])
    console, errors = open_console(), open_console(errors=True)
    contenders = [comparison.read_contender(run, arguments.evaluation) for run in arguments.runs]
    rows = comparison.compare(
        contenders, arguments.resamples, arguments.seed, *([progress_bar(errors)] if errors.is_terminal else [])
    )
    settings = arguments.resamples, arguments.seed
    tables = report.comparison_tables(contenders, rows, *settings)
    for table in tables:
        print_table(table, console)
    if arguments.out:
        about = {"made_by": made_by("compare")} | report.comparison_json(contenders, rows, *settings)
        texts = (
            json.dumps(about, indent=2, ensure_ascii=False) + "\n",
            "\n".join(table.markdown() for table in tables),
        )
        for name, text in zip(names, texts):
            write_text(arguments.out / name, text)
        say(console, f"Written to {arguments.out}: {', '.join(names)}")


def main() -> None:
    sys.exit(run_command(lambda: compare(parse())))


if __name__ == "__main__":
    main()
