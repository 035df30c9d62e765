"""``python -m iacyclegan_tf.beam``: translates or embeds image collections of any size, as an Apache Beam pipeline."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from iacyclegan_tf.common.errors import UserError, not_all
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import expanded
from iacyclegan_tf.serving.signatures import PHOTO_TO_SKETCH, SKETCH_TO_PHOTO

_SHOWN = 20  # failures that are printed


def parse(arguments: list[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog=program("beam"),
        allow_abbrev=False,
        description="Translates or embeds all images below a folder with a trained model, on this "
        "machine or on any runner of Apache Beam. Options that are not listed here go to Beam, e.g. "
        "--runner=DataflowRunner. An image that cannot be used is named with its reason in OUT/failures.jsonl. Needs "
        "pip install 'iacyclegan_tf[beam]'.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    translate = commands.add_parser("translate", help="photos to sketches, or sketches to photos", allow_abbrev=False)
    translate.add_argument("--to", choices=("sketch", "photo"), required=True)
    embed = commands.add_parser("embed", help="embeddings of length 1, as TFRecords", allow_abbrev=False)
    embed.add_argument("--of", choices=("photo", "sketch"), required=True, help="what the images are")
    for command in (translate, embed):
        command.add_argument(
            "--model",
            required=True,
            metavar="RUN",
            help="a run's name or folder, or the folder of one SavedModel, where every worker can read it",
        )
        command.add_argument("--round", type=int, metavar="N", help="of a run; by default the last")
        command.add_argument(
            "--savedmodels", metavar="DIR", help="the folder above the run's exports; by default its own"
        )
        command.add_argument("--images", required=True, type=expanded, metavar="DIR", help="with all folders below it")
        command.add_argument("--out", required=True, type=expanded, metavar="DIR")
        command.add_argument(
            "--batch", type=int, default=8, metavar="N", help="images in one call of the model (default 8)"
        )
        command.add_argument(
            "--workers", type=int, default=1, metavar="N", help="processes on this machine, without --runner"
        )
    return parser.parse_known_args(arguments)


def run(options: argparse.Namespace, more: list[str]) -> None:
    if options.batch < 1 or options.workers < 1:
        raise UserError(f"--batch is {options.batch} and --workers {options.workers}; both must be at least 1.")
    if set("[]*?") & set(options.out):
        raise UserError(f"--out is {options.out!r}; Beam takes [ ] * ? for a pattern, so it must hold none of them.")
    wrong = [word for word in more if not word.startswith("--")]
    if wrong:
        raise UserError(f"{wrong[0]!r} is no option; write Beam's options as --name=value.")
    if not any(word.startswith("--runner") for word in more):
        more = [*more, *local(options.workers)]
    elif options.workers > 1:
        raise UserError("--workers counts processes on this machine; with --runner give the runner's own option.")
    if not any(word.startswith("--default_sdk_harness_log_level") for word in more):
        more = [*more, "--default_sdk_harness_log_level=WARNING"]
    logging.getLogger().setLevel(
        logging.ERROR
    )  # Beam warns of clients that nobody asked for, and of files that it replaces
    try:
        import apache_beam  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"Apache Beam cannot be imported ({error}); install it with: pip install 'iacyclegan_tf[beam]'"
        ) from None
    from iacyclegan_tf.inference.pipeline.running import Job
    from iacyclegan_tf.inference.pipeline.running import run as run_job

    if options.command == "translate":
        servable, kind = PHOTO_TO_SKETCH if options.to == "sketch" else SKETCH_TO_PHOTO, options.to
    else:
        servable, kind = f"{options.of}_recognizer", "embedding"
    if "://" not in options.images and not Path(options.images).is_dir():
        raise UserError(f"--images is {options.images!r}, which is no folder.")
    job = Job(model_folder(options, servable), kind, options.images, options.out, options.batch)
    _tell(*run_job(job, more), options.out)


def _tell(counted: dict[str, int], failures: list[dict], out: str) -> None:
    there = f", {counted['there']} were there" if counted["there"] else ""
    left_out = f", {counted['left out']} left out (hidden or made by systems)" if counted["left out"] else ""
    print(f"{counted['written']} results in {out}{there}, {len(failures)} failures{left_out}")
    if failures:
        total = len(failures) + counted["written"] + counted["there"]
        words = not_all(len(failures), total, "could not be used")[:-1]
        lines = [f"  {one['name']}: {one['reason']}" for one in failures[:_SHOWN]]
        more = [f"  ... and {len(failures) - _SHOWN} more"] if len(failures) > _SHOWN else []
        raise UserError("\n".join([f"{words}; {out}/failures.jsonl names all that could not:", *lines, *more]))


def local(workers: int) -> list[str]:
    """Beam's options for ``workers`` processes of this machine, and TensorFlow's threads shared out among them."""
    if workers == 1:
        return ["--runner=FnApiRunner"]
    threads = str(max(1, len(os.sched_getaffinity(0)) // workers))
    # of the environment, so that the processes have them before their first operation
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, threads)
    return ["--runner=FnApiRunner", f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing"]


def model_folder(options: argparse.Namespace, servable: str) -> str:
    """The SavedModel's folder; ``UserError`` where there is none."""
    if "://" in options.model or (Path(options.model) / "saved_model.pb").is_file():
        return options.model
    from iacyclegan_tf.inference.runs import open_run

    run = open_run(options.model, options.savedmodels)
    return str(run.servable(servable, run.rounds(options.round)[-1]).resolve())


def main() -> None:
    sys.exit(run_command(lambda: run(*parse())))


if __name__ == "__main__":
    main()
