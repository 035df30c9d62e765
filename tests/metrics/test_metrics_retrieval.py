"""Ranks, rank-k, CMC, mean reciprocal rank, margins, fusion and one-photo galleries against straightforward loops."""

import numpy as np
import pytest
from scipy.stats import zscore

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import cmc, fuse, margins, mean_reciprocal_rank, rank_k, rank_of_match, z_normalize


def loop_rank(row, probe, gallery):
    """Sort with the match behind its ties, and look where it stands among the images of others."""
    order = sorted(range(len(row)), key=lambda j: (-row[j], gallery[j] == probe))
    return next(place for place, j in enumerate(order) if gallery[j] == probe)


@pytest.mark.parametrize("seed", range(5))
def test_ranks_agree_with_sorting(seed):
    rng = np.random.default_rng(seed)
    gallery = rng.permutation([f"p{i}" for i in range(12)] + ["p3", "p4"])  # two people have two images
    probes = rng.choice(gallery, 20)
    scores = rng.integers(0, 6, (20, 14)) / 5  # many ties
    ranks = rank_of_match(scores, probes, gallery)
    assert ranks.tolist() == [loop_rank(row, p, gallery) for row, p in zip(scores, probes)]
    want = [np.mean([r < k for r in ranks]) for k in range(1, 15)]
    np.testing.assert_allclose(cmc(ranks, 14), want)
    assert cmc(ranks, 14)[-1] == 1
    assert [rank_k(ranks, k) for k in (1, 5, 10)] == pytest.approx([want[k - 1] for k in (1, 5, 10)])
    assert mean_reciprocal_rank(ranks) == pytest.approx(sum(1 / (r + 1) for r in ranks) / 20)


def test_known_ranks_by_hand():
    scores = [[0.9, 0.1, 0.5], [0.2, 0.3, 0.4], [0.5, 0.5, 0.5]]
    ranks = rank_of_match(scores, ["a", "b", "c"], ["a", "b", "c"])
    assert ranks.tolist() == [0, 1, 2]  # ties count against the system
    assert rank_k(ranks, 1) == pytest.approx(1 / 3)
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert margins(scores, ["a", "b", "c"], ["a", "b", "c"]).tolist() == pytest.approx([0.4, -0.1, 0])


def test_constant_scores_do_not_count_as_hits():
    ranks = rank_of_match(np.ones((4, 4)), range(4), range(4))
    assert ranks.tolist() == [3, 3, 3, 3] and rank_k(ranks, 1) == 0


def test_one_person():
    assert rank_of_match([[0.3]], ["a"], ["a"]).tolist() == [0]
    with pytest.raises(UserError, match="at least one other person"):
        margins([[0.3]], ["a"], ["a"])


@pytest.mark.parametrize("seed", range(3))
def test_margin_agrees_with_a_loop(seed):
    rng = np.random.default_rng(seed)
    gallery, probes = [0, 1, 2, 3, 3, 4], [3, 0, 4, 2]
    scores = rng.normal(size=(4, 6))
    differences = []
    for row, probe in zip(scores, probes):
        pairs = list(zip(row, gallery))
        differences.append(max(s for s, g in pairs if g == probe) - max(s for s, g in pairs if g != probe))
    assert margins(scores, probes, gallery).tolist() == pytest.approx(differences)


@pytest.mark.parametrize(
    "scores, probes, gallery, sentence",
    [
        ([[np.nan, 1.0]], ["a"], ["a", "b"], "1 values of 2 that are not finite"),
        ([[np.inf, 1.0]], ["a"], ["a", "b"], "not finite"),
        ([1.0, 2.0], ["a"], ["a", "b"], r"shape \[2\]"),
        (np.zeros((0, 2)), [], ["a", "b"], "non-empty matrix"),
        ([["x", "y"]], ["a"], ["a", "b"], "matrix of numbers"),
        ([[1.0, 2.0]], ["c"], ["a", "b"], "the first is c"),
    ],
)
def test_refuses_scores(scores, probes, gallery, sentence):
    for measure in (rank_of_match, margins):
        with pytest.raises(UserError, match=sentence):
            measure(scores, probes, gallery)


def test_fusion_agrees_with_scipy_zscore():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 2, (5, 7)), rng.uniform(-1, 1, (5, 7)).astype(np.float32)
    z_a, z_b = zscore(a, axis=None), zscore(b.astype(float), axis=None)
    np.testing.assert_allclose(z_normalize(a), z_a, atol=1e-12)
    np.testing.assert_allclose(fuse([a, b]), z_a + z_b, atol=1e-12)


def test_fusion_ignores_scale_and_offset():
    a, b = np.random.default_rng(1).normal(size=(2, 6, 6))
    np.testing.assert_allclose(fuse([a, b]), fuse([100 * a - 7, b / 50 + 3]), atol=1e-10)


@pytest.mark.parametrize(
    "matrices, sentence",
    [
        ([np.eye(2), np.full((2, 2), 0.1)], r"Score matrix 2 of the fusion holds one value only \(0.1\)"),
        ([np.eye(2), np.full((2, 2), np.nan)], "Score matrix 2 of the fusion has 4 values of 4"),
    ],
)
def test_fusion_refuses(matrices, sentence):
    with pytest.raises(UserError, match=sentence):
        fuse(matrices)
