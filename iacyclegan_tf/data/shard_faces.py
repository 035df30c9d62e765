"""The faces of a run from TFRecord shards: the fitting pairs stay on the disk, the few others come to memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.face_pairs import FacePairs, Faces, checked, choose_test_split, held_out
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.pairs.pair import Pair, Pairing, disjoint, split_hash
from iacyclegan_tf.data.pairs.splits import assign_splits, check_all_known, read_split_file
from iacyclegan_tf.data.shards.index import ShardIndex, read_index
from iacyclegan_tf.data.shards.record_pairs import SIDES, RecordPairs


def read_shards(settings: DataConfig, seed: int, progress: Callable) -> Faces:
    """As ``load_faces``; raises ``UserError`` naming the index or the shard that is not sound."""
    index = read_index(settings.root)
    pairing = Pairing(tuple(index.pairs()))
    number_of = {(pair.photo, pair.sketch): number for number, pair in enumerate(pairing.pairs)}
    if settings.split_file:
        wanted = read_split_file(settings.split_file)
        check_all_known(pairing, wanted, settings.split_file)
        pairing = disjoint(assign_splits(pairing, wanted), settings.split_file)
    test_split = choose_test_split(settings, sorted({pair.split for pair in pairing.pairs}))
    chosen = [pair for pair in pairing.pairs if pair.split in (settings.train_split, test_split)]
    fit = _network_fit(settings, index, chosen, number_of)

    def pairs_of(split: str) -> RecordPairs:
        own = [pair for pair in chosen if pair.split == split]
        numbers = np.array([number_of[pair.photo, pair.sketch] for pair in own])
        return RecordPairs(index, numbers, tuple(pair.identity for pair in own), fit)

    train = pairs_of(settings.train_split)
    held = held_out(train.identities, settings.validation_share, seed)
    if held.all():
        raise UserError(
            f"The split {settings.train_split!r} of {settings.root} has {train.people} people and all are held out; "
            "give more pairs, or change data.validation_share."
        )
    fitting, validation = train.subset(~held), _in_memory(train.subset(held), "validation", progress)
    test = _in_memory(pairs_of(test_split), "test", progress)
    return checked(
        Faces(
            fitting,
            validation,
            test,
            test_split,
            fit,
            split_hash(chosen),
            [*pairing.report(), _what_lies_where(index, fitting, validation, test)],
        )
    )


def _network_fit(settings: DataConfig, index: ShardIndex, chosen: list[Pair], number_of: dict) -> Fit:
    if settings.fit != "native":
        return Fit(settings.fit, settings.height, settings.width)
    numbers = [number_of[pair.photo, pair.sketch] for pair in chosen]
    sizes = index.sizes[numbers]
    other = np.flatnonzero((sizes != np.tile(sizes[0, :2], 2)).any(1))
    if len(other):
        pair, (height, width, *sketch) = chosen[other[0]], sizes[other[0]]
        raise UserError(
            f"data.fit is native, but in {index.path} the photo of '{pair.identity}' is {width}×{height}, its sketch "
            f"{sketch[1]}×{sketch[0]} and the first photo {sizes[0, 1]}×{sizes[0, 0]} pixels; use data.fit=pad or squeeze."
        )
    return Fit("native", int(sizes[0, 0]), int(sizes[0, 1]))


def _in_memory(pairs: RecordPairs, what: str, progress: Callable) -> FacePairs:
    """The pairs at the network's size and in their own."""
    fitted, originals = [np.empty(pairs.photos.shape, np.uint8) for _ in SIDES], [[] for _ in SIDES]
    with pairs.reading():
        everything = progress(pairs.in_order(fitted=False).as_numpy_iterator(), f"reading {what} pairs", len(pairs))
        for number, images in enumerate(everything):
            for side, image in enumerate(images):
                fitted[side][number] = pairs.fit.apply(image)
                originals[side].append(image)
    return FacePairs(*fitted, pairs.identities, *map(tuple, originals))


def _what_lies_where(index: ShardIndex, fitting: RecordPairs, *in_memory: FacePairs) -> str:
    arrays = [
        array
        for pairs in in_memory
        for array in (pairs.photos, pairs.sketches, *pairs.original_photos, *pairs.original_sketches)
    ]
    return (
        f"{len(fitting)} pairs are streamed from {len(index.shards)} shards in {index.folder} "
        f"({sum(shard.bytes for shard in index.shards) / 1e9:.2f} GB); the others are held in memory "
        f"({sum(array.nbytes for array in arrays) / 1e9:.2f} GB)"
    )
