"""Walks a folder of images: what is an image by content or name, and an account of everything else that lies there."""

from __future__ import annotations

import errno
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import begins_as_image, has_image_name, named_in_utf8

# Made by network drives, file managers and operating systems, in lower case; other such names begin with a dot.
SYSTEM_NAMES = frozenset(
    {"@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot", "__macosx", "lost+found"}
    | {"$recycle.bin", "recycler", "system volume information", "network trash folder", "temporary items"}
    | {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r"}
)
_SHOWN = 5  # names in a note


@dataclass(frozen=True)
class ImageFolder:
    """What lies in a folder. Every entry is in exactly one of the four; all are sorted by path.

    Attributes:
        paths: files that begin as an image that we read, whatever their suffix, or whose name is an image's (a damaged
            one is refused by its reader, with the reason).
        others: files that are neither.
        unreadable: folders and files that could not be opened, looked into or named, with the reason (a clause).
        left_out: what is not meant as an image, with the reason: hidden or made by a system, links to folders, and
            subfolders where they were not asked for.
    """

    paths: tuple[Path, ...]
    others: tuple[Path, ...]
    unreadable: dict[Path, str]
    left_out: dict[Path, str]

    def complaints(self) -> list[str]:
        """One sentence, fit to print, for each file or folder that should not be passed over."""
        unreadable = [f"'{printable(path)}' cannot be read: {reason}." for path, reason in self.unreadable.items()]
        return unreadable + [f"'{printable(path)}' holds no image that can be read." for path in self.others]

    def notes(self) -> list[str]:
        """What was left out, one line for each reason, e.g. ``left out, hidden or made by a system: @eaDir (3)``."""
        lines = []
        for reason in dict.fromkeys(self.left_out.values()):
            names = Counter(printable(path.name) for path, why in self.left_out.items() if why == reason)
            shown = [name + (f" ({count})" if count > 1 else "") for name, count in names.most_common(_SHOWN)]
            more = f" and {len(names) - _SHOWN} other names" if len(names) > _SHOWN else ""
            lines.append(f"left out, {reason}: {', '.join(shown)}{more}")
        return lines


def walk_images(folder: str | Path, recursive: bool = True) -> ImageFolder:
    """Everything in ``folder``, with ``recursive`` also below it; of a file only the first bytes are read, and those
    only where its name is no image's.

    A symbolic link to a file counts as a file of its own name.

    Raises:
        UserError: ``folder`` itself is missing or no folder.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise UserError(f"'{printable(folder)}' is not a folder; a folder of images was expected.")
    found: dict[str, dict[Path, str]] = {kind: {} for kind in ("image", "folder", "other", "closed", "out")}
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    kind, reason = _judge(entry, recursive)
                    found[kind][Path(entry.path)] = reason
                    if kind == "folder":
                        waiting.append(Path(entry.path))
        except OSError as error:
            found["closed"][place] = error.strerror
    unreadable, left_out = (dict(sorted(found[kind].items())) for kind in ("closed", "out"))
    return ImageFolder(tuple(sorted(found["image"])), tuple(sorted(found["other"])), unreadable, left_out)


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name (no path) is hidden or made by a system."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def _judge(entry: os.DirEntry, recursive: bool) -> tuple[str, str]:
    """What an entry is, one of the keys of ``found`` above, and the reason where one is told."""
    try:
        if is_left_out(entry.name):
            return "out", "hidden or made by a system"
        named_in_utf8(Path(entry.path))
        if entry.is_symlink():
            entry.stat()  # raises where it leads nowhere or to itself
        if entry.is_dir():
            if entry.is_symlink():
                return "out", "a link to a folder"
            return ("folder", "") if recursive else ("out", "a subfolder, which is not entered")
        if not entry.is_file():  # never opened: to open a pipe or device may block for ever
            return "closed", "it is neither a file nor a folder"
        return "image" if _is_image(entry) else "other", ""
    except OSError as error:
        return "closed", error.strerror
    except UserError:
        return "closed", "its name is not UTF-8 (all at once: convmv -f latin1 -t utf8 -r FOLDER --notest)"


def _is_image(entry: os.DirEntry) -> bool:
    """By name or content; raises OSError for what may not be read."""
    if has_image_name(Path(entry.path)):
        if not os.access(entry.path, os.R_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
        return True
    with open(entry.path, "rb") as file:
        start = file.read(512)
        return begins_as_image(start + file.read(2**20) if start.startswith(b"BZh") else start)  # bzip2: a whole block
