"""One guard for what commands write: never over a file that the command did not make, unless ``--overwrite``."""

from __future__ import annotations

import argparse
from pathlib import Path

from iacyclegan_tf import __version__
from iacyclegan_tf.common.errors import UserError

_START = 4096  # bytes of a file in which ``made_by`` is looked for


def made_by(command: str) -> str:
    """What a command writes into its files, near their start, to know them again: ``made by iacyclegan_tf.gallery 1``.

    In a PNG as a record (``data/images/png_record.py``), in a CSV as a column, in JSON as a value.
    """
    return f"{_mark(command)}{__version__}"


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="also files that this command did not make")


def check_output(path: Path, command: str, overwrite: bool = False, record: Path | None = None) -> Path:
    """``path``, a file that ``command`` is to write; called before the work.

    Args:
        record: of files that are written together the one that holds ``made_by``; by default ``path`` itself.

    Raises:
        UserError: its folder is not there, it is a folder, or it was made by something else and not ``overwrite``.
    """
    check_output_folder(path)
    if path.is_dir():
        raise UserError(f"The output {path} is a folder; name a file.")
    if path.exists() and not overwrite and not _made_by(record or path, command):
        raise UserError(
            f"The output {path} is there already and was not made by this command; give another, or --overwrite."
        )
    return path


def check_output_folder(path: Path) -> Path:
    """``path``, a folder to make or fill, or a file in it; ``UserError``: the folder above it is not there."""
    parent = path.absolute().parent
    if not parent.is_dir():
        raise UserError(f"The output {path} cannot be written: the folder {parent} is not there.")
    return path


def _mark(command: str) -> str:
    return f"made by iacyclegan_tf.{command} "


def _made_by(path: Path, command: str) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return _mark(command).encode("ascii") in file.read(_START)
