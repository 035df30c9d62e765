"""Export folders: which versions there are, and whether their files are still those that were written.

TensorFlow Serving takes every child whose name is an integer for a version.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.signatures import EXTRA

SUMS = f"{EXTRA}/SHA256SUMS"  # as sha256sum writes and checks it from the version's folder
_INTEGER = re.compile(r"[1-9]\d{0,17}", re.ASCII)  # what we write: positive, in decimal, within int64


def list_versions(folder: Path) -> list[int]:
    """The versions in ``folder``, oldest first; none where it does not exist."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if _INTEGER.fullmatch(path.name))


def sums(folder: Path) -> str:
    """A line ``SHA-256  NAME`` for each file below ``folder``, by name."""
    lines = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines)


def check_files(folder: Path) -> None:
    """Raises ``UserError``, naming the file, where one of an export is missing or not as it was written.

    Files that were added later, e.g. by the pusher, are not looked at; exports of earlier builds, without sums, pass.
    """
    try:
        wanted = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / SUMS} cannot be read: {error}.") from None
    found = dict(reversed(line.split("  ", 1)) for line in sums(folder).splitlines())
    names = set()
    for line in wanted:
        digest, _, name = line.partition("  ")
        names.add(name)
        if found.get(name) != digest:
            raise UserError(
                f"{folder / name} is {'missing' if name not in found else 'not as it was exported'} (its SHA-256 in "
                f"{SUMS}): the export is damaged or was changed, and is not used. Export the round again."
            )
    if "saved_model.pb" not in names:
        raise UserError(f"{folder / SUMS} does not name saved_model.pb: the export is damaged and is not used.")
