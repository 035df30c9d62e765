"""One picture of many prepared pairs, for a person to look at: wrong pairs and crops show at a glance."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

CELL_HEIGHT, CELL_WIDTH, CAPTION = 125, 100, 16
COLUMNS = 6
PAPER = 255


def contact_sheet(pairs: Sequence[tuple[str, np.ndarray, np.ndarray, bool]]) -> np.ndarray:
    """Draw pairs side by side, six to a row.

    Args:
        pairs: (caption, photo, sketch, suspicious), the pictures uint8 [h, w, 3].

    Returns:
        uint8 [H, W, 3]: photo, sketch and caption per pair (red where suspicious); small green marks
        where the eyes of the standard crop must be.
    """
    cells = [_cell(*pair) for pair in pairs] or [_cell("no pair", *[np.full((1, 1, 3), PAPER, np.uint8)] * 2, True)]
    columns = min(COLUMNS, len(cells))
    cells += [np.full_like(cells[0], PAPER)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[at : at + columns], axis=1) for at in range(0, len(cells), columns)]
    return np.concatenate(rows, axis=0)


def _cell(caption: str, photo: np.ndarray, sketch: np.ndarray, suspicious: bool) -> np.ndarray:
    import cv2

    cell = np.full((CELL_HEIGHT + CAPTION, 2 * CELL_WIDTH + 8, 3), PAPER, np.uint8)
    for side, image in enumerate((photo, sketch)):
        cell[:CELL_HEIGHT, side * CELL_WIDTH : (side + 1) * CELL_WIDTH] = _thumbnail(image)
    color = (200, 0, 0) if suspicious else (60, 60, 60)
    # OpenCV's fonts are ASCII; 26 characters fill the width.
    text = caption.encode("ascii", "replace").decode()[:26]
    cv2.putText(cell, text, (2, CELL_HEIGHT + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, color, 1, cv2.LINE_AA)
    return cell


def _thumbnail(image: np.ndarray) -> np.ndarray:
    import cv2

    padded = ImageOps.pad(Image.fromarray(image), (CELL_WIDTH, CELL_HEIGHT), Image.Resampling.BOX, (PAPER,) * 3, (0, 0))
    thumbnail = np.array(padded)
    if image.shape[:2] == (2 * CELL_HEIGHT, 2 * CELL_WIDTH):
        for x in (37, 62):  # eyes at (75, 125) and (125, 125) of the crop
            cv2.drawMarker(thumbnail, (x, 62), (0, 255, 0), cv2.MARKER_CROSS, 7)
    return thumbnail
