"""``Gallery``: face photos that can be searched with a sketch, both ways and fused, as ``matching.py`` compares them.

Of each photo the index holds the photo recognizer's embedding, and the sketch recognizer's of its synthesized sketch. A
probe sketch is embedded by the sketch recognizer, and its synthesized photo by the photo recognizer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from iacyclegan_tf import __version__
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.data.alignment.portrait import find_portrait
from iacyclegan_tf.data.images.files import decode_image, read_bytes
from iacyclegan_tf.evaluation.calibration import Calibration, read_calibration
from iacyclegan_tf.inference.trained import BORDERS, Image, Trained, bounded, decoded, load
from iacyclegan_tf.search.photo_files import Found, find_photos
from iacyclegan_tf.search.ranking import best, cosines, fused
from iacyclegan_tf.search.store import FILE, Entry, GalleryStore
from iacyclegan_tf.serving.contract import PHOTO_RECOGNIZER, SERVABLES, SKETCH_RECOGNIZER

WAYS = ("fusion", "photo", "sketch")
LEAD = (
    "A ranked list is a lead, not an identification: the best match of a person who is not in the gallery is always "
    "somebody else. A person must decide, with other evidence."
)
_BATCH = 8  # photos that are read, embedded and committed together
_READERS = 4


@dataclass(frozen=True)
class Candidate:
    """A photo of the gallery beside a probe.

    Attributes:
        photo: cosine of the probe's synthesized photo and this photo, by the photo recognizer.
        sketch: cosine of the probe and this photo's synthesized sketch, by the sketch recognizer.
        fusion: both, z-normalized over the gallery and added.
        calibrated: both on the scale of the validation people, added; None where the models are not calibrated.
        far: by way, the lowest false accept rate whose threshold the score (fusion: ``calibrated``) is above, or None.
    """

    rank: int
    name: str
    sha256: str
    source: str
    photo: float
    sketch: float
    fusion: float
    calibrated: float | None
    far: dict[str, float | None]


@dataclass(frozen=True)
class SearchResult:
    """``candidates``, best first by ``by``, of ``searched`` photos. ``sentences`` must be shown with them.

    ``probes`` (aligned, where the gallery is) and ``synthesized`` (their photos) are uint8 ``[h, w, 3]``. ``about``
    says where the list comes from, for the file of a case: probe, date, gallery, models, version.
    """

    candidates: tuple[Candidate, ...]
    by: str
    searched: int
    probes: tuple[np.ndarray, ...]
    synthesized: tuple[np.ndarray, ...]
    calibration: Calibration | None
    sentences: tuple[str, ...]
    about: dict[str, str | int]


@dataclass(frozen=True)
class Added:
    """What ``add`` did, in photos.

    Attributes:
        bad: a sentence about each file or folder that could not be used.
        notes: what was left out on purpose: hidden files, what systems make, links to folders.
    """

    added: int
    unchanged: int
    bad: tuple[str, ...]
    notes: tuple[str, ...]


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
        return gallery, gallery._add(found, progress)

    def add(
        self, photos: Sequence[str | Path], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Added:
        """Files, named by their file name, and folders, named by the path below them. What was added stays, whatever
        happens then: ``progress(done, total)`` is called when ``done`` photos are on the disk.

        Raises ``UserError``, before anything is added, for names that are taken by other photos.
        """
        return self._add(find_photos(photos), progress)

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
        probes = [bounded(one if cut else self.face(one, name, "sketch"), name) for one, name in pictures]
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
        sentences = tuple(self._sentences(by, len(snapshot)))
        if len(probes) > 1:
            sentences += (f"Scores are means over {len(probes)} sketches; thresholds were measured with single ones.",)
        for probe in probes:
            if warning := self.model.warning(probe, "sketch"):
                sentences = (f"{warning[0].upper()}{warning[1:]}.", *sentences)
        about = self._about_search(sketches, [picture for picture, _ in pictures], len(snapshot))
        return SearchResult(
            candidates, by, len(snapshot), tuple(probes), tuple(synthesized), self.calibration, sentences, about
        )

    def __len__(self) -> int:
        return len(self.store)

    def close(self) -> None:
        self.store.close()

    def face(self, pixels: np.ndarray, name: str, of: str) -> np.ndarray:
        """What is compared of a picture of a ``photo`` or ``sketch``; ``UserError`` where it has no face."""
        return find_portrait(pixels, name).cut(BORDERS[of]) if self.store.align else pixels

    def _about_search(
        self, sketches: Sequence[Image], pictures: Sequence[np.ndarray], photos: int
    ) -> dict[str, str | int]:
        """Of pixels, which no file holds, the SHA-256 is that of their bytes."""
        paths = [None if isinstance(one, (bytes, np.ndarray)) else str(one) for one in sketches]
        held = [
            one if isinstance(one, bytes) else picture.tobytes() if path is None else read_bytes(Path(path))
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

    def _sentences(self, by: str, searched: int) -> Iterator[str]:
        yield LEAD
        if caution := self.model.caution:
            yield caution
        if self.calibration is None:
            yield (
                f"The recognizers of {self.model.name} {self.model.number} carry no calibration of one round (exports "
                "of older versions have none), so the scores only rank: nothing says how alike is alike enough."
            )
            return
        yield from self.calibration.refusals(by)
        for far in self.calibration.known(by):
            people = self.calibration.values["people"]
            yield (
                f"Above the threshold at FAR {100 * far:g} % chance alone puts about {far * searched:.3g} of these "
                f"{searched} photos, by {by}, if they are like the {people} validation people."
            )

    def _add(self, found: Found, progress: Callable[[int, int], None]) -> Added:
        known, photos = {entry.name: entry for entry in self.store.entries()}, found.photos
        taken = [name for name, path in photos.items() if name in known and not _is_same(known[name], path)]
        if taken:
            raise UserError(
                f"{len(taken)} names are taken by other photos of the gallery {self.store.folder}, so nothing was "
                f"added; the first is {taken[0]!r}, from {printable(known[taken[0]].source)}. Rename the file, or "
                "remove that photo first."
            )
        added, unchanged, bad, names = 0, 0, list(found.complaints), list(photos)
        with ThreadPoolExecutor(_READERS) as pool:
            for start in range(0, len(names), _BATCH):
                some = names[start : start + _BATCH]
                read = list(pool.map(lambda name: self._read(name, photos[name], known.get(name)), some))
                bad += [str(one) for one in read if isinstance(one, UserError)]
                there = [one for one in read if isinstance(one, Entry)]
                self.store.move([entry for entry in there if entry != known[entry.name]])
                if new := [one for one in read if isinstance(one, tuple)]:
                    self._embed_and_store(new)
                added, unchanged = added + len(new), unchanged + len(there)
                progress(start + len(some), len(names))
        return Added(added, unchanged, tuple(bad), tuple(found.notes))

    def _read(self, name: str, path: Path, known: Entry | None) -> tuple[Entry, np.ndarray] | Entry | UserError:
        """The entry and the face; the entry alone where its content is ``known``; why the file cannot be used."""
        if not name.isprintable():
            return UserError(
                f"'{printable(name)}' cannot be the name of a photo: it has characters that cannot be shown."
            )
        try:
            data = read_bytes(path)
            entry = Entry(name, hashlib.sha256(data).hexdigest(), str(path.resolve()))
            if known is not None and known.sha256 == entry.sha256:
                return entry
            face = self.face(decode_image(data, str(path)), f"'{path}'", "photo")
            return entry, bounded(face, f"'{path}'")
        except UserError as error:
            return error

    def _embed_and_store(self, photos: Sequence[tuple[Entry, np.ndarray]]) -> None:
        entries, pixels = map(list, zip(*photos))
        sketches = self.model.to_sketch(pixels)
        self.store.add(
            entries, {"photo": self.model.embed(pixels, of="photo"), "sketch": self.model.embed(sketches, of="sketch")}
        )

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


def _is_same(entry: Entry, path: Path) -> bool:
    """From the same file, whatever is in it now, or the same content."""
    if entry.source == str(path.resolve()):
        return True
    try:
        return entry.sha256 == hashlib.sha256(read_bytes(path)).hexdigest()
    except UserError:  # named where it is read
        return True


def stored_photo(candidate: Candidate) -> np.ndarray:
    """The candidate's photo, uint8 ``[h, w, 3]``, from where it was added.

    Raises ``UserError`` where it is gone, or is not the photo that was added.
    """
    path = Path(candidate.source)
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != candidate.sha256:
        raise UserError(f"'{printable(path)}' is not the photo that was added: its checksum is another.")
    return decode_image(data, str(path))
