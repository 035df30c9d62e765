"""The paired bootstrap over people, against SciPy's and against plain loops."""

import numpy as np
import pytest
from scipy import stats

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import d_prime, verification_rate
from iacyclegan_tf.metrics.bootstrap import (
    draw_people,
    percentile_interval,
    resampled_d_prime,
    resampled_means,
    resampled_verification,
)

PEOPLE = [f"p{i:02d}" for i in range(30)]


def test_draws_have_as_many_people_as_there_are_and_repeat_by_seed():
    draws = draw_people(7, 500, seed=3)
    assert draws.shape == (500, 7) and (draws.sum(1) == 7).all() and draws.min() == 0 and draws.max() > 2
    np.testing.assert_array_equal(draws, draw_people(7, 500, seed=3))
    assert (draws != draw_people(7, 500, seed=4)).any()
    # how often a person is drawn is binomial(7, 1/7): mean 1, variance 6/7
    assert draws.mean() == 1 and draws.var() == pytest.approx(6 / 7, abs=0.1)


def test_the_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(0).gamma(2, size=30)
    ours = percentile_interval(resampled_means(values, PEOPLE, draw_people(30, 20_000, seed=1)))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.03 * width)


def test_the_interval_of_a_paired_difference_is_scipys():
    random = np.random.default_rng(0)
    hard = random.normal(size=30)
    one, two = hard + 0.2 * random.normal(size=30), hard + 0.1 + 0.2 * random.normal(size=30)
    draws = draw_people(30, 20_000, seed=1)
    ours = percentile_interval(resampled_means(two, PEOPLE, draws) - resampled_means(one, PEOPLE, draws))
    theirs = stats.bootstrap(
        (one, two),
        lambda a, b, axis: np.mean(b - a, axis=axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.03 * (theirs.high - theirs.low))
    others = draw_people(30, 20_000, seed=9)
    apart = percentile_interval(resampled_means(two, PEOPLE, draws) - resampled_means(one, PEOPLE, others))
    assert apart[1] - apart[0] > 3 * (ours[1] - ours[0])  # what pairing is for


def test_a_person_with_two_images_brings_both():
    people, values = ["b", "a", "b", "c"], np.array([1.0, 2.0, 4.0, 8.0])
    draws = np.array([[1, 1, 1], [0, 3, 0], [2, 0, 1]])  # of a, b, c
    np.testing.assert_allclose(resampled_means(values, people, draws), [15 / 4, 15 / 6, 12 / 3])


def written_out(scores, people, times):
    """Genuine and impostor scores, every pair as often as it is drawn."""
    genuine, impostor = [], []
    for i, a in enumerate(people):
        for j, b in enumerate(people):
            if a == b:
                genuine += [scores[i, j]] * times[people.index(a)]
            else:
                impostor += [scores[i, j]] * (times[people.index(a)] * times[people.index(b)])
    return np.array(genuine), np.array(impostor)


def loop_rate(scores, people, times, far):
    genuine, impostor = written_out(scores, people, times)
    return np.mean(genuine > np.quantile(impostor, 1 - far))


@pytest.mark.parametrize("far", [0.01, 0.1, 0.5])
def test_resampled_verification_equals_loops(far):
    random = np.random.default_rng(5)
    people = [f"p{i}" for i in range(9)]
    scores = np.round(random.normal(size=(9, 9)) + 1.2 * np.eye(9), 1)  # rounded: many ties
    draws = draw_people(9, 60, seed=0)
    np.testing.assert_allclose(
        resampled_verification(scores, people, people, far, draws),
        [loop_rate(scores, people, times, far) for times in draws],
    )


def test_everyone_once_is_the_plain_verification_rate():
    random = np.random.default_rng(6)
    order = random.permutation(30)
    people, scores = [PEOPLE[i] for i in order], random.normal(size=(30, 30)) + np.eye(30)
    once = np.ones((1, 30), int)
    plain = verification_rate(scores, people, people, 0.1)
    assert resampled_verification(scores, people, people, 0.1, once) == plain


@pytest.mark.parametrize("people", ["abcdefghi", "abcdefabc"], ids=["one image each", "some have two"])
def test_resampled_d_prime_equals_loops(people):
    scores = np.random.default_rng(5).normal(30, 2, size=(9, 9)) + 3 * np.eye(9)
    draws = draw_people(len(set(people)), 60, seed=0)
    expected = [d_prime(*written_out(scores, people, times)) for times in draws]
    np.testing.assert_allclose(resampled_d_prime(scores, people, people, draws), expected, atol=1e-9)


def test_a_draw_of_one_person_counts_for_nothing():
    scores = np.array([[2.0, 1.0], [1.5, 0.5]])
    rates = resampled_verification(scores, "ab", "ab", 0.5, np.array([[2, 0], [1, 1]]))
    assert np.isnan(rates[0]) and rates[1] == 0.5
    assert np.isnan(resampled_d_prime(scores, "ab", "ab", np.array([[2, 0], [1, 1]]))).tolist() == [True, False]
    assert percentile_interval(rates) == (0.5, 0.5)


def test_one_person_is_refused():
    with pytest.raises(UserError, match="at least 2 people; there are 1"):
        draw_people(1, 10, 0)
