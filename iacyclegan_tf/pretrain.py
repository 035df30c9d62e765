"""``python -m iacyclegan_tf.pretrain ROOT --out FILE.npz``: a recognizer from people with several photos each."""

from __future__ import annotations

import argparse
import sys

from iacyclegan_tf.common.command_line import program, run_command
from iacyclegan_tf.common.outputs import add_overwrite
from iacyclegan_tf.common.user_paths import user_path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("pretrain"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Trains a face recognizer from nothing on a folder with one sub-folder of photos per person, and\n"
        "measures it on other people of that folder: one photo each as gallery, all others as probes, averaged over\n"
        "the choice of that photo. The same command goes on where it stopped (docs/recognizers.md).",
        epilog="PEOPLE: names and ranges separated by commas, e.g. s1-s20 or anna,bob,p001-p120, or a file of such\n"
        "lines.\n\nWritten: FILE.npz, for recognizer.weights=FILE.npz of iacyclegan_tf.train; FILE.json, the "
        "measures;\nthe folder FILE.pretrain with settings, history and TensorBoard events.",
    )
    parser.add_argument("root", metavar="ROOT", type=user_path, help="folder with one sub-folder per person")
    parser.add_argument(
        "--train", metavar="PEOPLE", default="", help="the people to train on; default: all who are not tested on"
    )
    parser.add_argument(
        "--test", metavar="PEOPLE", default="", help="the people to measure on; default: none, only train"
    )
    parser.add_argument("--out", metavar="FILE.npz", type=user_path, required=True, help="the recognizer's weights")
    add_overwrite(parser)
    parser.add_argument("--skip-bad", action="store_true", help="go on without the photos that cannot be read")
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        help="a packaged config or a file; its data.height, data.width, data.fit, recognizer and train settings count",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="setting=value", help="e.g. seed=1 recognizer.people.steps=3000"
    )
    return parser.parse_intermixed_args(arguments)


def pretrain(arguments: argparse.Namespace) -> None:
    from iacyclegan_tf.common.terminal import open_console
    from iacyclegan_tf.training.pretraining import request, run

    # mistakes are told before TensorFlow is loaded; logs are not folded at 80 columns
    run(request(arguments), open_console())


def main() -> None:
    sys.exit(run_command(lambda: pretrain(parse())))


if __name__ == "__main__":
    main()
