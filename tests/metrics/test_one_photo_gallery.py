"""Rank-1 with one photo each in the gallery, against loops; ties and errors."""

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import rank1_by_gallery_choice

PEOPLE = ["b", "a", "a", "b", "c", "b", "c", "a", "c", "c"]


def by_loops(scores, people) -> list[float]:
    places = {person: [i for i, p in enumerate(people) if p == person] for person in set(people)}
    results = []
    for choice in range(min(map(len, places.values()))):
        gallery = [some[choice] for some in places.values()]
        found = [
            all(scores[i, j] < scores[i, g] for j in gallery if people[j] != people[i])
            for i in range(len(people))
            if i not in gallery
            for g in gallery
            if people[g] == people[i]
        ]
        results.append(sum(found) / len(found))
    return results


@pytest.mark.parametrize("seed", range(5))
def test_equals_loops(seed):
    scores = np.random.default_rng(seed).integers(0, 6, (10, 10)) / 5.0  # with ties
    results = rank1_by_gallery_choice(scores, PEOPLE)
    assert results.tolist() == pytest.approx(by_loops(scores, PEOPLE)) and len(results) == 3


def test_perfect_constant_and_worst():
    same = np.equal.outer(PEOPLE, PEOPLE).astype(float)
    assert rank1_by_gallery_choice(same, PEOPLE).tolist() == [1, 1, 1]
    assert rank1_by_gallery_choice(np.ones((10, 10)), PEOPLE).tolist() == [0, 0, 0]
    assert rank1_by_gallery_choice(-same, PEOPLE).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "scores, people, words",
    [
        (np.ones((3, 4)), "aab", "3 photos need scores of 3 x 3"),
        (np.ones((4, 4)), "aaaa", "at least 2 people"),
        (np.ones((4, 4)), "aaab", "fewest photos of one are 1"),
        (np.full((4, 4), np.nan), "aabb", "not finite"),
    ],
)
def test_wrong_input(scores, people, words):
    with pytest.raises(UserError, match=words):
        rank1_by_gallery_choice(scores, list(people))
