"""``python -m iacyclegan_tf.app``: a page in the browser to translate faces and to search a gallery with a sketch."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.run_command import Terminated, program, run_command
from iacyclegan_tf.common.terminal import open_console, say
from iacyclegan_tf.common.user_paths import user_path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("app"),
        description="Serves a page to translate face photos and sketches and to search a gallery with a sketch. It "
        "needs the extra app (Gradio) and no internet, and by default answers this machine alone. Ctrl-C ends it and "
        "deletes what was uploaded. SavedModels are programs: use only those that you or people you trust wrote.",
    )
    parser.add_argument(
        "--model",
        metavar="RUN_OR_DIR",
        help="a run's name or folder, or a folder of exports; by default the run in runs/ that finished a round last",
    )
    parser.add_argument("--round", type=int, metavar="N", help="of the model, by default its last")
    parser.add_argument(
        "--savedmodels", metavar="DIR", help="the folder above the exports of runs, if not as the run says"
    )
    parser.add_argument(
        "--gallery",
        type=user_path,
        metavar="INDEX_OR_DIR",
        help="what the tab Search looks in: an index of "
        "iacyclegan_tf.gallery, or a folder of photos, which is read at the start and forgotten at the end; by default "
        "some drawn faces",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="an address of this machine; 0.0.0.0 lets others in: there is no password (default 127.0.0.1)",
    )
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one (default 7860)")
    return parser.parse_args(arguments)


def start(options: argparse.Namespace) -> None:
    if options.gallery and not options.gallery.is_dir():
        raise UserError(f"The gallery {options.gallery} is not there, or is no folder; name an index or photos.")
    signal.signal(signal.SIGTERM, _end)
    from iacyclegan_tf.web.folder import page_folder
    from iacyclegan_tf.web.server import listening, serve

    console = open_console()
    with listening(options.host, options.port) as taken, page_folder() as folder:
        say(console, "Starting: TensorFlow and Gradio are loaded first, which takes some seconds.")
        from iacyclegan_tf.web.page import build
        from iacyclegan_tf.web.sources import opened

        page = build(opened(options, folder, console))
        serve(page, folder, taken, lambda address: say(console, f"Open {address} in a browser; Ctrl-C ends it."))


def _end(*_) -> None:
    raise Terminated("the page is gone, and so is what was uploaded")


def main() -> None:
    code = run_command(lambda: start(parse()))
    if code > 128:  # stopped by a signal: threads may still compute, and nobody waits for them
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
