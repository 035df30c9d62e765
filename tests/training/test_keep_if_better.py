"""The guard against loops, and that it keeps what helps and refuses what harms."""

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.training import keep_if_better

PEOPLE = [f"p{number}" for number in range(16)]


def is_better(old: keep_if_better.Judgment, new: keep_if_better.Judgment, people=PEOPLE) -> bool:
    return keep_if_better.is_better(old, new, keep_if_better.supported(old, new, people))


def scores(signal: float, seed: int, people=PEOPLE, crops: int = 2) -> list[np.ndarray]:
    """Cosine-like matrices whose genuine scores stand ``signal`` standard deviations above the impostors'."""
    random = np.random.default_rng(seed)
    same = np.equal.outer(people, people)
    return [0.1 * (random.normal(size=same.shape) + signal * same) for _ in range(crops)]


def test_a_judgment_holds_both_crops_by_loops():
    (matrix,) = scores(2.0, 0, crops=1)
    genuine = [matrix[i, i] for i in range(16)]
    impostor = [matrix[i, j] for i in range(16) for j in range(16) if i != j]
    expected = (np.mean(genuine) - np.mean(impostor)) / np.sqrt((np.var(genuine) + np.var(impostor)) / 2)
    judged = keep_if_better.judge([matrix, 10 * matrix], PEOPLE)
    assert judged.separation == pytest.approx((expected, expected))  # whatever the scale
    hits = [matrix[i, i] > max(matrix[i, j] for j in range(16) if j != i) for i in range(16)]
    assert judged.rank1 == (np.mean(hits), np.mean(hits))


def test_a_collapsed_recognizer_separates_nothing_and_no_number_is_refused():
    assert keep_if_better.judge([np.ones([4, 4])], list("abcd")).separation == (0.0,)
    with pytest.raises(UserError):
        keep_if_better.judge([np.full([4, 4], np.nan)], list("abcd"))


def test_better_is_kept_and_worse_is_refused():
    old, good, bad = (keep_if_better.judge(scores(signal, 1), PEOPLE) for signal in (3.0, 4.5, 2.0))
    assert keep_if_better.supported(old, good, PEOPLE) > 0.95 and is_better(old, good)
    assert keep_if_better.supported(old, bad, PEOPLE) < 0.05 and not is_better(old, bad)
    assert keep_if_better.supported(old, old, PEOPLE) == 0 and not is_better(old, old)


def test_both_crops_count():
    old = keep_if_better.judge(scores(3.0, 1), PEOPLE)
    whole_better, face_worse = scores(3.6, 1)[0], scores(1.2, 1)[1]
    assert not is_better(old, keep_if_better.judge([whole_better, face_worse], PEOPLE), PEOPLE)


@pytest.mark.parametrize("lost, kept", [(1, True), (2, False)])
def test_one_probe_may_be_lost_at_rank_1(lost, kept):
    def with_lost(matrix: np.ndarray, count: int) -> np.ndarray:
        matrix = matrix.copy()
        for probe in range(count):
            matrix[probe, (probe + 1) % 16] = matrix[probe, probe] + 0.01
        return matrix

    old = keep_if_better.judge(scores(6.0, 2), PEOPLE)
    assert old.rank1 == (1.0, 1.0)
    new = keep_if_better.judge([with_lost(scores(12.0, 2)[0], lost), scores(12.0, 2)[1]], PEOPLE)
    assert new.rank1[0] == 1 - lost / 16
    assert is_better(old, new) is kept


def test_how_often_chance_alone_is_kept():
    """Two recognizers that differ by chance only: about one in five is kept (``CONFIDENCE``), not one in two."""
    kept = [
        is_better(
            keep_if_better.judge(scores(3.0, 2 * n), PEOPLE),
            keep_if_better.judge(scores(3.0, 2 * n + 1), PEOPLE),
            PEOPLE,
        )
        for n in range(100)
    ]
    assert 5 <= sum(kept) <= 35
