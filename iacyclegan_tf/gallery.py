"""``python -m iacyclegan_tf.gallery``: face photos that are searched with a sketch."""

from __future__ import annotations

import argparse
import sys

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.outputs import add_overwrite, check_output, check_output_folder, made_by
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.terminal import counting_bar, open_console, say
from iacyclegan_tf.common.user_paths import user_path

_WAYS = ("fusion", "photo", "sketch")
_LONGEST_NAME = 4096  # characters: as long as paths are


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("gallery"),
        description="Face photos that are searched with a sketch (docs/gallery.md). Killed at any moment, the same "
        "command goes on.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    build = commands.add_parser("build", help="embed all photos below a folder, or those that are new or changed")
    build.add_argument("photos", type=user_path, metavar="DIR")
    build.add_argument("index", type=user_path, metavar="INDEX", help="the gallery's folder")

    add = commands.add_parser("add", help="embed more photos")
    add.add_argument("index", type=user_path, metavar="INDEX")
    add.add_argument("photos", nargs="+", type=user_path, metavar="PHOTO", help="files or folders")

    remove = commands.add_parser("remove", help="forget photos and their embeddings")
    remove.add_argument("index", type=user_path, metavar="INDEX")
    remove.add_argument("names", nargs="+", metavar="NAME", help="as check --list prints them")

    search = commands.add_parser("search", help="rank the photos by likeness to a sketch")
    search.add_argument("sketch", type=user_path, metavar="SKETCH")
    search.add_argument("index", type=user_path, metavar="INDEX")
    search.add_argument("--top", type=int, default=20, metavar="N", help="candidates (default 20; 0 for all)")
    search.add_argument("--by", choices=_WAYS, default="fusion", help="what ranks (default fusion)")
    search.add_argument("--csv", type=user_path, metavar="FILE")
    search.add_argument("--json", type=user_path, metavar="FILE")
    search.add_argument(
        "--strip", type=user_path, metavar="FILE.png", help="probe, synthesized photo and candidates as a picture"
    )
    add_overwrite(search)

    check = commands.add_parser("check", help="compare the embeddings with their checksums")
    check.add_argument("index", type=user_path, metavar="INDEX")
    check.add_argument("--list", action="store_true", help="print the names of the photos")

    for command in (build, add, search):
        command.add_argument(
            "--model",
            metavar="RUN_OR_DIR",
            help="a run, or a folder of exports; by default what the gallery was built with, and of a new one the run "
            "that finished a round last",
        )
        command.add_argument("--round", type=int, metavar="N", help="by default the last")
    build.add_argument("--no-align", action="store_true", help="look for no faces: the photos are aligned crops")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    console = open_console()
    {"build": _build, "add": _add, "remove": _remove, "search": _search, "check": _check}[options.command](
        options, console
    )


def _build(options: argparse.Namespace, console) -> None:
    from iacyclegan_tf.search.store import FILE

    if not options.photos.is_dir():
        raise UserError(f"The folder of photos {options.photos} is not there.")
    if (options.index / FILE).is_file():
        gallery = _open(options)
        if gallery.store.align and options.no_align:
            raise UserError(f"{options.index} was begun with faces aligned; --no-align is for a new gallery.")
        model = gallery.model
    else:
        from iacyclegan_tf.inference.load import load

        model = load(options.model, options.round)
    from iacyclegan_tf.search.gallery import Gallery

    check_output_folder(options.index)
    _say_model(model, console)
    with counting_bar(console, "embedding photos") as progress:
        gallery, added = Gallery.build(options.photos, options.index, model, progress, not options.no_align)
    _tell(gallery, added, console)


def _add(options: argparse.Namespace, console) -> None:
    gallery = _open(options)
    _say_model(gallery.model, console)
    with counting_bar(console, "embedding photos") as progress:
        added = gallery.add(options.photos, progress)
    _tell(gallery, added, console)


def _tell(gallery, added, console) -> None:
    photos = f"{added.added} added, {added.unchanged} were there, {len(gallery)} photos in all"
    say(console, f"{gallery.store.folder}: {photos}, embedded by {gallery.model.name} {gallery.model.number}")
    for note in added.notes:
        say(console, note)
    if added.bad:
        words = f"{len(added.bad)} files or folders were passed over; the others are in the gallery:"
        raise UserError("\n  ".join([words, *added.bad]))


def _remove(options: argparse.Namespace, console) -> None:
    from iacyclegan_tf.search.store import GalleryStore

    store = GalleryStore(options.index)
    store.remove(options.names)
    say(console, f"{options.index}: {len(set(options.names))} removed, {len(store)} photos in all")


def _search(options: argparse.Namespace, console) -> None:
    from iacyclegan_tf.common.atomic_files import write_bytes, write_text
    from iacyclegan_tf.common.tables import print_table
    from iacyclegan_tf.search.ranked_list import as_csv, as_json, table

    outputs = [path for path in (options.csv, options.json, options.strip) if path]
    for path in outputs:
        check_output(path, "gallery", options.overwrite)
    gallery = _open(options)
    _say_model(gallery.model, console)
    result = gallery.search(options.sketch, options.top or max(len(gallery), 1), options.by)
    found = f"{len(result.candidates)} of {result.searched} photos, by {result.by}"
    say(console, f"{options.sketch} in {options.index}: {found}")
    print_table(table(result), console)
    if options.csv:
        write_text(options.csv, as_csv(result))
    if options.json:
        write_text(options.json, as_json(result, gallery.store.models))
    if options.strip:
        from iacyclegan_tf.data.images.files import encode_png
        from iacyclegan_tf.data.images.png_record import with_record
        from iacyclegan_tf.search.contact_strip import contact_strip

        picture, missing = contact_strip(result)
        write_bytes(options.strip, with_record(encode_png(picture), {"made_by": made_by("gallery")}))
        for why in missing:
            say(console, f"not shown: {why}")
    for path in outputs:
        say(console, f"written: {path}")


def _check(options: argparse.Namespace, console) -> None:
    from iacyclegan_tf.search.store import GalleryStore

    store = GalleryStore(options.index)
    damaged = store.damaged()
    if options.list:
        for entry in store.entries():
            say(console, printable(entry.name, _LONGEST_NAME))
    lengths = ", ".join(f"{way} {length}" for way, length in store.lengths.items())
    by = f"by {store.models['name']} {store.models['number']}"
    say(console, f"{options.index}: {len(store)} photos, embeddings of {lengths} numbers, {by}")
    if damaged:
        words = f"The embeddings of {len(damaged)} photos are damaged. Remove them, and add them again:"
        raise UserError("\n  ".join([words, *(printable(name, _LONGEST_NAME) for name in damaged)]))


def _open(options: argparse.Namespace):
    from iacyclegan_tf.search.store import GalleryStore

    GalleryStore(options.index).close()  # mistakes are told before TensorFlow is loaded
    if "sketch" in options and not options.sketch.is_file():
        raise UserError(f"The sketch {options.sketch} is not there.")
    from iacyclegan_tf.inference.load import load
    from iacyclegan_tf.search.gallery import Gallery

    named = options.model is not None or options.round is not None
    return Gallery.open(options.index, load(options.model, options.round) if named else None)


def _say_model(model, console) -> None:
    say(console, printable(f"models: {model.name} {model.number}, {model.why}"))


def main() -> None:
    sys.exit(run_command(lambda: run(parse())))


if __name__ == "__main__":
    main()
