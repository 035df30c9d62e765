"""Eye positions as the data sets distribute them, and which of these files belongs to which image.

========  ===============================================================================================
``.dat``  CUFS: ``x y`` per line, 35 points; 0-based points 16 and 18 are the eye centres (image left,
          image right). Lines that do not hold two numbers are skipped.
``.3pts`` CUFSF: image-left eye, image-right eye, mouth. CUHK student: the third is the fixed point
          (100, 180) of the crop.
``.pos``  FERET: one line ``x1 y1 x2 y2``, the subject's LEFT eye (image right) first.
CSV       the user's own: ``file,left_x,left_y,right_x,right_y``, left and right as seen in the image.
========  ===============================================================================================
"""

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import image_stem, read_text
from iacyclegan_tf.data.pairs.naming import feret_key, normal_name

SUFFIXES = (".3pts", ".dat", ".pos")  # in order of preference where an image has several
EYES_COLUMNS = ("file", "left_x", "left_y", "right_x", "right_y")
MAX_TEXT_BYTES = 16 * 1024 * 1024


def read_points(path: Path) -> np.ndarray:
    """Points of a ``.dat``, ``.3pts`` or ``.pos`` file: float [n, 2], n = 2 or 3, (x, y).

    The image-left eye comes first, the image-right eye second.

    Raises:
        UserError: unreadable, or not the number of points that such a file holds.
    """
    rows = _numbers(path)
    suffix = path.suffix.lower()
    if suffix == ".pos":
        flat = [number for row in rows for number in row]
        return np.array([flat[2:4], flat[:2]]) if len(flat) == 4 else _wrong(path, "two points in one line")
    points = [row for row in rows if len(row) == 2]
    if suffix == ".3pts":
        return np.array(points) if len(points) == 3 else _wrong(path, "three points")
    return np.array([points[16], points[18]]) if len(points) == 35 else _wrong(path, "35 points")


def _wrong(path: Path, expected: str) -> np.ndarray:
    raise UserError(f"Fiducial file '{path}' must hold {expected}.")


def _numbers(path: Path) -> list[list[float]]:
    """The lines that hold finite numbers only; other lines are comments."""
    rows = []
    for line in read_text(path, MAX_TEXT_BYTES).splitlines():
        try:
            row = [float(word) for word in line.replace(",", " ").split()]
        except ValueError:
            continue
        if row and all(map(math.isfinite, row)):
            rows.append(row)
    return rows


class PointFiles:
    """Finds the fiducial file of an image by its name, wherever it lies below the source.

    A file in a folder named like ``sketch_points`` serves sketches only, one in ``photo_points`` photos
    only; others serve both.
    """

    def __init__(self, files: Iterable[tuple[str, Path]]) -> None:
        """``files`` are (path relative to the source, path); folders above the source say nothing."""
        self._files: dict[tuple[str, str], list[Path]] = defaultdict(list)
        for relative, path in files:
            if path.suffix.lower() in SUFFIXES:
                # FERET keeps the image's suffix: 00001fb010_930831.tif.pos
                self._files[_side(relative), normal_name(image_stem(path.stem))].append(path)

    def find(self, image: Path, side: str) -> Path | None:
        """The file for a ``photo`` or ``sketch``, or None.

        Raises:
            UserError: two files of the same kind claim the image.
        """
        stem = normal_name(image_stem(image))
        places = [(side, stem), ("", stem)]
        if feret_key(stem):
            places.append((side, stem[:5]))  # CUFSF: photo_points/00001.3pts
        for place in places:
            for suffix in SUFFIXES:
                found = [path for path in self._files.get(place, ()) if path.suffix.lower() == suffix]
                if len(found) > 1:
                    raise UserError(f"Both '{found[0]}' and '{found[1]}' claim to hold the points of '{image}'.")
                if found:
                    return found[0]
        return None


def _side(relative: str) -> str:
    for folder in Path(relative).parent.parts[::-1]:
        sides = [side for side in ("photo", "sketch") if side in folder.lower()]
        if len(sides) == 1:
            return sides[0]
    return ""


def read_eyes(path: Path, images: Iterable[tuple[str, Path]]) -> dict[Path, np.ndarray]:
    """Read a user's table of eyes: image -> float [2, 2], image-left eye first.

    Args:
        path: CSV with the columns ``file,left_x,left_y,right_x,right_y``; ``file`` is a path below the
            source, or a name or stem that only one image has.
        images: (path below the source, path) of the images in question.

    Raises:
        UserError: unreadable, a column or number is missing, or a name fits no image or several.
    """
    names = defaultdict(set)
    for relative, image in images:
        for name in (relative, image.name, image_stem(image)):
            names[normal_name(name)].add(image)
    rows = csv.DictReader(io.StringIO(read_text(path, MAX_TEXT_BYTES), newline=""))
    missing = [column for column in EYES_COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise UserError(
            f"Eye file '{path}' lacks the column(s) {', '.join(missing)}; expected are {','.join(EYES_COLUMNS)}."
        )
    eyes = {}
    for line, row in enumerate(rows, start=2):
        fitting = names.get(normal_name((row["file"] or "").strip().replace("\\", "/")), ())
        if len(fitting) != 1:
            raise UserError(
                f"Eye file '{path}', line {line}: '{row['file']}' fits {len(fitting)} paired "
                "images; give the path of one of them below the source."
            )
        eyes[next(iter(fitting))] = _eyes(path, line, row)
    return eyes


def _eyes(path: Path, line: int, row: dict[str, str | None]) -> np.ndarray:
    try:
        numbers = [float(row[column] or "") for column in EYES_COLUMNS[1:]]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise UserError(f"Eye file '{path}', line {line}: four numbers are expected after the name.")
    return np.array(numbers).reshape(2, 2)
