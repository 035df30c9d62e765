"""Where the faces of a run come from: drawn, or read from image files, all at once or when their turn comes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.alignment.chips import Chips, Landmarks, cut
from iacyclegan_tf.data.duplicate_images import Picture, pixels_sha256, refuse_same_pictures
from iacyclegan_tf.data.face_pairs import FacePairs, Faces, checked, choose_test_split, held_out
from iacyclegan_tf.data.pairs.naming import VALIDATION, normal_name
from iacyclegan_tf.data.pairs.pair import Pair, split_hash
from iacyclegan_tf.data.resizing import Fit


def load_faces(
    settings: DataConfig,
    seed: int,
    progress: Callable = lambda items, words, total: items,
    landmarks: Landmarks | None = None,
) -> Faces:
    """Draws or reads the faces that ``settings`` name.

    Args:
        seed: chooses the validation people among the training people, where the data name none.
        progress: wraps an iterable, given the words for it and its length, e.g. to show a bar.
        landmarks: where given, the faces of all images are found and come with their chips.

    Raises ``UserError`` for missing folders, too few people, unreadable files unless ``skip_bad``, and a picture of a
    test person that is another person's, too.
    """
    faces = checked((_drawn if settings.source == "drawn" else _read)(settings, seed, progress, landmarks))
    if landmarks is not None:
        landmarks.save()
        parts = (faces.fitting, faces.validation, faces.test)
        chips = [some for part in parts for some in (part.photo_chips, part.sketch_chips)]
        if missed := sum(some.missed for some in chips):
            faces.notes.append(
                f"in {missed} of {sum(len(some.points) for some in chips)} images no face was found; recognizers are "
                "shown the place where an aligned crop has it"
            )
    return faces


def _drawn(settings: DataConfig, seed: int, progress: Callable, landmarks: Landmarks | None) -> Faces:
    from iacyclegan_tf.data.drawn.faces import draw_pair

    people = settings.drawn

    def draw(numbers: range, renderings: int, what: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Name, photo and sketch; in one thread: drawing is many small NumPy calls, which two only slow down."""
        wanted = [(number, rendering) for number in numbers for rendering in range(renderings)]
        size = {"seed": people.seed, "height": settings.height, "width": settings.width}
        return [
            (f"drawn-{number:04d}", *draw_pair(number, rendering, **size))
            for number, rendering in progress(wanted, f"drawing {what} faces", len(wanted))
        ]

    def gather(drawn: Sequence[tuple[str, np.ndarray, np.ndarray]], kept: bool = True) -> FacePairs:
        names, photos, sketches = zip(*drawn) if drawn else ((), (), ())
        shape = (-1, settings.height, settings.width, 3)
        arrays = [np.array(images, np.uint8).reshape(shape) for images in (photos, sketches)]
        chips = [landmarks and landmarks.chips(progress(images, "finding faces", len(images))) for images in arrays]
        return FacePairs(*arrays, names, *((photos, sketches) if kept else ((), ())), (), *chips)

    train = draw(range(people.train_people), people.renderings, "training")
    test = gather(draw(range(people.train_people, people.train_people + people.test_people), 1, "test"))
    held = held_out([name for name, _, _ in train], settings.validation_share, seed)
    fitting, validation = (gather([one for one, out in zip(train, held) if out == part], part) for part in (0, 1))
    digest = hashlib.sha256(repr(people).encode()).hexdigest()
    return Faces(fitting, validation, test, "test", Fit("squeeze", settings.height, settings.width), digest)


class _Read(NamedTuple):
    """What is kept of an image file: (height, width), ``pixels_sha256``, where ``data.in_memory`` the image, and where
    landmarks are wanted those of its face, if one was found, and its chip."""

    size: tuple[int, int]
    sha256: str
    image: np.ndarray | None
    points: np.ndarray | None
    chip: np.ndarray | None


