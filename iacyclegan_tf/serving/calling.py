"""A SavedModel, called in this process through its signatures as a server calls it; images go in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.plain_paths import plain_path
from iacyclegan_tf.data.alignment.portrait import find_portrait
from iacyclegan_tf.serving.version_folders import check_files

Images = Sequence[np.ndarray]  # uint8 [h, w, 3] RGB each
MAX_PIXELS = 2**24  # of one image, as in the served graph (decoding.py): 200 MB as float32
BATCH = 8  # images of one size in one call
BATCH_PIXELS = 2**22  # of all images in a call; one image may have more


class Served:
    """One exported version, in the place of the module it was made from (``served_modules.py``).

    ``UserError`` where it cannot be loaded, or is not as it was exported (``version_folders.check_files``).
    """

    def __init__(self, folder: Path):
        import tensorflow as tf

        try:
            if "://" not in str(folder):
                check_files(Path(folder))
            with plain_path(folder) as place:
                self._model = tf.saved_model.load(str(place))  # kept: its variables live as long as it does
            self._tensor = self._model.signatures["tensor"]
        except (UserError, OSError, KeyError, ValueError, tf.errors.OpError) as error:
            reason = printable(str(error).split("\n")[0], 600)
            raise UserError(f"The SavedModel {folder} cannot be loaded: {reason}") from None

    def tensor(self, images: np.ndarray) -> dict:
        """float32 ``[N, h, w, 3]`` RGB in 0..255 -> the signature's named outputs, tensors of N rows."""
        return self._tensor(images=images)


def bounded(pixels: np.ndarray, name: str) -> np.ndarray:
    """``pixels`` [h, w, 3], if a network may take so many; ``UserError`` otherwise."""
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise UserError(
            f"{name[:1].upper()}{name[1:]} has {pixels.shape[1]}x{pixels.shape[0]} pixels; the models take at most "
            f"{MAX_PIXELS}. Make it smaller, or cut out the face."
        )
    return pixels


def face(pixels: np.ndarray, name: str, of: str, align: bool) -> np.ndarray:
    """What a network is shown of a ``photo`` or ``sketch``; ``UserError``: too large, or ``align`` finds no face."""
    return bounded(find_portrait(pixels, name).cut(of) if align else pixels, name)


def same_size_batches(shapes: Sequence[tuple]) -> Iterator[list[int]]:
    """Indices of images ``[h, w, 3]`` of one size, at most ``BATCH`` of them and ``BATCH_PIXELS`` at a time."""
    alike = defaultdict(list)
    for index, shape in enumerate(shapes):
        alike[shape].append(index)
    for (height, width, *_), indices in alike.items():
        count = max(1, min(BATCH, BATCH_PIXELS // (height * width)))
        yield from (indices[at : at + count] for at in range(0, len(indices), count))


def call(model, images: Images) -> list[np.ndarray]:
    """uint8 images of any sizes -> what ``model.tensor`` answers for each, in order; generated images as uint8."""
    answers: list = [None] * len(images)
    for indices in same_size_batches([image.shape for image in images]):
        (output,) = model.tensor(np.stack([images[index] for index in indices]).astype(np.float32)).values()
        rows = output.numpy()
        for index, row in zip(indices, rows.astype(np.uint8) if rows.ndim == 4 else rows, strict=True):
            answers[index] = row
    return answers


def embed(embedder, images: Images) -> np.ndarray:
    """uint8 images of any sizes -> float32 ``[N, D]`` of length 1, in order."""
    return np.stack(call(embedder, images))
