"""A TensorFlow Serving process in the place of a loaded round: ``to_sketch``, ``to_photo`` and ``embed`` over the wire."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iacyclegan_tf.data.images import decode_image
from iacyclegan_tf.errors import UserError
from iacyclegan_tf.serving.contract import PHOTO_TO_SKETCH, SERVABLES, SKETCH_TO_PHOTO
from iacyclegan_tf.serving.remote import Connection, Model, Refused
from iacyclegan_tf.web.pictures import png

_BATCH = 8  # images in one request


class RemoteModel:
    """Calls the signature ``serving_default`` of the four servables, which takes and gives encoded images.

    Args:
        label: ``stable`` or ``canary``; by default the newest version that is loaded.
    """

    def __init__(self, connection: Connection, label: str | None = None):
        self.connection, self.label = connection, label
        self.name = f"the server at {connection.server.name}" + (f", label {label}" if label else "")

    def to_sketch(self, image: np.ndarray) -> np.ndarray:
        """uint8 ``[h, w, 3]`` RGB -> the same; ``UserError`` where the server cannot be reached or refuses."""
        return self._translate(PHOTO_TO_SKETCH, image)

    def to_photo(self, image: np.ndarray) -> np.ndarray:
        return self._translate(SKETCH_TO_PHOTO, image)

    def embed(self, image: np.ndarray | Sequence[np.ndarray], of: str = "photo") -> np.ndarray:
        """float32 ``[D]`` of length 1, or ``[N, D]`` for a list."""
        if isinstance(image, np.ndarray):
            return self.embed([image], of)[0]
        parts = [self._ask(f"{of}_recognizer", image[at:at + _BATCH]) for at in range(0, len(image), _BATCH)]
        return np.array([embedding for part in parts for embedding in part], np.float32)

    def versions(self) -> dict[str, str]:
        """By servable: which versions the server has, in words."""
        return {name: ", ".join(map(str, self.connection.status(name))) or "none" for name in SERVABLES}

    def _translate(self, servable: str, image: np.ndarray) -> np.ndarray:
        return decode_image(self._ask(servable, [image])[0], "the server's answer")

    def _ask(self, servable: str, images: Sequence[np.ndarray]) -> list:
        try:
            outputs = self.connection.predict(Model(servable, label=self.label), "serving_default",
                                              {"image_bytes": [png(image) for image in images]})
        except Refused as error:
            raise UserError(f"{self.name.capitalize()} refused a request to {servable}: {error}") from None
        values = next(iter(outputs.values()), [])
        if len(values) != len(images):
            raise UserError(f"{self.name.capitalize()} gave {len(values)} results for {len(images)} images.")
        return values
