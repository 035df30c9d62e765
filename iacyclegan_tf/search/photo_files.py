"""The photos that a gallery is to hold: found by name, and read ahead of whoever uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import has_image_name

T = TypeVar("T")
_AHEAD = 8  # photos that are read before they are asked for
_READERS = 2


def find_photos(places: Iterable[str | Path]) -> dict[str, Path]:
    """By name, sorted: files by their file name, all images below a folder by their path in it, with ``/``.

    Raises ``UserError`` for what does not exist, a folder without an image, and two files of one name.
    """
    found: dict[str, Path] = {}
    for place in map(Path, places):
        if place.is_dir():
            inside = {
                path.relative_to(place).as_posix(): path
                for path in sorted(place.rglob("*"))
                if has_image_name(path) and path.is_file() and not _is_hidden(path.relative_to(place))
            }
            if not inside:
                raise UserError(f"The folder {place} holds no image; it must hold the photos of the gallery.")
        elif place.is_file():
            inside = {place.name: place}
        else:
            raise UserError(f"There is no photo or folder {place}.")
        for name, path in inside.items():
            if name in found and found[name].resolve() != path.resolve():
                raise UserError(
                    f"Two photos would have the name {name!r} in the gallery: {found[name]} and {path}. Rename "
                    "one, or add the folder above both."
                )
            found[name] = path
    return dict(sorted(found.items()))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def read_ahead(photos: Mapping[str, Path], read: Callable[[str, Path], T]) -> Iterator[tuple[str, Path, T | UserError]]:
    """``read(name, path)`` of each, in order, in threads of which at most a few photos are ahead; a ``UserError`` is
    handed on as the result."""

    def one(name: str, path: Path) -> T | UserError:
        try:
            return read(name, path)
        except UserError as error:
            return error

    waiting: deque[tuple[str, Path, Future]] = deque()
    pool = ThreadPoolExecutor(_READERS)
    try:
        for name, path in photos.items():
            waiting.append((name, path, pool.submit(one, name, path)))
            if len(waiting) > _AHEAD:
                first, place, future = waiting.popleft()
                yield first, place, future.result()
        while waiting:
            first, place, future = waiting.popleft()
            yield first, place, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