def _read(settings: DataConfig, seed: int, progress: Callable, landmarks: Landmarks | None) -> Faces:
    from iacyclegan_tf.data.images.files import read_images
    from iacyclegan_tf.data.pairs.pairing import find_pairs

    pairing = find_pairs(settings.root, split_file=settings.split_file or None)
    splits = sorted({pair.split for pair in pairing.pairs})
    test_split = choose_test_split(settings, splits)
    own_validation = VALIDATION in splits and VALIDATION not in (test_split, settings.train_split)
    used = {settings.train_split, test_split, *([VALIDATION] if own_validation else ())}
    chosen = [pair for pair in pairing.pairs if pair.split in used]

    def look(image: np.ndarray) -> _Read:
        sha256, points, chip = pixels_sha256(image), None, None
        if landmarks is not None:
            points = landmarks.points(image, sha256)
            chip = cut(image, points)
        return _Read(image.shape[:2], sha256, image if settings.in_memory else None, points, chip)

    seen, bad = read_images([path for pair in chosen for path in (pair.photo, pair.sketch)], progress, look)
    if bad and not settings.skip_bad:
        raise UserError(
            f"{len(bad)} of {2 * len(chosen)} files under {settings.root} cannot be used:\n  "
            + "\n  ".join(bad)
            + "\nMend or remove them, or go on without their pairs with data.skip_bad=true."
        )
    chosen = [pair for pair in chosen if pair.photo in seen and pair.sketch in seen]
    of_split = {split: [pair for pair in chosen if pair.split == split] for split in used}
    for split, pairs in of_split.items():
        if not pairs:
            raise UserError(f"The split {split!r} of {settings.root} holds no usable pair.")
    train, test = of_split[settings.train_split], of_split[test_split]
    if own_validation:
        fitting, validation = train, of_split[VALIDATION]
    else:
        held = held_out(_people(train), settings.validation_share, seed, [pair.subset for pair in train])
        fitting, validation = ([train[i] for i in np.flatnonzero(mask)] for mask in (~held, held))
    refuse_same_pictures(_pictures(test, seen), _pictures([*fitting, *validation], seen))
    fit = _network_fit(settings, chosen, seen)
    faces = Faces(
        _gather(fitting, fit, seen, lazily=not settings.in_memory),
        _gather(validation, fit, seen, kept=True),
        _gather(test, fit, seen, kept=True),
        test_split,
        fit,
        split_hash(chosen),
        [*pairing.report(), *(f"left out (data.skip_bad): {line}" for line in bad)],
        own_validation,
    )
    if not settings.in_memory:
        faces.notes.append(f"{len(fitting)} pairs are read from their files when their turn comes, the others are held")
    return faces


def _people(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The person of each pair, under the first spelling of a name in several letter cases or forms."""
    spelling: dict[str, str] = {}
    return tuple(spelling.setdefault(normal_name(pair.identity), pair.identity) for pair in pairs)


def _pictures(pairs: Sequence[Pair], seen: dict[Path, _Read]) -> list[Picture]:
    return [
        Picture(f"'{path}'", pair.identity, seen[path].sha256) for pair in pairs for path in (pair.photo, pair.sketch)
    ]


def _gather(
    pairs: Sequence[Pair], fit: Fit, seen: dict[Path, _Read], kept: bool = False, lazily: bool = False
) -> FacePairs:
    """``kept``: also in their own size. ``lazily``: to be read when their turn comes."""
    from iacyclegan_tf.data.images.files import read_image

    sides = [pair.photo for pair in pairs], [pair.sketch for pair in pairs]
    chips = [_chips([seen[path] for path in paths]) for paths in sides]
    subsets = tuple(pair.subset for pair in pairs) if any(pair.subset for pair in pairs) else ()
    if lazily and pairs:
        from iacyclegan_tf.data.streams.image_sources import ImageFiles

        size = fit.network_size(seen[pairs[0].photo].size)
        same = all(seen[path].size == size for paths in sides for path in paths)
        sources = [ImageFiles(paths, size, None if same else fit) for paths in sides]
        return FacePairs(*sources, _people(pairs), (), (), subsets, *chips)
    images = [
        tuple(read_image(path) if seen[path].image is None else seen[path].image for path in paths) for paths in sides
    ]
    fitted = [np.array([fit.apply(image) for image in some], np.uint8) for some in images]
    return FacePairs(*fitted, _people(pairs), *(images if kept else ((), ())), subsets, *chips)


def _chips(some: Sequence[_Read]) -> Chips | None:
    if not some or some[0].chip is None:
        return None
    points, sizes = tuple(one.points for one in some), tuple(one.size for one in some)
    return Chips(np.array([one.chip for one in some]), points, sizes)


def _network_fit(settings: DataConfig, pairs: Sequence[Pair], seen: dict[Path, _Read]) -> Fit:
    if settings.fit != "native":
        return Fit(settings.fit, settings.height, settings.width)
    first = pairs[0].photo
    height, width = seen[first].size
    for path in (path for pair in pairs for path in (pair.photo, pair.sketch)):
        if seen[path].size != (height, width):
            raise UserError(
                f"data.fit is native, but {path} is {seen[path].size[1]}×{seen[path].size[0]} and "
                f"{first} is {width}×{height} pixels; use data.fit=pad or squeeze."
            )
    return Fit("native", height, width)
