"""``python -m iacyclegan_tf.app``: a page in the browser to translate faces and to search a gallery with a sketch."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from iacyclegan_tf.common.command_line import Terminated, program, run_command
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import user_path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("app"),
        description="Serves a page to translate face photos and sketches and to search a gallery with a sketch. It "
        "needs the extra app (Gradio) and no internet, and by default answers this machine alone. Ctrl-C ends it and "
        "deletes what was uploaded. SavedModels are programs: use only those that you or people you trust wrote.",
    )
    models = parser.add_mutually_exclusive_group()
    models.add_argument(
        "--model",
        metavar="RUN_OR_DIR",
        help="a run's name or folder, or a folder of exports; by default the run in runs/ that finished a round last",
    )
    models.add_argument(
        "--server", metavar="HOST[:PORT]", help="ask a running TensorFlow Serving instead (docs/serving.md)"
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
    parser.add_argument("--label", metavar="NAME", help="of the server's versions, e.g. stable; by default the newest")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="an address of this machine; 0.0.0.0 lets others in: there is no password (default 127.0.0.1)",
    )
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one (default 7860)")
    return parser.parse_args(arguments)


def start(options: argparse.Namespace) -> None:
    if options.server is None and options.label:
        raise UserError("--label chooses versions of a server; name it with --server.")
    if options.server is not None and (options.round is not None or options.savedmodels):
        raise UserError("--round and --savedmodels choose a model of this machine; a server has its own.")
    if options.gallery and not options.gallery.is_dir():
        raise UserError(f"The gallery {options.gallery} is not there, or is no folder; name an index or photos.")
    signal.signal(signal.SIGTERM, _end)
    from iacyclegan_tf.common.terminal import open_console, say
    from iacyclegan_tf.web.folder import page_folder
    from iacyclegan_tf.web.server import interruptible, listening, serve

    console = open_console()
    with listening(options.host, options.port) as taken, page_folder() as folder:
        say(console, "Starting: TensorFlow and Gradio are loaded first, which takes some seconds.")

        def tell(address: str) -> None:
            say(console, f"Open {address} in a browser; Ctrl-C ends it.")

        serve(interruptible(lambda: _prepared(options, folder, console)), folder, taken, tell)


def _prepared(options: argparse.Namespace, folder, console):
    """The page, ready to answer; what takes long is said before it begins."""
    from iacyclegan_tf.common.terminal import say
    from iacyclegan_tf.web.answers import Served
    from iacyclegan_tf.web.examples import draw_examples, draw_gallery
    from iacyclegan_tf.web.page import build
    from iacyclegan_tf.web.sources import about_html, open_gallery, open_models, recognizes, try_models

    models, place = open_models(options), options.gallery
    say(console, f"Loading the models of {models.name}, {models.number} ({models.why}).")
    try_models(models)
    about, name = about_html(models), place and place.resolve().name
    if place is None and recognizes(models):
        place, name = draw_gallery(folder.path.parent / "drawn"), "drawn faces (none was given)"
    say(console, f"Opening the gallery: {name}." if place else "These models have no recognizers: nothing is searched.")
    gallery = place and open_gallery(place, models, folder.path.parent, console)
    return build(Served(models, gallery, name, about, folder, draw_examples(folder.examples)))


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
