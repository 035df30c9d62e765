"""The faces of a run: who is fitted, held out and tested; pictures in the network's size and in their own."""

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig, DrawnConfig
from iacyclegan_tf.data.images.files import read_image
from iacyclegan_tf.data.load_faces import load_faces
from iacyclegan_tf.data.pairs.pairing import find_pairs

DRAWN = DrawnConfig(train_people=10, test_people=4, renderings=2)


def test_drawn_faces_are_split_by_people():
    faces = load_faces(DataConfig(height=40, width=32, validation_share=0.3, drawn=DRAWN), seed=0)
    parts = [set(part.identities) for part in (faces.fitting, faces.validation, faces.test)]
    assert [len(part) for part in parts] == [7, 3, 4] and len(set.union(*parts)) == 14
    assert [len(part) for part in (faces.fitting, faces.validation, faces.test)] == [14, 6, 4]
    assert faces.counts() == ["train 20 = 14 fit + 6 validation", "test 4"] and faces.image_shape == (40, 32, 3)
    assert sorted(set(faces.fitting.labels)) == list(range(7)) and faces.fitting.people == 7
    for i in range(4):
        assert np.array_equal(faces.test.photos[i], faces.test.original_photos[i])


def test_the_seed_chooses_the_validation_people_and_repeats_them():
    settings = DataConfig(height=40, width=32, validation_share=0.3, drawn=DRAWN)
    held = [load_faces(settings, seed).validation.identities for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_real_pairs_keep_their_originals_and_partners(real_pairs):
    settings = DataConfig(source="pairs", root=str(real_pairs), fit="native")
    faces = load_faces(settings, seed=0)
    assert faces.counts() == ["train 86 = 76 fit + 10 validation", "dev 48"] and faces.image_shape == (252, 200, 3)
    by_name = {pair.identity: pair for pair in find_pairs(real_pairs).pairs}
    for i in (0, 20, 47):
        pair = by_name[faces.test.identities[i]]
        assert np.array_equal(faces.test.original_photos[i], read_image(pair.photo))
        assert np.array_equal(faces.test.original_sketches[i], read_image(pair.sketch))
        assert np.array_equal(faces.fit.undo(faces.test.photos[i], (250, 200)), faces.test.original_photos[i])


def test_a_split_that_is_not_there_is_named(real_pairs):
    for setting, words in (({"train_split": "trian"}, "trian"), ({"test_split": "test"}, "'test'")):
        with pytest.raises(UserError, match=words):
            load_faces(DataConfig(source="pairs", root=str(real_pairs), **setting), seed=0)


def test_too_few_people_are_refused():
    with pytest.raises(UserError, match="at least 2"):
        load_faces(
            DataConfig(height=40, width=32, drawn=DrawnConfig(train_people=3, test_people=4, renderings=1)), seed=0
        )
