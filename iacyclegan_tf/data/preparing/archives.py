"""Sources as people have them: a folder, a ``.zip``, or a folder of ``.zip`` files as downloaded.

Archives come from elsewhere, so nothing in them is trusted: no path may leave the folder they are
unpacked to, links are refused, and the number and total size of the files are bounded.
"""

import lzma
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.folder import is_left_out, walk_images

# What zipfile and its decompressors raise on damaged bytes, found by editing small archives at random.
DAMAGE = (zipfile.BadZipFile, RuntimeError, EOFError, OSError, ValueError, struct.error, zlib.error, lzma.LZMAError)
MAX_FILES = 200_000
MAX_TOTAL_BYTES = 64 * 1024**3


@dataclass(frozen=True)
class Tree:
    """All files of a source.

    Attributes:
        root: the folder that holds them (for a single archive, where it was unpacked).
        files: every visible file, sorted; links to folders are not followed.
        places: (folder, name shown to the user) for ``shown``.
        notes: lines about what was left out because it is hidden, made by a system, or a link to a folder.
    """

    root: Path
    files: tuple[Path, ...]
    places: tuple[tuple[Path, str], ...]
    notes: tuple[str, ...] = ()

    def shown(self, path: Path) -> str:
        """The path as the user knows it: relative to the source, ``archive.zip/...`` if unpacked."""
        for folder, name in self.places:
            if path.is_relative_to(folder):
                return (Path(name) / path.relative_to(folder)).as_posix()
        return str(path)


@contextmanager
def open_source(source: Path, workspace: Path) -> Iterator[Tree]:
    """Yield the files of a source; archives are unpacked below ``workspace`` and removed afterwards.

    Raises:
        UserError: the source does not exist, is neither folder nor zip, or an archive is not safe.
    """
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=workspace) as unpacked:
        if zipfile.is_zipfile(source):
            extract(source, Path(unpacked))
            root = _single_folder(Path(unpacked))
            files, notes = list_tree(root)
            yield Tree(root, files, ((root, source.name),), notes)
            return
        if not source.is_dir():
            raise UserError(f"Source '{source}' is neither a folder nor a zip file.")
        files, notes = list_tree(source)
        places = [(source, "")]
        for archive in (path for path in files if path.suffix.lower() == ".zip"):
            folder = Path(unpacked) / f"{len(places)}" / archive.stem
            folder.mkdir(parents=True)
            extract(archive, folder)
            places.append((folder, archive.relative_to(source).as_posix()))
            more, left_out = list_tree(folder)
            files, notes = files + more, notes + left_out
        yield Tree(source, files, tuple(places), notes)


def list_tree(folder: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Visible files below a folder, sorted, and lines about what was left out; links to folders are not followed.

    Raises:
        UserError: something below cannot be read (all is named), or there are more than ``MAX_FILES`` files.
    """
    found = walk_images(folder)
    if found.unreadable:
        raise UserError("\n".join(replace(found, others=()).complaints()))
    files = tuple(sorted(found.paths + found.others))
    if len(files) > MAX_FILES:
        raise UserError(f"Folder '{folder}' holds more than {MAX_FILES} files.")
    return files, tuple(found.notes())


def _single_folder(folder: Path) -> Path:
    """Step into the one folder in which most archives wrap their content."""
    entries = [path for path in folder.iterdir() if not is_left_out(path.name)]
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def extract(archive: Path, folder: Path) -> None:
    """Unpack a zip into an empty folder.

    Raises:
        UserError: damaged or encrypted, too many or too large files, a link, or a path that leads out.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            # not is_dir(), which ends in an IndexError where a name is empty
            entries = [entry for entry in packed.infolist() if not entry.filename.endswith("/")]
            total = sum(entry.file_size for entry in entries)  # zipfile never reads more than it announces
            if len(entries) > MAX_FILES or total > MAX_TOTAL_BYTES:
                raise UserError(
                    f"Archive '{archive}' announces {len(entries)} files of {total} bytes; at most "
                    f"{MAX_FILES} files of {MAX_TOTAL_BYTES} bytes are unpacked."
                )
            for entry in entries:  # all names are checked before the first byte is written
                _check_name(archive, entry)
            for entry in entries:
                packed.extract(entry, folder)
    except DAMAGE as error:
        raise UserError(f"Archive '{archive}' cannot be unpacked: {error}.") from error


def _check_name(archive: Path, entry: zipfile.ZipInfo) -> None:
    """Refuses links and paths that lead out; backslashes, which separate folders elsewhere, become slashes."""
    entry.filename = entry.filename.replace("\\", "/")
    parts = entry.filename.split("/")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError(f"Archive '{archive}' holds the link '{entry.filename}'; nothing was unpacked.")
    if ".." in parts or parts[0] == "" or ":" in parts[0] or "\0" in entry.filename:
        raise UserError(
            f"Archive '{archive}' holds the path '{entry.filename}', which leads out of it; nothing was unpacked."
        )
