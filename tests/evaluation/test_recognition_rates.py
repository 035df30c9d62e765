"""Score matrices of all ways, crops and matchers, and the numbers made of them, against scikit-image and loops."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.feature import hog

from iacyclegan_tf.evaluation.identity_judge import DLIB
from iacyclegan_tf.evaluation.matching import WAYS, Matcher
from iacyclegan_tf.evaluation.recognition_rates import hog_cell, recognition, recognition_tables, score_matrices


def pictures(count: int, seed: int, height: int = 50, width: int = 40) -> list[np.ndarray]:
    noise = np.random.default_rng(seed).normal(size=[count, height, width, 3])
    return [np.clip(128 + 400 * gaussian_filter(n, (2, 2, 0)), 0, 255).astype(np.uint8) for n in noise]


def gray(image: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L"))


def mean_colors(seed: int):
    weights = np.random.default_rng(seed).normal(size=[3, 5])

    def embed(images):
        vectors = np.stack([image.astype(np.float64).mean((0, 1)) @ weights for image in images])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return embed


MATCHER = Matcher(None, None, mean_colors(1), mean_colors(2), mean_colors(3))
SKETCHES, PHOTOS, FAKE_PHOTOS, FAKE_SKETCHES = (pictures(6, seed) for seed in range(4))


def z(matrix):
    return (matrix - matrix.mean()) / matrix.std()


@pytest.mark.parametrize(
    "crop, cut", [("whole", lambda image: image), ("face", lambda image: image[14:44, 8:32])], ids=["whole", "face"]
)
def test_score_matrices_hold_every_way_on_both_crops(crop, cut):
    scores, left_out = score_matrices(MATCHER, SKETCHES, PHOTOS, FAKE_PHOTOS, FAKE_SKETCHES)
    assert not left_out and len(scores) == 16
    sketches, photos, fake_photos, fake_sketches = (
        list(map(cut, side)) for side in (SKETCHES, PHOTOS, FAKE_PHOTOS, FAKE_SKETCHES)
    )

    def features(images):
        found = np.stack([hog(gray(image), 9, (2, 2), (2, 2)) for image in images])
        found -= found.mean(0)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    for kind, embeds in (("learned", [mean_colors(i) for i in (1, 2, 3)]), ("hog", [features] * 3)):
        photo = embeds[1](fake_photos) @ embeds[1](photos).T
        sketch = embeds[2](sketches) @ embeds[2](fake_sketches).T
        expected = {
            "none": embeds[0](sketches) @ embeds[0](photos).T,
            "photo": photo,
            "sketch": sketch,
            "fusion": z(photo) + z(sketch),
        }
        for way in WAYS:
            np.testing.assert_allclose(
                scores[f"{kind}.{crop}.{way}"], expected[way], atol=1e-8, err_msg=f"{kind} {way}"
            )


@pytest.mark.parametrize("width, cell", [(200, 10), (128, 6), (64, 3), (8, 1)])
def test_hog_cells_keep_their_share_of_the_width(width, cell):
    assert hog_cell(np.zeros((10, width, 3))) == cell


def test_what_cannot_be_measured_says_why():
    square = [pictures(3, seed, 40, 40) for seed in range(4)]
    scores, left_out = score_matrices(MATCHER, *square)
    tables = recognition_tables(scores, left_out, list("abc"), list("abc"))
    assert set(tables["retrieval"]) == set(tables["hog"]) == set(WAYS)
    assert "40x40" in tables["retrieval_face"]["not_measured"] and "40x40" in tables["hog_face"]["not_measured"]
    mixed = [[*pictures(2, seed), *pictures(1, seed, 100, 80)] for seed in range(4)]
    scores, left_out = score_matrices(MATCHER, *mixed)
    tables = recognition_tables(scores, left_out, list("abc"), list("abc"))
    assert "several" in tables["identity_kept"]["not_measured"]
    assert "several" in tables["hog"]["not_measured"] and set(tables["retrieval_face"]) == set(WAYS)


def test_recognition_equals_loops():
    random = np.random.default_rng(3)
    people = [f"p{i:02d}" for i in range(40)]
    scores = random.normal(size=(40, 40)) + 2 * np.eye(40)
    ours = recognition(scores, people, people)
    places = [1 + sum(scores[i, j] >= scores[i, i] for j in range(40) if j != i) for i in range(40)]
    impostors = [scores[i, j] for i in range(40) for j in range(40) if i != j]
    for k in (1, 5, 10):
        assert ours[f"rank{k}"] == np.mean([place <= k for place in places])
    assert ours["mrr"] == pytest.approx(np.mean([1 / place for place in places]))
    assert ours["margin"] == pytest.approx(np.mean([scores[i, i] - max(np.delete(scores[i], i)) for i in range(40)]))
    spread = np.sqrt((np.var(np.diag(scores)) + np.var(impostors)) / 2)
    assert ours["d_prime"] == pytest.approx((np.mean(np.diag(scores)) - np.mean(impostors)) / spread)
    assert ours["impostor_pairs"] == 1560
    assert ours["vr_far_1"] == np.mean(np.diag(scores) > np.quantile(impostors, 0.99))
    assert 0 < ours["rank1"] < 1 and 0 < ours["vr_far_1"] < 1


def test_identity_kept_is_judged_by_hog_and_says_so():
    scores, left_out = score_matrices(MATCHER, SKETCHES, PHOTOS, FAKE_PHOTOS, FAKE_SKETCHES)
    tables = recognition_tables(scores, left_out, list("abcdef"), list("abcdef"))
    kept = tables["identity_kept"]
    assert "HOG" in kept["judge"] and "without any training" in kept["judge"]
    assert kept["photos"] == recognition(scores["hog.whole.photo"], list("abcdef"), list("abcdef"))
    assert kept["sketches"] == tables["hog"]["sketch"]


def test_where_a_network_judges_it_is_named():
    scores, left_out = score_matrices(MATCHER, SKETCHES, PHOTOS, FAKE_PHOTOS, FAKE_SKETCHES)
    judged = {side: np.random.default_rng(1).normal(size=(6, 6)) for side in ("photos", "sketches")}
    kept = recognition_tables(scores, left_out, list("abcdef"), list("abcdef"), judged)["identity_kept"]
    assert kept == {"judge": DLIB} | {side: recognition(judged[side], *["abcdef"] * 2) for side in judged}


def test_a_rate_that_rests_on_too_few_impostors_is_refused_with_the_sentence():
    people = [f"p{i:02d}" for i in range(40)]
    ours = recognition(np.random.default_rng(3).normal(size=(40, 40)), people, people)
    assert ours["vr_far_0.1"] is None and list(ours["refused"]) == ["vr_far_0.1"]
    assert ours["refused"]["vr_far_0.1"] == (
        "A verification threshold at FAR 0.001 needs at least 10000 impostor pairs (10 / FAR); there are 1560."
    )
