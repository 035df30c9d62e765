"""``python -m iacyclegan_tf.train``: trains IACycleGAN in rounds; the same command goes on where it stopped."""

from __future__ import annotations

import argparse
import sys

from iacyclegan_tf import __version__
from iacyclegan_tf.common.run_command import program, run_command


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("train"),
        description="Trains photo-sketch synthesis and recognition in rounds of mutual optimization. Without --config "
        "it trains the quickstart on drawn faces. The same command goes on where it stopped.",
    )
    parser.add_argument(
        "--config", metavar="NAME|FILE", default="quickstart", help="a packaged config, e.g. cufs, or a YAML file"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved settings, data, parameters, time and memory, and stop",
    )
    parser.add_argument(
        "--no-timing", action="store_true", help="with --dry-run: time nothing, estimate memory by formula"
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("overrides", nargs="*", metavar="setting=value", help="e.g. train.epochs=4 data.root=PATH")
    return parser.parse_intermixed_args(arguments)  # settings may stand before and after options


def train(arguments: argparse.Namespace) -> None:
    from iacyclegan_tf.common.terminal import open_console, say
    from iacyclegan_tf.config.checks import check_inputs
    from iacyclegan_tf.config.reading import load_config
    from iacyclegan_tf.config.settings_in_vain import without_effect
    from iacyclegan_tf.training.distributed.cluster import read_cluster

    config = load_config(arguments.config, arguments.overrides)
    check_inputs(config)
    console = open_console()
    if in_vain := without_effect(config):
        say(console, f"Without effect beside the other settings: {'; '.join(in_vain)}.")
    if arguments.dry_run:
        from iacyclegan_tf.training.cost.dry_run import dry_run

        dry_run(config, console, timing=not arguments.no_timing)
    elif cluster := read_cluster():
        from iacyclegan_tf.training.start_worker import train_as_worker

        train_as_worker(config, cluster, console)
    else:
        from iacyclegan_tf.training.start import start

        start(config, console)


def main() -> None:
    sys.exit(run_command(lambda: train(parse())))


if __name__ == "__main__":
    main()
