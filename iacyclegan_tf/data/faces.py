"""Where the faces of a run come from: drawn, read from image files, or streamed from shards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.face_pairs import FacePairs, Faces, checked, choose_test_split, held_out
from iacyclegan_tf.data.fit import Fit


def load_faces(settings: DataConfig, seed: int, progress: Callable = lambda items, words, total: items) -> Faces:
    """Draws or reads the faces that ``settings`` name.

    Args:
        seed: chooses the validation people among the training people.
        progress: wraps an iterable, given the words for it and its length, e.g. to show a bar.

    Raises ``UserError`` for missing folders, too few people, and unreadable files unless ``skip_bad``.
    """
    if settings.source == "drawn":
        return _drawn(settings, seed, progress)
    if settings.format == "tfrecord":
        from iacyclegan_tf.data.shard_faces import read_shards

        return read_shards(settings, seed, progress)
    return _read(settings, seed, progress)


def _drawn(settings: DataConfig, seed: int, progress: Callable) -> Faces:
    from iacyclegan_tf.data.drawn.faces import draw_pair

    people = settings.drawn

    def draw(first: int, count: int, renderings: int, what: str) -> FacePairs:
        wanted = [(first + i, r) for i in range(count) for r in range(renderings)]
        # one thread: drawing is many small NumPy calls, which two threads only slow down
        pairs = [
            draw_pair(i, r, seed=people.seed, height=settings.height, width=settings.width)
            for i, r in progress(wanted, f"drawing {what} faces", len(wanted))
        ]
        photos, sketches = zip(*pairs)
        return FacePairs(
            np.stack(photos), np.stack(sketches), tuple(f"drawn-{i:04d}" for i, _ in wanted), photos, sketches
        )

    train = draw(0, people.train_people, people.renderings, "training")
    test = draw(people.train_people, people.test_people, 1, "test")
    digest = hashlib.sha256(repr(people).encode()).hexdigest()
    fitting, validation = _hold_out(train, settings.validation_share, seed)
    return checked(Faces(fitting, validation, test, "test", Fit("squeeze", settings.height, settings.width), digest))


def _read(settings: DataConfig, seed: int, progress: Callable) -> Faces:
    from iacyclegan_tf.data.images.files import read_images
    from iacyclegan_tf.data.pairs.pairing import find_pairs, split_hash

    pairing = find_pairs(settings.root, split_file=settings.split_file or None)
    notes = pairing.report()
    splits = sorted({pair.split for pair in pairing.pairs})
    test_split = choose_test_split(settings, splits)
    chosen = [pair for pair in pairing.pairs if pair.split in (settings.train_split, test_split)]
    images, bad = read_images([path for pair in chosen for path in (pair.photo, pair.sketch)], progress)
    if bad and not settings.skip_bad:
        raise UserError(
            f"{len(bad)} of {2 * len(chosen)} files under {settings.root} cannot be used:\n  "
            + "\n  ".join(bad)
            + "\nMend or remove them, or go on without their pairs with data.skip_bad=true."
        )
    notes += [f"left out (data.skip_bad): {line}" for line in bad]
    chosen = [pair for pair in chosen if pair.photo in images and pair.sketch in images]
    fit = _network_fit(settings, chosen, images)

    def gather(split: str) -> FacePairs:
        pairs = [pair for pair in chosen if pair.split == split]
        if not pairs:
            raise UserError(f"The split {split!r} of {settings.root} holds no usable pair.")
        photos, sketches = [images[p.photo] for p in pairs], [images[p.sketch] for p in pairs]
        return FacePairs(
            np.stack([fit.apply(i) for i in photos]),
            np.stack([fit.apply(i) for i in sketches]),
            tuple(p.identity for p in pairs),
            tuple(photos),
            tuple(sketches),
        )

    fitting, validation = _hold_out(gather(settings.train_split), settings.validation_share, seed)
    return checked(Faces(fitting, validation, gather(test_split), test_split, fit, split_hash(tuple(chosen)), notes))


def _network_fit(settings: DataConfig, pairs, images: dict[Path, np.ndarray]) -> Fit:
    if settings.fit != "native":
        return Fit(settings.fit, settings.height, settings.width)
    first = images[pairs[0].photo]
    height, width = first.shape[:2]
    for pair in pairs:
        for path in (pair.photo, pair.sketch):
            if images[path].shape != first.shape:
                raise UserError(
                    f"data.fit is native, but {path} is {images[path].shape[1]}×{images[path].shape[0]} and "
                    f"{pairs[0].photo} is {width}×{height} pixels; use data.fit=pad or squeeze."
                )
    return Fit("native", height, width)


def _hold_out(train: FacePairs, share: float, seed: int) -> tuple[FacePairs, FacePairs]:
    """Those for fitting, and those of the people held out."""
    is_held = held_out(train.identities, share, seed)
    return _subset(train, ~is_held, False), _subset(train, is_held, True)


def _subset(pairs: FacePairs, mask: np.ndarray, keep: bool) -> FacePairs:
    kept = np.flatnonzero(mask)
    originals = [
        tuple(images[i] for i in kept) if keep else () for images in (pairs.original_photos, pairs.original_sketches)
    ]
    return FacePairs(pairs.photos[mask], pairs.sketches[mask], tuple(pairs.identities[i] for i in kept), *originals)
