"""``python -m iacyclegan_tf.samples OUT``: a few drawn photos, sketches and a scene to try the commands on."""

from __future__ import annotations

import argparse
import sys

from iacyclegan_tf.common.outputs import add_overwrite
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import user_path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("samples"),
        description="Writes the photos and sketches of a few people who do not exist, to OUT/photos and OUT/sketches, "
        "and a face in a larger picture, OUT/scene.png.",
    )
    parser.add_argument("out", type=user_path, metavar="OUT", help="a folder")
    add_overwrite(parser)
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    from iacyclegan_tf.common.terminal import open_console, say
    from iacyclegan_tf.data.drawn.samples import PEOPLE, write_samples

    write_samples(options.out, options.overwrite)
    say(open_console(), f"{options.out}: {PEOPLE} photos and as many sketches of drawn people, and scene.png")


def main() -> None:
    sys.exit(run_command(lambda: run(parse())))


if __name__ == "__main__":
    main()
