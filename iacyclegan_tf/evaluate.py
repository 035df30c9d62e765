"""``python -m iacyclegan_tf.evaluate RUN``: every measure of a trained run, from its exported SavedModels."""

from __future__ import annotations

import argparse
import sys

from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import there, user_path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("evaluate"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures a run's exported networks on the test people (docs/evaluation.md): SSIM, FSIM,\n"
        "sharpness, NLDA, retrieval and verification on the whole crop and the face alone, HOG, trivial baselines.",
        epilog="Written per round: metrics.json, people.csv, scores.npz; for all: report.html and TensorBoard.\n"
        "With --data everything goes to RUN/evaluations/NAME and the run's own numbers stay as they are.",
    )
    parser.add_argument("run", metavar="RUN", help="the run's name, or its folder")
    parser.add_argument("--round", type=int, metavar="N", help="this round only; default: all that are finished")
    parser.add_argument(
        "--data", type=user_path, metavar="ROOT", help="other pairs than the run's own, with a train and a test split"
    )
    parser.add_argument(
        "--split-file", type=user_path, metavar="FILE", help="a file of names for --data (docs/data.md)"
    )
    parser.add_argument("--split", metavar="NAME", default="auto", help="which split of --data to test on")
    parser.add_argument("--name", metavar="NAME", help="of the evaluation with --data; default: the last part of ROOT")
    parser.add_argument(
        "--distractors",
        type=user_path,
        metavar="DIR",
        help="photos of other people, aligned alike, for rank-k against the gallery's size",
    )
    parser.add_argument(
        "--nlda", choices=("cufs", "cufsf"), default="cufs", help="train on 150/338 or 300/944 of the test people"
    )
    parser.add_argument(
        "--savedmodels", type=user_path, metavar="DIR", help="where the exports of runs lie, if not as the run says"
    )
    return parser.parse_args(arguments)


def evaluate(arguments: argparse.Namespace) -> None:
    from iacyclegan_tf.common.terminal import open_console
    from iacyclegan_tf.config.checks import check_inputs
    from iacyclegan_tf.inference.runs import open_run

    run = open_run(arguments.run, arguments.savedmodels)
    numbers = run.rounds(arguments.round)  # mistakes are told before TensorFlow is loaded
    for path, what in (
        (arguments.data, "The folder of pairs"),
        (arguments.split_file, "The file of names"),
        (arguments.distractors, "The folder of distractors"),
    ):
        if path:
            there(path, what)
    if arguments.data is None:
        check_inputs(run.config)
    from iacyclegan_tf.evaluation.measure_run import evaluate_run

    evaluate_run(run, numbers, arguments, open_console())


def main() -> None:
    sys.exit(run_command(lambda: evaluate(parse())))


if __name__ == "__main__":
    main()
