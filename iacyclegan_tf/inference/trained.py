"""A trained round, opened for use: sketches, photos and embeddings of images.

model = iacyclegan_tf.load("quickstart")
sketch = model.to_sketch("face.jpg")

A picture that is not the aligned crop already is aligned first (``data/alignment/portrait.py``): the largest face.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.inference.given_image import Image, decoded
from iacyclegan_tf.inference.trained_on import ONLY_DRAWN, TrainedOn, face_spaces, trained_on
from iacyclegan_tf.serving.calling import Served, call, face
from iacyclegan_tf.serving.publishing.model_card import FILE as MODEL_CARD
from iacyclegan_tf.serving.signatures import EXTRA, PHOTO_TO_SKETCH, SKETCH_TO_PHOTO


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
        return call(self._served(servable), [face(*decoded(image), of, self.align) for image in images])

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
