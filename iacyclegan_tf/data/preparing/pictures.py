"""One picture of a set: read, and brought to the standard crop where its eyes are known.

A file that already has 200x250 pixels is taken as it is; a user's own table of eyes overrules that.
Sets that are not made of photographs of a whole scene (FS2K, APDrawing, a user's own) are aligned only
where points come with them, but then all of their pictures must have points.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment import crop
from iacyclegan_tf.data.alignment.eye_files import PointFiles, read_eyes, read_points
from iacyclegan_tf.data.duplicate_images import Picture as NamedPicture
from iacyclegan_tf.data.duplicate_images import pixels_sha256
from iacyclegan_tf.data.images.files import image_stem, is_raw, read_image, read_raw_rgb
from iacyclegan_tf.data.pairs.naming import student_split
from iacyclegan_tf.data.pairs.pair import Pair
from iacyclegan_tf.data.preparing.archives import Tree
from iacyclegan_tf.data.preparing.layouts import Layout
from iacyclegan_tf.data.preparing.report import Findings

SIDES = ("photo", "sketch")
AR_RAW_SIZE = (768, 576)  # width, height


@dataclass(frozen=True)
class Picture:
    """A picture as it will be written, the SHA-256 of the pixels read, and why a person should look at it."""

    image: np.ndarray
    way: str
    sha256: str
    reasons: tuple[str, ...] = ()


class PictureReader:
    """Reads a pair's files and brings them to the standard crop where points are known."""

    def __init__(self, layout: Layout, tree: Tree, pairs: Iterable[Pair], eyes: Path | None) -> None:
        """``eyes`` is the user's table, if any; raises UserError where it or the points are not sound."""
        images = [(side, file) for pair in pairs for side, file in zip(SIDES, (pair.photo, pair.sketch))]
        self._layout, self._tree = layout, tree
        self._eyes = read_eyes(eyes, {(tree.shown(file), file) for _, file in images}) if eyes else {}
        self._points = PointFiles((tree.shown(file), file) for file in tree.files)
        self._aligns = (
            layout.needs_eyes or bool(self._eyes) or any(self._points.find(file, side) for side, file in images)
        )

    def read_pair(self, pair: Pair, findings: Findings) -> list[Picture] | None:
        """Photo and sketch, or None where one cannot be used; adds to the findings."""
        sides = [(side, file, self._tree.shown(file)) for side, file in zip(SIDES, (pair.photo, pair.sketch))]
        pictures = []
        for side, file, name in sides:
            try:
                pictures.append(self._read(file, side, student_split(image_stem(pair.sketch)) is not None))
            except UserError as error:
                findings.bad.append({"file": name, "reason": str(error).replace(str(file), name)})
                continue
            if pictures[-1].reasons:
                findings.suspicious.append({"file": name, "reason": "; ".join(pictures[-1].reasons)})
        if len(pictures) < 2:
            return None
        for (side, _, name), picture in zip(sides, pictures):
            findings.ways[f"{side} {picture.way}"] += 1
            findings.pictures.append(NamedPicture(name, pair.identity, picture.sha256))
        return pictures

    def _read(self, file: Path, side: str, third_point: bool) -> Picture:
        image = read_raw_rgb(file, *AR_RAW_SIZE) if is_raw(file) else read_image(file)
        if self._layout.side_by_side:
            image = _half(image, side)
        points, digest = self._eyes.get(file), pixels_sha256(image)
        if points is None and self._aligns and image.shape[:2] != (crop.HEIGHT, crop.WIDTH):
            points = self._points_of(file, side, image)
        if points is None:
            return Picture(image, "as it is", digest)
        points = points if third_point else points[:2]
        matrix = crop.similarity(points, crop.TARGETS[: len(points)])
        aligned = crop.align(image, matrix, crop.BORDERS[side])
        return Picture(aligned, "aligned", digest, tuple(crop.suspicions(matrix, points, image.shape[:2])))

    def _points_of(self, file: Path, side: str, image: np.ndarray) -> np.ndarray:
        found = self._points.find(file, side)
        if found is None:
            raise UserError(
                f"'{file}' is {image.shape[1]}x{image.shape[0]} and no {crop.WIDTH}x{crop.HEIGHT} crop, so "
                f"its eyes must be known, but there is no {image_stem(file)}.dat, .3pts or .pos, "
                "and no line for it in a table of eyes (--eyes)."
            )
        return read_points(found)


def _half(image: np.ndarray, side: str) -> np.ndarray:
    height, width = image.shape[:2]
    if width % 2 or width <= height:
        raise UserError(f"Two pictures side by side were expected, not one of {width}x{height} pixels.")
    return image[:, : width // 2] if side == "photo" else image[:, width // 2 :]
