"""Pictures through a generator: read, translated and written side by side, and never twice.

Each output says inside what it was made of (``data/images/png_record.py``): the picture's bytes, the model's weights
and the way. An output that says the same as would be written now is done; one that says otherwise is stale and made
again; a file that says nothing was made by somebody else and is left alone.
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import NAME_START, remove_if_abandoned, write_bytes
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.portrait import Portrait, find_portrait, has_proportions
from iacyclegan_tf.data.images.files import decode_image, encode_png, read_bytes
from iacyclegan_tf.data.images.png_record import read_record, with_record
from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.inference.translation_jobs import Job
from iacyclegan_tf.serving.calling import BATCH, bounded
from iacyclegan_tf.serving.signatures import PHOTO_TO_SKETCH, SKETCH_TO_PHOTO

SERVABLE = {"sketch": PHOTO_TO_SKETCH, "photo": SKETCH_TO_PHOTO}
_THREADS = 8  # that read and write; writers mostly wait for the disk, which must hold a file before its name does
_COMPRESSION = 3  # a quarter of the time of zlib's usual 6, for files a tenth larger


@dataclass(frozen=True)
class Way:
    """How pictures are translated.

    Attributes:
        to: ``sketch`` or ``photo``.
        align: the largest face is cut out as the aligned crop (200 wide x 250 high), unless the picture is one already.
        eyes: of some or all pictures, image-left eye first, float ``[2, 2]``; elsewhere they are looked for.
        put_back: with ``align``, the output is the picture with the translated face in its place.
        overwrite: also files that this program did not make.
    """

    to: str = "sketch"
    align: bool = True
    eyes: Mapping[Path, np.ndarray] = field(default_factory=dict)
    put_back: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome:
    """Of one job: ``written``, ``done`` before, or ``failed``; why it failed, or reasons to look at it."""

    job: Job
    state: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Picture:
    """Between reading and writing: ``face`` goes through the network; ``portrait`` says where it was cut out."""

    job: Job
    face: np.ndarray
    portrait: Portrait | None
    record: dict
    why: tuple[str, ...]


def translate(model: Trained, jobs: list[Job], way: Way) -> Iterator[Outcome]:
    """Does the jobs and yields what became of each, not always in their order. Bounded memory for any number of jobs.

    Raises:
        UserError: an output cannot be written, or the model lacks the generator. What was written stays.
    """
    record = {"model": f"{model.name} {model.number}", "weights": model.fingerprint(SERVABLE[way.to]), "to": way.to}
    _clear_leftovers(jobs)
    model = model.as_is()
    network = model.to_sketch if way.to == "sketch" else model.to_photo
    chunks = [jobs[at : at + BATCH] for at in range(0, len(jobs), BATCH)]
    with ThreadPoolExecutor(_THREADS) as pool:
        reading, writing = iter(()), iter(())
        for chunk in [*chunks, []]:  # the next is read, and the one before written, while the network works
            found, reading = list(reading), pool.map(lambda job: _read(job, way, record, model), chunk)
            pictures = [one for one in found if isinstance(one, _Picture)]
            yield from (one for one in found if isinstance(one, Outcome))
            outputs = network([picture.face for picture in pictures]) if pictures else []
            yield from writing
            writing = pool.map(lambda picture, output: _write(picture, output, way), pictures, outputs)
        yield from writing


def _read(job: Job, way: Way, record: dict, model: Trained) -> _Picture | Outcome:
    try:
        data = read_bytes(job.source)
        eyes = way.eyes.get(job.source)
        record = record | {"source_sha256": hashlib.sha256(data).hexdigest()} | _way_of(way, eyes)
        records = [_record_of(target) for target in job.targets]
        if all(found == record for found in records):
            return Outcome(job, "done")
        if not way.overwrite:
            _refuse_foreign(job, records)
        whole = decode_image(data, str(job.source))
        of = "photo" if way.to == "sketch" else "sketch"
        align = way.align and (eyes is not None or not _is_our_crop(job.source, whole))
        portrait = find_portrait(whole, f"'{job.source}'", eyes) if align else None
        face = portrait.cut(of) if portrait else bounded(whole, f"'{job.source}'")
        remarks = portrait.remarks() if portrait else []
        warning = model.warning(face, of)
        return _Picture(job, face, portrait, record, (*remarks, *([warning] if warning else ())))
    except UserError as error:
        return Outcome(job, "failed", (str(error),))


def _is_our_crop(source: Path, image: np.ndarray) -> bool:
    """Whether the picture is what this command once made of an aligned face: its place is known."""
    found = read_record(source) or {}
    return "eyes" in found and found.get("put_back") is False and has_proportions(image.shape[:2])


def _way_of(way: Way, eyes: np.ndarray | None) -> dict:
    if not way.align:
        return {}
    return {"eyes": "found" if eyes is None else eyes.tolist(), "put_back": way.put_back}


def _record_of(target: Path) -> dict | bool:
    """What a file says of itself; False where there is none, True where it says nothing."""
    try:
        return read_record(target) or True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"The output '{target}' cannot be read: {error.strerror}.") from None


def _refuse_foreign(job: Job, records: list[dict | bool]) -> None:
    foreign = [target for target, found in zip(job.targets, records) if found is True]
    if foreign:
        raise UserError(
            f"'{foreign[0]}' is there already and was not made by this command, so '{job.source}' is left out; "
            "give another output, or --overwrite."
        )


def _write(picture: _Picture, output: np.ndarray, way: Way) -> Outcome:
    before = picture.face
    if way.put_back and picture.portrait is not None:
        before, output = picture.portrait.image, picture.portrait.put_back(output)
    images = [output, np.concatenate([before, output], axis=1)]
    try:
        for target, image in zip(picture.job.targets, images):
            write_bytes(target, with_record(encode_png(image, _COMPRESSION), picture.record))
    except OSError as error:
        sentence = f"The output {picture.job.target} cannot be written: {error.strerror or error}."
        if error.errno == errno.ENAMETOOLONG:  # of this one alone
            return Outcome(picture.job, "failed", (sentence,))
        raise UserError(sentence) from None
    return Outcome(picture.job, "written", picture.why)


def _clear_leftovers(jobs: list[Job]) -> None:
    """What a killed command left beside its outputs (``atomic_files.new_path``)."""
    names = {(target.parent, target.name[:NAME_START]) for job in jobs for target in job.targets}
    for folder in {folder for folder, _ in names}:
        for path in folder.glob(".*.partial"):
            left = re.fullmatch(r"\.(.+)\.[^.]+\.partial", path.name)
            if left and (folder, left[1]) in names:
                remove_if_abandoned(path)
