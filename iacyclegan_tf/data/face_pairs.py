"""The faces of a run: pairs for fitting, pairs of other people for validation, and the test people."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.people.identities import People

if TYPE_CHECKING:  # it needs TensorFlow
    from iacyclegan_tf.data.shards.record_pairs import RecordPairs

FEWEST_PEOPLE = 2  # per part: a triplet and a ranking both need a second person


@dataclass(frozen=True)
class FacePairs(People):
    """Photo-sketch pairs, brought to the network's size, and (``originals``) as they are measured.

    Attributes:
        photos, sketches: uint8 ``[N, H, W, 3]``, paired by index.
        identities: N names of people; one person may have several pairs.
        original_photos, original_sketches: N uint8 images ``[h, w, 3]`` in their own size; not of fitting pairs.
    """

    photos: np.ndarray
    sketches: np.ndarray
    identities: tuple[str, ...]
    original_photos: tuple[np.ndarray, ...] = ()
    original_sketches: tuple[np.ndarray, ...] = ()

    @property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Of all photos and of all sketches, int64 ``[H, W, 3]``."""
        return self.photos.sum(0, dtype=np.int64), self.sketches.sum(0, dtype=np.int64)

    def reading(self) -> AbstractContextManager:
        """As ``RecordPairs.reading``: nothing is read any more."""
        return nullcontext()


@dataclass(frozen=True)
class Faces:
    """All data of a run. ``split_hash`` names the split beside every result; ``notes`` lists what was left out.

    The fitting pairs may stay on the disk (``data.format: tfrecord``); the others are in memory.
    """

    fitting: FacePairs | RecordPairs
    validation: FacePairs
    test: FacePairs
    test_split: str
    fit: Fit
    split_hash: str
    notes: list[str] = field(default_factory=list)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.fitting.photos.shape[1:]

    def mean_training_images(self) -> dict[str, np.ndarray]:
        """``photos`` and ``sketches``: the mean of all training pairs, float64 ``[H, W, 3]`` in 0..255."""
        count = len(self.fitting) + len(self.validation)
        return {
            side: (fitting + validation) / count
            for side, fitting, validation in zip(("photos", "sketches"), self.fitting.sums, self.validation.sums)
        }

    def counts(self) -> list[str]:
        """E.g. ``["train 86 = 76 fit + 10 validation", "dev 48"]``, in pairs."""
        fitting, validation = len(self.fitting), len(self.validation)
        return [
            f"train {fitting + validation} = {fitting} fit + {validation} validation",
            f"{self.test_split} {len(self.test)}",
        ]


def choose_test_split(settings: DataConfig, splits: list[str]) -> str:
    """The split to test on, where the data hold ``splits``; ``UserError`` where the settings leave it open."""
    if settings.train_split not in splits:
        raise UserError(
            f"data.train_split is {settings.train_split!r}, but {settings.root} holds the splits: "
            f"{', '.join(map(repr, splits))}. Name one of them, or give data.split_file."
        )
    others = [split for split in splits if split != settings.train_split]
    if settings.test_split == "auto" and len(others) == 1:
        return others[0]
    if settings.test_split not in others:
        raise UserError(
            f"data.test_split is {settings.test_split!r}, but beside {settings.train_split!r} "
            f"{settings.root} holds: {', '.join(map(repr, others)) or 'no other split'}. Name one of them."
        )
    return settings.test_split


def held_out(identities: tuple[str, ...], share: float, seed: int) -> np.ndarray:
    """bool ``[N]``: the pairs of the people held out; a split by people, so that no person is in both."""
    everyone = sorted(set(identities))
    count = max(FEWEST_PEOPLE, round(share * len(everyone)))
    held = set(np.random.default_rng(seed).permutation(everyone)[:count])
    return np.array([identity in held for identity in identities])


def checked(faces: Faces) -> Faces:
    """``faces``; ``UserError`` where a part has too few people or one person is trained and tested on."""
    for name in ("fitting", "validation", "test"):
        people = getattr(faces, name).people
        if people < FEWEST_PEOPLE:
            raise UserError(
                f"The {name} part has {people} people; it needs at least {FEWEST_PEOPLE}. "
                "Give more pairs, or change data.validation_share."
            )
    common = set(faces.test.identities) & (set(faces.fitting.identities) | set(faces.validation.identities))
    if common:
        raise UserError(
            f"{len(common)} people are in both the training and the test split, e.g. "
            f"{sorted(common)[0]}; results on them would mean nothing."
        )
    return faces
