"""A trained round, opened for use: sketches, photos and embeddings of images.

model = iacyclegan_tf.load("quickstart")
sketch = model.to_sketch("face.jpg")

A picture that is not the aligned crop already is aligned first (``data/alignment/portrait.py``): the largest face.
"""

from __future__ import annotations

import copy
import hashlib
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.data.alignment.crop import PHOTO_BORDER, SKETCH_BORDER
from iacyclegan_tf.data.alignment.portrait import find_portrait
from iacyclegan_tf.data.images.files import decode_image, read_image
from iacyclegan_tf.inference.runs import TrainedRun, newest_run, open_run
from iacyclegan_tf.inference.trained_on import ONLY_DRAWN, TrainedOn, face_spaces, trained_on
from iacyclegan_tf.serving.calling import Served, bounded, call
from iacyclegan_tf.serving.publishing.model_card import FILE as MODEL_CARD
from iacyclegan_tf.serving.publishing.server_files import pushed_versions
from iacyclegan_tf.serving.signatures import EXTRA, PHOTO_TO_SKETCH, SERVABLES, SKETCH_TO_PHOTO
from iacyclegan_tf.serving.version_folders import list_versions

Image = str | os.PathLike | bytes | np.ndarray
BORDERS = {"photo": PHOTO_BORDER, "sketch": SKETCH_BORDER}  # of crops that reach beyond their picture


class Trained:
    """A round's SavedModels, called in this process. Get one from ``load``.

    Each is read when it is first used. May be shared by threads.

    Attributes:
        name: the run, or the folder of exports.
        number: the round, or the version where a folder of exports was named.
        folders: the SavedModel of each servable (``serving/signatures.py``).
        align: whether pictures are aligned first.
        why: why this round was taken, as a clause.
    """

    def __init__(self, name: str, number: int, folders: dict[str, Path], align: bool = False, why: str = "as named"):
        self.name, self.number, self.folders, self.align, self.why = name, number, folders, align, why
        self._loaded, self._lock = {}, threading.Lock()

    def as_is(self) -> Trained:
        """The same models, sharing what is loaded, for pictures that are aligned already."""
        if not self.align:
            return self
        same = copy.copy(self)
        same.align = False
        return same

    @property
    def trained_on(self) -> TrainedOn | None:
        """Drawn or real, which sizes, which frame; None where no export has a model card."""
        return trained_on(self.folders)

    @property
    def caution(self) -> str | None:
        """The sentence to show beside results, where these models have only seen drawn faces."""
        known = self.trained_on
        return ONLY_DRAWN if known and known.drawn else None

    @cached_property
    def _spaces(self) -> dict:
        return face_spaces(self.folders)

    def strangeness(self, face: np.ndarray, of: str = "photo") -> float | None:
        """How unlike the training images an aligned crop is, uint8 ``[h, w, 3]``: above 1 it is beyond what validation
        people were (``metrics/face_space.py``). None where the exports cannot tell, as older ones cannot."""
        space = self._spaces.get(of)
        return None if space is None else space.distance(face) / space.threshold

    def warning(self, face: np.ndarray, of: str = "photo") -> str | None:
        """The sentence to show beside the result of a face that is unlike the training images."""
        strange = self.strangeness(face, of)
        if strange is None or strange <= 1.0:
            return None
        return (
            f"this {of} is unlike those that the models were trained on ({strange:.1f} times as far as any validation "
            "image may be): the result is not to be trusted"
        )

    def to_sketch(self, image: Image | Sequence[Image]) -> np.ndarray | list[np.ndarray]:
        """The sketch of a face photo, as the network draws it.

        Args:
            image: a path, an encoded image (bytes), or pixels uint8 ``[h, w, 3]`` RGB or ``[h, w]`` gray; or a list or
                tuple of these. Files may have any format of ``data/images/files.py``.

        Returns:
            uint8 ``[250, 200, 3]`` of the largest face; of the image's size where it is an aligned crop, or with
            ``load(align=False)``. For a list a list. Images of one size go through the network together, which may
            round a value otherwise than one by one (by one gray level).

        Raises:
            UserError: not an image, more than 2^24 pixels, or no face in it.
            ValueError: pixels of another type or shape.
        """
        return self._translate(PHOTO_TO_SKETCH, image)

    def to_photo(self, image: Image | Sequence[Image]) -> np.ndarray | list[np.ndarray]:
        """The photo of a face sketch; as ``to_sketch``."""
        return self._translate(SKETCH_TO_PHOTO, image)

    def embed(self, image: Image | Sequence[Image], of: str = "photo") -> np.ndarray:
        """The identity of a face as a vector of length 1; cosines of two vectors compare two faces.

        Args:
            image: as in ``to_sketch``.
            of: ``photo`` or ``sketch``: which recognizer, and what the image is.

        Returns:
            float32 ``[D]``; for a list of N images ``[N, D]``.
        """
        if of not in ("photo", "sketch"):
            raise ValueError(f"of is {of!r}; it must be 'photo' or 'sketch'")
        if not isinstance(image, (list, tuple)):
            return self.embed([image], of)[0]
        embeddings = self._call(f"{of}_recognizer", image)
        return np.stack(embeddings) if embeddings else np.zeros([0, self._width(of)], np.float32)

    def card(self, servable: str = PHOTO_TO_SKETCH) -> dict:
        """The model card that lies in the export: data, measures, limits, license."""
        return read_object(self._folder(servable) / EXTRA / MODEL_CARD)

    def fingerprint(self, servable: str) -> str:
        """SHA-256 that tells this servable's weights and graph from any others: two copies of an export share it.

        Of the graph and of the index of the variables, which holds a checksum of each.
        """
        total, folder = hashlib.sha256(), self._folder(servable)
        for name in ("saved_model.pb", "variables/variables.index"):
            try:
                total.update(hashlib.sha256((folder / name).read_bytes()).digest())
            except OSError as error:
                raise UserError(f"The SavedModel {folder} cannot be read: {error}.") from None
        return total.hexdigest()

    def __repr__(self) -> str:
        return f"<Trained {self.name} {self.number}: {', '.join(self.folders)}>"

    def _translate(self, servable: str, image):
        return self._call(servable, image) if isinstance(image, (list, tuple)) else self._call(servable, [image])[0]

    def _call(self, servable: str, images: Sequence[Image]) -> list[np.ndarray]:
        """Each image's answer, in order."""
        of = "photo" if servable.startswith("photo") else "sketch"
        return call(self._served(servable), [self._face(image, of) for image in images])

    def _face(self, image: Image, of: str) -> np.ndarray:
        if not self.align:
            return as_pixels(image)
        pixels, name = decoded(image)
        return bounded(find_portrait(pixels, name).cut(BORDERS[of]), name)

    def _width(self, of: str) -> int:
        return self.as_is().embed(np.zeros([8, 8, 3], np.uint8), of).shape[0]

    def _served(self, servable: str):
        folder = self._folder(servable)
        with self._lock:
            if servable not in self._loaded:
                self._loaded[servable] = Served(folder)
            return self._loaded[servable]

    def _folder(self, servable: str) -> Path:
        if servable not in self.folders:
            raise UserError(
                f"{self.name} {self.number} has no {servable}; it has {', '.join(self.folders)}. A serving "
                "base holds only what was blessed: name the run instead."
            )
        return self.folders[servable]


