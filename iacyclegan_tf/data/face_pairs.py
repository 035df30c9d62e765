"""The faces of a run: pairs for fitting, pairs of other people for validation, and the test people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.alignment.chips import Chips
from iacyclegan_tf.data.pairs.naming import VALIDATION
from iacyclegan_tf.data.resizing import Fit

if TYPE_CHECKING:  # it needs TensorFlow
    from iacyclegan_tf.data.streams.image_sources import ImageSource

FEWEST_PEOPLE = 2  # per part: a triplet and a ranking both need a second person


@dataclass(frozen=True)
class FacePairs:
    """Photo-sketch pairs, brought to the network's size, and (``originals``) as they are measured.

    Attributes:
        photos, sketches: uint8 ``[N, H, W, 3]``, paired by index; with ``data.in_memory: false`` those for fitting are
            ``ImageFiles``, which are read when their turn comes.
        identities: N names of people; one person may have several pairs.
        original_photos, original_sketches: N uint8 images ``[h, w, 3]`` in their own size; not of fitting pairs.
        subsets: N names of the sub-sets (the manifest's column ``subset``), or empty.
        photo_chips, sketch_chips: of the images as they are, where the recognizers are shown chips.
    """

    photos: np.ndarray | ImageSource
    sketches: np.ndarray | ImageSource
    identities: tuple[str, ...]
    original_photos: tuple[np.ndarray, ...] = ()
    original_sketches: tuple[np.ndarray, ...] = ()
    subsets: tuple[str, ...] = ()
    photo_chips: Chips | None = None
    sketch_chips: Chips | None = None

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def people(self) -> int:
        return len(set(self.identities))

    @property
    def labels(self) -> np.ndarray:
        """int ``[N]``: the people, numbered in alphabetical order."""
        return np.unique(self.identities, return_inverse=True)[1].astype(np.int32)

    @cached_property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """The sum of all photos and that of all sketches, int64 ``[H, W, 3]``; of files this reads everything once."""
        from iacyclegan_tf.data.streams.image_sources import total

        with self.reading():
            return total(self.photos), total(self.sketches)

    @property
    def shown(self) -> tuple[np.ndarray | ImageSource, np.ndarray | ImageSource]:
        """Photos and sketches as recognizers are shown them in training: chips, or at the network's size."""
        if self.photo_chips is None:
            return self.photos, self.sketches
        return self.photo_chips.images, self.sketch_chips.images

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around whatever reads the images: a file that cannot be read becomes a ``UserError`` that names it."""
        with ExitStack() as stack:
            for images in (self.photos, self.sketches):
                if not isinstance(images, np.ndarray):
                    stack.enter_context(images.reading())
            yield


@dataclass(frozen=True)
class Faces:
    """All data of a run. ``split_hash`` names the split beside every result; ``notes`` lists what was left out.

    ``test_split``: the name of the split that is tested on; ``own_validation``: the data name the validation people.
    """

    fitting: FacePairs
    validation: FacePairs
    test: FacePairs
    test_split: str
    fit: Fit
    split_hash: str
    notes: list[str] = field(default_factory=list)
    own_validation: bool = False

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.fitting.photos.shape[1:]

    def mean_training_images(self) -> dict[str, np.ndarray]:
        """``photos`` and ``sketches``: the mean of fitting and validation, float64 ``[H, W, 3]`` in 0..255."""
        count = len(self.fitting) + len(self.validation)
        return {
            side: (fitting + validation) / count
            for side, fitting, validation in zip(("photos", "sketches"), self.fitting.sums, self.validation.sums)
        }

    def counts(self) -> list[str]:
        """E.g. ``["train 86 = 76 fit + 10 validation", "dev 48"]``, in pairs."""
        fitting, validation = len(self.fitting), len(self.validation)
        if self.own_validation:
            train = [f"train {fitting}", f"{VALIDATION} {validation} for validation"]
        else:
            train = [f"train {fitting + validation} = {fitting} fit + {validation} validation"]
        return [*train, f"{self.test_split} {len(self.test)}"]


def choose_test_split(settings: DataConfig, splits: list[str]) -> str:
    """The split to test on, where the data hold ``splits``; ``UserError`` where the settings leave it open.

    ``val`` is for validation, unless ``data.test_split`` names it or nothing else is there to test on.
    """
    if settings.train_split not in splits:
        raise UserError(
            f"data.train_split is {settings.train_split!r}, but {settings.root} holds the splits: "
            f"{', '.join(map(repr, splits))}. Name one of them, or give data.split_file."
        )
    others = [split for split in splits if split != settings.train_split]
    automatic = [split for split in others if split != VALIDATION] or others
    if settings.test_split == "auto" and len(automatic) == 1:
        return automatic[0]
    if settings.test_split not in others:
        raise UserError(
            f"data.test_split is {settings.test_split!r}, but beside {settings.train_split!r} "
            f"{settings.root} holds: {', '.join(map(repr, others)) or 'no other split'}. Name one of them."
        )
    return settings.test_split


def held_out(identities: Sequence[str], share: float, seed: int, subsets: Sequence[str] = ()) -> np.ndarray:
    """bool ``[N]``: the pairs of the people held out; a split by people, so that no person is in both.

    ``share`` of the people are chosen by ``seed``, and as many of each sub-set where ``subsets`` (N names) are given.
    """
    order = np.random.default_rng(seed).permutation(sorted(set(identities))).tolist()
    subset_of, groups = dict(zip(identities, subsets)), defaultdict(list)
    for person in order:
        groups[subset_of.get(person, "")].append(person)
    held = {person for group in groups.values() for person in group[: round(share * len(group))]}
    held.update([person for person in order if person not in held][: max(0, FEWEST_PEOPLE - len(held))])
    return np.array([identity in held for identity in identities])


def checked(faces: Faces) -> Faces:
    """``faces``; ``UserError`` where a part has too few people."""
    for name in ("fitting", "validation", "test"):
        people = getattr(faces, name).people
        if people < FEWEST_PEOPLE:
            raise UserError(
                f"The {name} part has {people} people; it needs at least {FEWEST_PEOPLE}. "
                "Give more pairs, or change data.validation_share."
            )
    return faces
