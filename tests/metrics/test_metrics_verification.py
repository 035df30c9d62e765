"""ROC, verification rate, threshold and gallery size against scikit-learn, NumPy and plain loops."""

from math import comb

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import (
    d_prime,
    genuine_and_impostor_scores,
    rank_k,
    rank_k_by_gallery_size,
    rank_of_match,
    roc,
    threshold_at_far,
    verification_rate,
)


def matcher(people, seed=0, levels=0):
    """Scores in which the match is better on the average; with ``levels`` they are tied."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(people, people)) + 2 * np.eye(people)
    return np.round(scores * levels) / levels if levels else scores


@pytest.mark.parametrize("levels", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_roc_agrees_with_scikit_learn(seed, levels):
    scores = matcher(25, seed, levels)
    false_accepts, true_accepts = roc(scores, range(25), range(25))
    far, rate, _ = roc_curve(np.eye(25).ravel(), scores.ravel(), drop_intermediate=False)
    np.testing.assert_allclose(false_accepts, far, atol=1e-12)
    np.testing.assert_allclose(true_accepts, rate, atol=1e-12)


def test_pairs_of_people_with_several_images():
    scores = np.arange(8.0).reshape(2, 4)
    genuine, impostor = genuine_and_impostor_scores(scores, ["a", "b"], ["a", "b", "a", "c"])
    assert genuine.tolist() == [0, 2, 5] and impostor.tolist() == [1, 3, 4, 6, 7]


@pytest.mark.parametrize("far", [0.01, 0.001, 0.25])
def test_verification_rate_agrees_with_a_loop(far):
    scores = matcher(40, 1)
    impostor = sorted(scores[i, j] for i in range(40) for j in range(40) if i != j)
    place = (len(impostor) - 1) * (1 - far)  # linear interpolation between the two neighbors in rank
    low = int(place)
    threshold = impostor[low] + (place - low) * (impostor[low + 1] - impostor[low])
    rate = verification_rate(scores, range(40), range(40), far)
    assert rate == pytest.approx(sum(scores[i, i] > threshold for i in range(40)) / 40)


def test_ties_and_constant_scores_are_not_accepted():
    assert verification_rate(np.ones((5, 5)), range(5), range(5), 0.1) == 0
    false_accepts, true_accepts = roc(np.ones((5, 5)), range(5), range(5))
    assert false_accepts.tolist() == true_accepts.tolist() == [0, 1]


@pytest.mark.parametrize("far, needed", [(0.01, 1000), (0.001, 10000), (0.003, 3334), (0.5, 20), (1e-4, 100000)])
def test_threshold_needs_ten_over_far_impostors(far, needed):
    impostor = np.random.default_rng(0).normal(size=needed)
    threshold = threshold_at_far(impostor, far)
    assert abs((impostor > threshold).sum() - far * needed) <= 1
    sentence = rf"FAR {far:g} needs at least {needed} impostor pairs .* are {needed - 1}\."
    with pytest.raises(UserError, match=sentence):
        threshold_at_far(impostor[1:], far)


def test_refuses_scores():
    with pytest.raises(UserError, match="show one person"):
        roc([[0.5]], ["a"], ["a"])
    with pytest.raises(UserError, match="not finite"):
        verification_rate([[0.5, np.nan]], ["a"], ["a", "b"], 0.1)
    with pytest.raises(UserError, match="not finite"):
        threshold_at_far([np.nan] * 50, 0.5)
    with pytest.raises(UserError, match="non-empty"):
        threshold_at_far([], 0.5)


def test_d_prime_agrees_with_loops_whatever_the_scale():
    scores = matcher(12, 3)
    genuine = [scores[i, j] for i in range(12) for j in range(12) if i == j]
    impostor = [scores[i, j] for i in range(12) for j in range(12) if i != j]
    means = [sum(values) / len(values) for values in (genuine, impostor)]
    variances = [sum((v - m) ** 2 for v in values) / len(values) for values, m in zip((genuine, impostor), means)]
    expected = (means[0] - means[1]) / (sum(variances) / 2) ** 0.5
    for scale, offset in ((1, 0), (100, -7)):
        sides = genuine_and_impostor_scores(scale * scores + offset, range(12), range(12))
        assert d_prime(*sides) == pytest.approx(expected)
    assert d_prime([1.0, 1.0], [1.0]) == 0 and d_prime([0.0], [1.0, 3.0]) < 0


def test_gallery_size_ends_agree_with_plain_retrieval():
    scores = matcher(12, 2, levels=3)
    distractors = np.round(np.random.default_rng(5).normal(size=(12, 60)) * 3) / 3
    for k in (1, 5):
        curve = rank_k_by_gallery_size(scores, distractors, range(12), range(12), k=k)
        assert curve["size"] == [12, 24, 48, 72]
        assert curve["mean"][0] == pytest.approx(rank_k(rank_of_match(scores, range(12), range(12)), k))
        both = np.hstack([scores, distractors])
        everyone = list(range(12)) + [1000 + i for i in range(60)]
        assert curve["mean"][-1] == pytest.approx(rank_k(rank_of_match(both, range(12), everyone), k))
        assert [curve["deviation"][0], curve["deviation"][-1]] == pytest.approx([0, 0])
        assert (np.diff(curve["mean"]) <= 1e-12).all() and curve["mean"][-1] < curve["mean"][0]


def test_gallery_size_mean_is_the_expected_one():
    """With b of D distractors above the match, rank-1 of s added ones is C(D - b, s) / C(D, s)."""
    scores = np.array([[1.0, 0.0]])
    distractors = np.array([[2.0] * 3 + [0.5] * 7])
    curve = rank_k_by_gallery_size(scores, distractors, ["a"], ["a", "b"], repeats=4000)
    assert curve["size"] == [2, 4, 8, 12]
    np.testing.assert_allclose(curve["mean"], [1, 7 / 10 * 6 / 9, comb(7, 6) / comb(10, 6), 0], atol=0.03)


def test_gallery_size_is_seeded():
    arguments = (matcher(12), np.random.default_rng(1).normal(1, 1, (12, 50)), range(12), range(12))
    one, same, other = (rank_k_by_gallery_size(*arguments, repeats=3, seed=seed) for seed in (4, 4, 5))
    assert one["mean"] == same["mean"] != other["mean"]
    assert one["protocol"] == ("rank-1, 12 enrolled images and up to 50 distractors, 3 random orders, seed 4")


def test_gallery_size_refuses():
    with pytest.raises(UserError, match="The distractor score matrix has 20 values of 20"):
        rank_k_by_gallery_size(np.eye(4), np.full((4, 5), np.nan), range(4), range(4))