def load(
    model: str | Path | None = None, round: int | None = None, savedmodels: str | Path | None = None, align: bool = True
) -> Trained:
    """Opens a trained round. SavedModels are programs: load only those that you or people you trust have written.

    Args:
        model: a run's name (``runs/<name>``) or folder, a folder of exports (``savedmodels/<run>``), or a serving base
            (``savedmodels/serving``). By default the run in ``runs/`` that finished a round last.
        round: of a run by default its last finished round. Of a folder of exports it is the version: by default the
            newest that all four servables have (in a serving base: the newest that is blessed), or else the newest.
        savedmodels: the folder above the exports of runs, by default the one of the run's settings.
        align: files, bytes and arrays, alone or in lists, are aligned unless they are the aligned crop already; models
            whose training pictures were cut otherwise never align. False takes every picture as it is.

    Raises:
        UserError: nothing of that name, or no finished round.
    """
    found = _find(model, round, savedmodels)
    known = found.trained_on
    found.align = align and (known is None or known.aligned)
    return found


def _find(model: str | Path | None, round: int | None, savedmodels: str | Path | None) -> Trained:
    if model is None:
        found = _of_run(newest_run(savedmodels), round)
        found.why = "the run in runs/ that finished a round last"
        return found
    model = user_path(model)
    if any((place / "config.yaml").is_file() for place in (model, Path("runs") / model)):
        return _of_run(open_run(model, savedmodels), round)
    for place in (model, user_path(savedmodels or "savedmodels") / model):
        if any((place / servable).is_dir() for servable in SERVABLES):
            return _of_exports(place, round)
    raise UserError(
        f"There is no model {str(model)!r}: it is neither a run (runs/{model}), nor a run's folder, nor a folder "
        f"of exports that holds {SERVABLES[0]}/<version> (a run's in savedmodels/, or a serving base)."
    )


def as_pixels(image: Image) -> np.ndarray:
    """A path, an encoded image or pixels as uint8 ``[h, w, 3]`` RGB; errors as ``Trained.to_sketch``."""
    return bounded(*decoded(image))


def decoded(image: Image) -> tuple[np.ndarray, str]:
    """As ``as_pixels``, of any size; and a name for messages."""
    if isinstance(image, bytes):
        return decode_image(image, "the image"), "the image"
    if isinstance(image, (str, os.PathLike)):
        return read_image(user_path(image)), f"'{os.fspath(image)}'"
    return _checked(image), "the image"


def _checked(pixels) -> np.ndarray:
    gray = isinstance(pixels, np.ndarray) and pixels.ndim == 2
    color = isinstance(pixels, np.ndarray) and pixels.ndim == 3 and pixels.shape[2] == 3
    if not (gray or color) or pixels.dtype != np.uint8 or not pixels.size:
        what = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ValueError(f"an image is a path, bytes, or uint8 [h, w, 3] or [h, w], not {what}")
    return np.repeat(pixels[..., None], 3, axis=2) if gray else pixels


def _of_run(run: TrainedRun, wanted: int | None) -> Trained:
    number = run.rounds(wanted)[-1]
    return Trained(run.name, number, {servable: run.servable(servable, number) for servable in SERVABLES})


def _of_exports(folder: Path, wanted: int | None) -> Trained:
    known = {servable: set(list_versions(folder / servable)) for servable in SERVABLES}
    blessed = {servable: set(pushed_versions(folder / servable)) for servable in SERVABLES}
    trusted = blessed if any(blessed.values()) else known  # only in a serving base is anything marked
    number = wanted
    if number is None:
        number = max(set.intersection(*trusted.values()) or set.union(*trusted.values()), default=None)
    folders = {servable: folder / servable / str(number) for servable in SERVABLES if number in known[servable]}
    if not folders:
        versions = ", ".join(map(str, sorted(set.union(*known.values())))) or "none"
        raise UserError(
            f"{folder} holds no version{'' if wanted is None else f' {wanted}'} of a model; it holds: {versions}."
        )
    return Trained(folder.name, number, folders)
