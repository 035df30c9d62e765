"""One picture of a search: the probe, its synthesized photo, and the ranked candidates."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.search.gallery import SearchResult, stored_photo
from iacyclegan_tf.search.ranked_list import far_words, provenance

TILE, GAP, LINE = 160, 8, 18  # pixels
COLUMNS = 6
_PAPER, _INK, _FAINT = 255, (40, 40, 40), (235, 235, 235)
_CHARACTERS = 24  # that fill a tile's width
_FONT_SCALE = 0.4


def contact_strip(result: SearchResult, photos: Path | None = None) -> tuple[np.ndarray, list[str]]:
    """uint8 ``[H, W, 3]``, and why a candidate's photo could not be shown.

    Args:
        photos: the folder that holds the photos by name, if they do not lie where they were added from.
    """
    pairs = zip(result.probes, result.synthesized)
    tiles = [tile for pair in pairs for tile in map(_tile, pair, (["probe"], ["synthesized photo"]))]
    missing = []
    for one in result.candidates:
        try:
            image = stored_photo(one, photos)
        except UserError as error:
            image = None
            missing.append(str(error))
        score = getattr(one, result.by)
        words = f"{result.by} {score:.3f}" + (f", {far_words(one, result.by)}" if one.far.get(result.by) else "")
        tiles.append(_tile(image, [f"{one.rank}. {one.name}", words]))
    blank = np.full_like(tiles[0], _PAPER)
    columns = min(COLUMNS, len(tiles))
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[at : at + columns], axis=1) for at in range(0, len(tiles), columns)]
    return np.concatenate(
        [*rows, _sentences((*result.sentences, provenance(result)), rows[0].shape[1])], axis=0
    ), missing


def _tile(image: np.ndarray | None, lines: list[str]) -> np.ndarray:
    import cv2

    tile = np.full((TILE + GAP + 2 * LINE + GAP, TILE + 2 * GAP, 3), _PAPER, np.uint8)
    inside = tile[GAP : GAP + TILE, GAP : GAP + TILE]
    if image is None:
        inside[:] = _FAINT
        _write(inside, "photo not shown", 4, TILE // 2)
    else:
        scale = TILE / max(image.shape[:2])
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        top, left = (TILE - size[1]) // 2, (TILE - size[0]) // 2
        inside[top : top + size[1], left : left + size[0]] = small
    for number, line in enumerate(lines, 1):
        shown = line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 10]}...{line[-7:]}"
        _write(tile, shown, GAP, GAP + TILE + LINE * number - 4)
    return tile


def _sentences(sentences: tuple[str, ...], width: int) -> np.ndarray:
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, max(20, (width - 2 * GAP) // 7))]
    block = np.full((LINE * len(lines) + GAP, width, 3), _PAPER, np.uint8)
    for number, line in enumerate(lines, 1):
        _write(block, line, GAP, LINE * number - 4)
    return block


def _write(image: np.ndarray, text: str, x: int, y: int) -> None:
    import cv2

    # OpenCV's fonts are ASCII
    cv2.putText(
        image,
        text.encode("ascii", "replace").decode(),
        (x, y),
        cv2.FONT_HERSHEY_SIMPLEX,
        _FONT_SCALE,
        _INK,
        1,
        cv2.LINE_AA,
    )
