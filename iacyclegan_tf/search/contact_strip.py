"""One picture of a search: the probe, its synthesized photo, and the ranked candidates."""

from __future__ import annotations

import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.search.ranked_list import far_words, provenance
from iacyclegan_tf.search.search_result import SearchResult, stored_photo

TILE, GAP, LINE = 160, 8, 18  # pixels
COLUMNS = 6
_WIDTH, _HEIGHT = TILE + 2 * GAP, TILE + 2 * GAP + 2 * LINE  # of a tile with its two lines
_INK, _FAINT = (40, 40, 40), (235, 235, 235)
_CHARACTERS = 24  # that fill a tile's width


def contact_strip(result: SearchResult) -> tuple[np.ndarray, list[str]]:
    """uint8 ``[H, W, 3]``, and why a candidate's photo could not be shown."""
    pairs = zip(result.probes, result.synthesized)
    tiles = [one for probe, made in pairs for one in ((probe, "probe"), (made, "synthesized photo"))]
    missing = []
    for one in result.candidates:
        try:
            image = stored_photo(one)
        except UserError as error:
            image = None
            missing.append(str(error))
        far = f", {far_words(one, result.by)}" if one.far.get(result.by) else ""
        tiles.append((image, f"{one.rank}. {one.name}", f"{result.by} {getattr(one, result.by):.3f}{far}"))
    columns = min(COLUMNS, len(tiles))
    sentences = (*result.sentences, provenance(result))
    lines = [line for words in sentences for line in textwrap.wrap(words, (columns * _WIDTH - 2 * GAP) // 6)]
    below = -(-len(tiles) // columns) * _HEIGHT
    strip = Image.new("RGB", (columns * _WIDTH, below + LINE * len(lines) + GAP), "white")
    for number, (image, *words) in enumerate(tiles):
        _tile(strip, (number % columns * _WIDTH + GAP, number // columns * _HEIGHT + GAP), image, words)
    for number, line in enumerate(lines):
        _write(strip, (GAP, below + LINE * number), line)
    return np.array(strip), missing


def _tile(strip: Image.Image, place: tuple[int, int], image: np.ndarray | None, lines: list[str]) -> None:
    """Draws an image, or that there is none, and what it is."""
    left, top = place
    if image is None:
        strip.paste(_FAINT, (left, top, left + TILE, top + TILE))
        _write(strip, (left + 4, top + TILE // 4), "photo not shown")
    else:
        strip.paste(ImageOps.pad(Image.fromarray(image), (TILE, TILE), color="white"), place)
    for number, line in enumerate(lines):
        shown = line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 10]}...{line[-7:]}"
        _write(strip, (left, top + TILE + 4 + LINE * number), shown)


def _write(strip: Image.Image, place: tuple[int, int], text: str) -> None:
    ImageDraw.Draw(strip).text(place, text, _INK, ImageFont.load_default(12))
