"""What a search answers: the photos most alike, with their scores, and the sentences that must be shown with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import decode_image, read_bytes
from iacyclegan_tf.evaluation.calibration import Calibration
from iacyclegan_tf.inference.trained import Trained

WAYS = ("fusion", "photo", "sketch")
LEAD = (
    "A ranked list is a lead, not an identification: the best match of a person who is not in the gallery is always "
    "somebody else. A person must decide, with other evidence."
)


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


def sentences(model: Trained, calibration: Calibration | None, by: str, searched: int) -> Iterator[str]:
    """What a score is worth in a search of ``searched`` photos ranked ``by`` a way, and what it is not."""
    yield LEAD
    if caution := model.caution:
        yield caution
    if calibration is None:
        yield (
            f"The recognizers of {model.name} {model.number} carry no calibration of one round (exports "
            "of older versions have none), so the scores only rank: nothing says how alike is alike enough."
        )
        return
    yield from calibration.refusals(by)
    for far in calibration.known(by):
        people = calibration.values["people"]
        yield (
            f"Above the threshold at FAR {100 * far:g} % chance alone puts about {far * searched:.3g} of these "
            f"{searched} photos, by {by}, if they are like the {people} validation people."
        )


def stored_photo(candidate: Candidate) -> np.ndarray:
    """The candidate's photo, uint8 ``[h, w, 3]``, from where it was added.

    Raises ``UserError`` where it is gone, or is not the photo that was added.
    """
    path = Path(candidate.source)
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != candidate.sha256:
        raise UserError(f"'{printable(path)}' is not the photo that was added: its checksum is another.")
    return decode_image(data, str(path))
