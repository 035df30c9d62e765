"""A TensorFlow Serving process in the place of a loaded round, for translations and for a gallery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.search.gallery import LEAD, Candidate, Gallery, stored_photo
from iacyclegan_tf.search.store import Entry, GalleryStore
from iacyclegan_tf.serving.client.connection import Connection, Model
from iacyclegan_tf.serving.contract import PHOTO_TO_SKETCH, SERVABLES, SKETCH_TO_PHOTO
from iacyclegan_tf.web.pictures import png

_BATCH = 8  # images in one request
_TRIED = 3  # photos of a gallery that are embedded again
_ROUNDING = 1e-3  # of an embedding's length
_ALIKE = 0.999  # cosine of two embeddings of one photo by one model, on whatever processor

Images = np.ndarray | Sequence[np.ndarray]


class RemoteModel:
    """``to_sketch``, ``to_photo`` and ``embed`` of ``Trained``, on pixels, over the signature ``serving_default``.

    Args:
        label: ``stable`` or ``canary``; by default the newest version that is loaded.
    """

    align, caution, why = True, None, "as the server has them"

    def __init__(self, connection: Connection, label: str | None = None):
        self.connection, self.label = connection, label
        self._server = f"server at {connection.server.name}"
        self.name, self.number = f"the {self._server}", f"label {label}" if label else "newest version"

    def as_is(self) -> RemoteModel:
        """It aligns nothing: whoever asks it does."""
        return self

    def warning(self, face: np.ndarray, of: str = "photo") -> str | None:
        """What a face must be like lies with the exports, and no server tells it."""
        return None

    def to_sketch(self, image: Images) -> Images:
        """uint8 ``[h, w, 3]`` RGB -> the same; for a list a list. ``UserError`` where the server fails or refuses."""
        return self._translate(PHOTO_TO_SKETCH, image)

    def to_photo(self, image: Images) -> Images:
        """As ``to_sketch``."""
        return self._translate(SKETCH_TO_PHOTO, image)

    def embed(self, image: Images, of: str = "photo") -> np.ndarray:
        """float32 ``[D]`` of length 1, or ``[N, D]`` for a list; ``UserError`` where the server gives anything else."""
        answers = self._ask(f"{of}_recognizer", [image] if isinstance(image, np.ndarray) else image)
        try:
            found = np.array(answers, np.float32)
        except (TypeError, ValueError):  # not numbers, or of several lengths
            found = np.empty(0)
        if found.ndim != 2 or not (np.abs(np.linalg.norm(found, axis=1) - 1) <= _ROUNDING).all():  # also NaN
            raise UserError(
                f"The {self._server} gave no embeddings for {of}_recognizer: rows of length 1 were expected."
            )
        return found[0] if isinstance(image, np.ndarray) else found

    def versions(self) -> dict[str, str]:
        """By servable: which versions the server has, in words; ``UserError`` where it does not answer."""
        return {name: ", ".join(self.connection.status(name)) or "none" for name in SERVABLES}

    def _translate(self, servable: str, image: Images) -> Images:
        images = [image] if isinstance(image, np.ndarray) else image
        made = []
        for given, data in zip(images, self._ask(servable, images)):
            made.append(
                decode_image(data, f"the answer of the {self._server}") if isinstance(data, bytes) else given[:0]
            )
            if made[-1].shape != given.shape:
                raise UserError(f"The {self._server} gave no image of the size of that which {servable} was asked for.")
        return made[0] if isinstance(image, np.ndarray) else made

    def _ask(self, servable: str, images: Sequence[np.ndarray]) -> list:
        answers = []
        for at in range(0, len(images), _BATCH):
            batch = images[at : at + _BATCH]
            values = self.connection.predict(Model(servable, label=self.label), [png(image) for image in batch])
            if len(values) != len(batch):
                raise UserError(f"The {self._server} gave {len(values)} results for {len(batch)} images.")
            answers.extend(values)
        return answers


class RemoteGallery(Gallery):
    """A gallery whose probes a server embeds.

    No file tells whether its models are those that made the index, so it is tried: some photos are embedded again.
    """

    def __init__(self, store: GalleryStore, model: RemoteModel):
        self.store, self.model, self.calibration = store, model, None
        self._check_models()

    @classmethod
    def start(cls, index, model: RemoteModel) -> RemoteGallery:
        """A new and empty one in the folder ``index``."""
        blank = np.full((64, 64, 3), 128, np.uint8)
        lengths = {of: len(model.embed(blank, of=of)) for of in ("photo", "sketch")}
        return cls(
            GalleryStore(index, lengths, {"name": model.name, "number": model.number, "fingerprints": {}}, True), model
        )

    def _check_models(self) -> None:
        snapshot, tried = self.store.snapshot(), 0
        for row, entry in enumerate(snapshot.entries):
            try:
                photo = self.face(stored_photo(_bare(entry)), entry.name, "photo")
            except UserError:
                continue  # gone or changed since
            sketch = self.model.to_sketch(photo)
            for of, image in (("photo", photo), ("sketch", sketch)):
                again = self.model.embed(image, of=of)
                same_shape = again.shape == (self.store.lengths[of],)
                if not same_shape or not (float(again @ snapshot.vectors[of][row]) >= _ALIKE):  # also NaN
                    raise UserError(
                        f"The gallery {self.store.folder} was built with {self.store.models['name']} "
                        f"{self.store.models['number']}, and {self.model.name} embeds {entry.name!r} otherwise: "
                        "their embeddings cannot be compared. Serve the models that it was built with, or give the "
                        "folder of photos itself."
                    )
            tried += 1
            if tried == _TRIED:
                return
        if len(snapshot) and not tried:
            raise UserError(
                f"None of the photos of the gallery {self.store.folder} is at its place, so that nothing shows "
                f"whether the models of {self.model.name} made its embeddings. Give the folder of photos itself."
            )

    def _sentences(self, by: str, searched: int) -> Iterator[str]:
        yield LEAD
        yield "A server tells no thresholds, so the scores only rank: nothing says how alike is alike enough."


def _bare(entry: Entry) -> Candidate:
    return Candidate(0, entry.name, entry.sha256, entry.source, 0.0, 0.0, 0.0, None, {})
