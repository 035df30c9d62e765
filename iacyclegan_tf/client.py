"""``python -m iacyclegan_tf.client``: asks a TensorFlow Serving process for sketches, photos or embeddings."""

from __future__ import annotations

import argparse
import sys

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.outputs import add_overwrite, check_output, check_output_folder
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.serving.signatures import SERVABLES

_LONGEST_S = 86_400


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("client"),
        description="Asks a TensorFlow Serving process that serves the exports of a run (docs/serving.md). Images "
        "that cannot be used are named at the end, and the others are done.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    translate = commands.add_parser("translate", help="photos to sketches, or sketches to photos, as PNG files")
    translate.add_argument("images", nargs="+", type=user_path, metavar="IMAGE", help="of any format")
    translate.add_argument("--to", choices=("sketch", "photo"), required=True)
    translate.add_argument(
        "--out", type=user_path, required=True, metavar="DIR", help="for NAME.sketch.png, NAME.photo.png"
    )

    embed = commands.add_parser("embed", help="embeddings of length 1, as an .npz file")
    embed.add_argument("images", nargs="+", type=user_path, metavar="IMAGE")
    embed.add_argument("--of", choices=("photo", "sketch"), required=True, help="what the images are")
    embed.add_argument("--out", type=user_path, required=True, metavar="FILE.npz", help="arrays names and embeddings")

    status = commands.add_parser("status", help="which versions are loaded")
    status.add_argument("--model", choices=SERVABLES, help="by default all four")

    for command in (translate, embed, status):
        command.add_argument(
            "--server", required=True, metavar="HOST[:PORT]", help="of its REST API; without PORT 8501"
        )
        command.add_argument("--timeout", type=float, default=30.0, metavar="S", help="for one request (default 30)")
        command.add_argument("--retries", type=int, default=3, help="where nobody answers (default 3)")
        command.add_argument(
            "--max-message-mb", type=int, default=64, metavar="MB", help="per request and per answer (default 64)"
        )
    for command in (translate, embed):
        add_overwrite(command)
        command.add_argument("--no-align", action="store_true", help="look for no faces: take the images as they are")
        command.add_argument("--batch", type=int, default=8, metavar="N", help="images in one request (default 8)")
        which = command.add_mutually_exclusive_group()
        which.add_argument("--version", type=int, help="by default the newest that is loaded")
        which.add_argument("--label", help="e.g. stable")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    from iacyclegan_tf.serving.client import commands
    from iacyclegan_tf.serving.client.connection import Connection
    from iacyclegan_tf.serving.client.exchange import server_at

    if not (0 < options.timeout <= _LONGEST_S and options.retries >= 0 and options.max_message_mb >= 1):
        raise UserError(
            f"--timeout is {options.timeout:g}, --retries {options.retries}, --max-message-mb "
            f"{options.max_message_mb}: more than 0 and at most {_LONGEST_S}, 0 or more, and at least 1 are allowed."
        )
    if options.command != "status":
        _check(options)
    connection = Connection(server_at(options.server, options.timeout, options.retries, options.max_message_mb))
    if options.command == "status":
        for name in [options.model] if options.model else SERVABLES:
            print(f"{name}: {printable(', '.join(connection.status(name)) or 'no version', 2000)}")
        return
    getattr(commands, options.command)(connection, options)


def _check(options: argparse.Namespace) -> None:
    if options.batch < 1:
        raise UserError(f"--batch is {options.batch}; it must be at least 1.")
    if options.command == "translate":
        check_output_folder(options.out)
    else:
        check_output(options.out, "client", options.overwrite)


def main() -> None:
    sys.exit(run_command(lambda: run(parse())))


if __name__ == "__main__":
    main()
