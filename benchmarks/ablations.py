"""The method against what is left of it: presets trained, evaluated and tabled by two commands. Hours of training.

    python -m benchmarks.ablations run results/drawn                       # the method's presets, quickstart's settings
    python -m benchmarks.ablations run results/cufs --config configs/cufs_student_128.yaml --seeds 0,1 data.root=PATH
    python -m benchmarks.ablations table results/drawn --into docs/results.md --name drawn

Run from the repository root. All presets share settings, data, seed and number of steps, but for what their line below
says. ``run`` goes on where it stopped: finished presets are skipped, a begun one is resumed. With ``--minutes`` each
preset gets that much wall time and is judged by the rounds that it finished in it.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.ablation_runs import ADDITIONS, PRESETS, Preset, run_presets
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.run_command import run_command


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train and evaluate what is not done yet")
    run.add_argument("folder", type=Path, metavar="FOLDER", help="for runs, exports, logs and results")
    run.add_argument("--config", type=Path, metavar="FILE", help="the settings that all share; default: the quickstart")
    run.add_argument(
        "--only", metavar="A,B", help=f"some of {', '.join(PRESETS)} (default: these), {', '.join(ADDITIONS)}"
    )
    run.add_argument(
        "--best", type=Path, metavar="FILE", help="one preset more: the settings of this file, with the same data"
    )
    run.add_argument(
        "--seeds", default="0", metavar="A,B", help="train each preset with each of these seeds (default 0)"
    )
    run.add_argument(
        "--minutes", type=float, metavar="M", help="of wall time for each preset; default: until it is finished"
    )
    run.add_argument("settings", nargs="*", metavar="setting=value", help="for all presets, e.g. data.root=PATH")
    table = commands.add_parser("table", help="Markdown tables of a results folder")
    table.add_argument("folder", type=Path, metavar="FOLDER")
    table.add_argument("--into", type=Path, metavar="FILE", help="replace (or append) the section --name of this file")
    table.add_argument("--name", metavar="NAME", help="of the section; default: the folder's name")
    if arguments is None:
        arguments = sys.argv[1:]
    return (
        run.parse_intermixed_args(arguments[1:], argparse.Namespace(command="run"))
        if arguments[:1] == ["run"]
        else parser.parse_args(arguments)
    )


def chosen(only: str | None) -> dict[str, Preset]:
    known = PRESETS | ADDITIONS
    names = list(PRESETS) if only is None else [name.strip() for name in only.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f"--only names {', '.join(map(repr, unknown))}; known presets are {', '.join(known)}.")
    return {name: known[name] for name in names}


def main() -> None:
    arguments = parse()

    def command() -> None:
        if arguments.command == "run":
            presets = chosen(arguments.only)
            if arguments.best is not None:
                presets["best"] = Preset(f"settings of {arguments.best}")
            run_presets(arguments, presets)
        else:
            from benchmarks.ablation_tables import write_tables

            write_tables(arguments.folder, arguments.into, arguments.name or arguments.folder.resolve().name)

    sys.exit(run_command(command))


if __name__ == "__main__":
    main()
