"""A bigger gallery: photos of people who are not searched for, and rank-k against the gallery's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.chips import Landmarks
from iacyclegan_tf.data.images.files import read_image
from iacyclegan_tf.data.images.folder import walk_images
from iacyclegan_tf.evaluation.matching import Matcher
from iacyclegan_tf.metrics import rank_k_by_gallery_size

RANKS = (1, 5, 10)
PROTOCOL = (
    "distractors are matched on the whole crop; fusion uses mean and deviation of the enrolled scores, so that "
    "the curve starts at the table's rank-k"
)
_CHUNK = 64  # photos that are in memory at once


def find_distractors(folder: Path, progress: Callable) -> tuple[list[Path], list[str]]:
    """All images below ``folder``, each decoded once before any long work, and lines about what is left out by rule.

    Raises:
        UserError: no folder, or no image in it; else it names all that fail, are no images, or cannot be opened.
    """
    if not folder.is_dir():
        raise UserError(f"The folder of distractors {folder} does not exist.")
    walked = walk_images(folder)
    paths = list(walked.paths)
    if not paths and not walked.complaints():
        raise UserError(f"The folder of distractors {folder} holds no image.")

    def complaint(path: Path) -> str | None:
        try:
            read_image(path)
            return None
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        bad = [words for words in progress(pool.map(complaint, paths), "reading distractors", len(paths)) if words]
    bad += walked.complaints()
    if bad:
        raise UserError(
            f"{len(bad)} of {len(paths) + len(walked.complaints())} distractors below {folder} cannot be used:\n  "
            + "\n  ".join(bad)
            + "\nMend or remove them."
        )
    return paths, walked.notes()


def distractor_scores(
    matcher: Matcher,
    paths: Sequence[Path],
    sketches: Sequence[np.ndarray],
    fake_photos: Sequence[np.ndarray],
    enrolled: dict[str, np.ndarray],
    progress: Callable,
    landmarks: Landmarks | None = None,
) -> dict[str, np.ndarray]:
    """Scores ``[probes, distractors]`` in the four ways; ``enrolled`` are those of the gallery, by way.

    With ``landmarks`` the recognizers are shown chips, as which ``sketches`` and ``fake_photos`` come.
    """
    parts: dict[str, list[np.ndarray]] = {"none": [], "photo": [], "sketch": []}
    for photos in progress(_chunks(paths), "matching distractors", -(-len(paths) // _CHUNK)):
        fake_sketches = matcher.to_sketch(photos)
        if landmarks is not None:
            chips = landmarks.chips(photos)
            photos, fake_sketches = chips.images, chips.cut(fake_sketches)
        parts["none"].append(matcher.embed_initial(photos))
        parts["photo"].append(matcher.embed_photo(photos))
        parts["sketch"].append(matcher.embed_sketch(fake_sketches))
    probes = {
        "none": matcher.embed_initial(sketches),
        "photo": matcher.embed_photo(fake_photos),
        "sketch": matcher.embed_sketch(sketches),
    }
    scores = {way: probes[way] @ np.concatenate(parts[way]).T for way in probes}
    fused = sum(
        (scores[way] - enrolled[way].mean(dtype=np.float64)) / enrolled[way].std(dtype=np.float64)
        for way in ("photo", "sketch")
    )
    return scores | {"fusion": fused}


def gallery_size_curves(
    enrolled: dict[str, np.ndarray], distractors: dict[str, np.ndarray], identities: Sequence[str]
) -> dict:
    """``{way: {"rank1": {"size", "mean", "deviation", "protocol"}, "rank5": …}}``."""
    return {
        way: {f"rank{k}": rank_k_by_gallery_size(enrolled[way], added, identities, identities, k=k) for k in RANKS}
        for way, added in distractors.items()
    }


def _chunks(paths: Sequence[Path]) -> Iterator[list[np.ndarray]]:
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), _CHUNK):
            yield list(pool.map(read_image, paths[start : start + _CHUNK]))
