"""``Gallery``: face photos that can be searched with a sketch, both ways and fused, as ``matching.py`` compares them.

Of each photo the index holds the photo recognizer's embedding, and the sketch recognizer's of its synthesized sketch. A
probe sketch is embedded by the sketch recognizer, and its synthesized photo by the photo recognizer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from iacyclegan_tf import __version__
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.data.images.files import read_bytes
from iacyclegan_tf.evaluation.calibration import Calibration, read_calibration
from iacyclegan_tf.inference.given_image import Image, decoded
from iacyclegan_tf.inference.load import load
from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.search.adding import Added, add_photos
from iacyclegan_tf.search.photo_files import find_photos
from iacyclegan_tf.search.ranking import best, cosines, fused
from iacyclegan_tf.search.search_result import WAYS, Candidate, SearchResult, sentences
from iacyclegan_tf.search.store import FILE, Entry, GalleryStore
from iacyclegan_tf.serving.calling import face
from iacyclegan_tf.serving.signatures import PHOTO_RECOGNIZER, SERVABLES, SKETCH_RECOGNIZER


class Gallery:
    """Get one from ``Gallery.open`` or ``Gallery.build``. Threads and processes may share a gallery.

    gallery = iacyclegan_tf.Gallery.open("index", "quickstart")
    for candidate in gallery.search("sketch.png", top=5).candidates:
        print(candidate.rank, candidate.name, candidate.fusion)
    """

    def __init__(self, store: GalleryStore, model: Trained):
        self.store, self.model = store, model.as_is()  # the gallery aligns itself, or not
        self._check_models()
        self.calibration = _calibration(model)

    @classmethod
    def open(cls, index: str | Path, model: Trained | str | Path | None = None) -> Gallery:
        """The gallery in the folder ``index``.

        Args:
            model: what ``load`` takes, or its result; by default the models that the gallery was built with.

        Raises ``UserError`` where there is no gallery, or it was built with other models, or they are gone.
        """
        store = GalleryStore(index)
        if model is None:
            model = own_models(store)
        return cls(store, model if isinstance(model, Trained) else load(model))

    @classmethod
    def build(
        cls,
        photos: str | Path,
        index: str | Path,
        model: Trained | str | Path | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
        align: bool = True,
    ) -> tuple[Gallery, Added]:
        """Makes a gallery of all images below the folder ``photos``, or goes on with it, and says what was added.

        Photos are aligned as ``load`` says (``align``), and those without a face left out.

        What is there already is not embedded again, unless the file has changed. Photos that have vanished from the
        folder stay in the gallery.
        """
        found = find_photos([photos])
        if not (user_path(index) / FILE).exists():
            model = model if isinstance(model, Trained) else load(model)
            blank = np.full((64, 64, 3), 128, np.uint8)
            lengths = {of: len(model.as_is().embed(blank, of=of)) for of in ("photo", "sketch")}
            GalleryStore(index, lengths, _about(model), align and model.align).close()
        gallery = cls.open(index, model)
        return gallery, add_photos(gallery.store, gallery.model, found, progress)

    def add(
        self, photos: Sequence[str | Path], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Added:
        """Files, named by their file name, and folders, named by the path below them. What was added stays, whatever
        happens then: ``progress(done, total)`` is called when ``done`` photos are on the disk.

        Raises ``UserError``, before anything is added, for names that are taken by other photos.
        """
        return add_photos(self.store, self.model, find_photos(photos), progress)

    def remove(self, names: Sequence[str]) -> None:
        """All or none, with their embeddings; ``UserError`` where one is not there."""
        self.store.remove(names)

    def search(
        self, sketch: Image | Sequence[Image], top: int = 20, by: str = "fusion", cut: bool = False
    ) -> SearchResult:
        """The ``top`` photos that are most alike, of all in the gallery.

        Args:
            sketch: a path, an encoded image, or pixels uint8 ``[h, w, 3]``; or a list of sketches of one person, whose
                cosines are averaged.
            by: ``fusion``, ``photo`` or ``sketch``.
            cut: they are what is compared already, so that no face is looked for.
        """
        if not top >= 1 or by not in WAYS:
            raise UserError(
                f"A search needs a top of at least 1 and one of {', '.join(WAYS)}; they are {top} and {by!r}."
            )
        sketches = sketch if isinstance(sketch, (list, tuple)) else [sketch]
        pictures = [decoded(one) for one in sketches]
        probes = [face(one, name, "sketch", self.store.align and not cut) for one, name in pictures]
        snapshot = self.store.snapshot()
        if not len(snapshot):
            raise UserError(f"The gallery {self.store.folder} holds no photo, so there is nothing to search.")
        synthesized = self.model.to_photo(probes)
        pair = {"photo": synthesized, "sketch": probes}
        scores = cosines(snapshot, {of: self.model.embed(images, of=of).mean(0) for of, images in pair.items()})
        scores["fusion"] = fused([scores["photo"], scores["sketch"]])
        places = best(scores[by], snapshot.names, top)
        candidates = tuple(
            self._candidate(rank, snapshot.entries[place], {way: float(scores[way][place]) for way in WAYS})
            for rank, place in enumerate(places, 1)
        )
        said = tuple(sentences(self.model, self.calibration, by, len(snapshot)))
        if len(probes) > 1:
            said += (f"Scores are means over {len(probes)} sketches; thresholds were measured with single ones.",)
        for probe in probes:
            if warning := self.model.warning(probe, "sketch"):
                said = (f"{warning[0].upper()}{warning[1:]}.", *said)
        about = self._about_search(sketches, [picture for picture, _ in pictures], len(snapshot))
        return SearchResult(
            candidates, by, len(snapshot), tuple(probes), tuple(synthesized), self.calibration, said, about
        )

    def __len__(self) -> int:
        return len(self.store)

    def close(self) -> None:
        self.store.close()

    def face(self, pixels: np.ndarray, name: str, of: str) -> np.ndarray:
        """What is compared of a picture of a ``photo`` or ``sketch``; ``UserError`` where it has no face."""
        return face(pixels, name, of, self.store.align)

    def _about_search(
        self, sketches: Sequence[Image], pictures: Sequence[np.ndarray], photos: int
    ) -> dict[str, str | int]:
        """Where a list comes from: probe, SHA-256, date, gallery, models.

        Of pixels, which no file holds, the SHA-256 is that of their bytes.
        """
        paths = [None if isinstance(one, (bytes, np.ndarray)) else str(one) for one in sketches]
        held = [
            one if isinstance(one, bytes) else picture.tobytes() if path is None else read_bytes(user_path(path))
            for one, picture, path in zip(sketches, pictures, paths)
        ]
        return {
            "probe": "; ".join(filter(None, paths)),
            "probe_sha256": "; ".join(hashlib.sha256(data).hexdigest() for data in held),
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
            "gallery": str(self.store.folder.resolve()),
            "gallery_photos": photos,
            "model": self.model.name,
            "round": self.model.number,
            "version": f"iacyclegan_tf {__version__}",
        }

    def _candidate(self, rank: int, entry: Entry, scores: dict[str, float]) -> Candidate:
        calibrated, far = None, dict.fromkeys(WAYS)
        if self.calibration is not None:
            fusion = self.calibration.fusion(scores)
            calibrated = None if fusion is None else float(fusion)
            compared = scores | {"fusion": calibrated}
            far |= {way: self.calibration.far(way, value) for way, value in compared.items() if value is not None}
        return Candidate(rank, entry.name, entry.sha256, entry.source, **scores, calibrated=calibrated, far=far)

    def _check_models(self) -> None:
        theirs, ours = self.store.models, _about(self.model)
        other = [
            servable for servable in SERVABLES if theirs["fingerprints"].get(servable) != ours["fingerprints"][servable]
        ]
        if other:
            raise UserError(
                f"The gallery {self.store.folder} was built with {theirs['name']} {theirs['number']}, and "
                f"{ours['name']} {ours['number']} has another {', '.join(other)}: their embeddings cannot be "
                "compared. Name the models that it was built with (--model, --round), or build it anew."
            )


def _about(model: Trained) -> dict:
    return {
        "name": model.name,
        "number": model.number,
        "fingerprints": {servable: model.fingerprint(servable) for servable in SERVABLES},
        "folders": {servable: str(Path(model.folders[servable]).resolve()) for servable in SERVABLES},
    }


def own_models(store: GalleryStore) -> Trained:
    """Those that the gallery was built with, from where their exports lay then."""
    folders = {servable: Path(place) for servable, place in store.models.get("folders", {}).items()}
    name, number = store.models["name"], store.models["number"]
    if set(folders) == set(SERVABLES) and all(folder.is_dir() for folder in folders.values()):
        return Trained(name, number, folders, why=f"which the gallery {store.folder} was built with")
    raise UserError(
        f"The gallery {store.folder} was built with {name} {number}, whose exports are not there any more; name where "
        "they are now (--model, --round)."
    )


def _calibration(model: Trained) -> Calibration | None:
    """Both recognizers carry it; one of them alone, or another one, is not that of these models together."""
    found = [read_calibration(model.folders[servable]) for servable in (PHOTO_RECOGNIZER, SKETCH_RECOGNIZER)]
    return found[0] if found[0] == found[1] else None
