"""NLDA against the textbook: explicit scatter matrices, SciPy's null space, scikit-learn's neighbors."""

import numpy as np
import pytest
from scipy.linalg import eigh, null_space
from sklearn.neighbors import NearestNeighbors

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics import nlda


def sketches(people, height=24, width=20, noise=60, seed=0):
    """Real and synthesized sketches: a person's pattern, clean, and with noise and a common change."""
    rng = np.random.default_rng(seed)
    patterns = rng.uniform(60, 190, (people, height, width))
    change = rng.normal(0, 20, (height, width))
    worse = patterns + change + rng.normal(0, noise, patterns.shape)
    return tuple(np.clip(np.rint(images), 0, 255).astype(np.uint8) for images in (patterns, worse))


def textbook_maximum(real, synthesized, train, test):
    """One split, by the definitions of S_w and S_b in the PCA space."""
    samples = np.concatenate([real[train], synthesized[train]]).reshape(2 * len(train), -1).astype(float)
    labels = np.tile(np.arange(len(train)), 2)
    mean = samples.mean(axis=0)
    _, lengths, axes = np.linalg.svd(samples - mean, full_matrices=False)
    pca = axes[lengths > 1e-6 * lengths[0]].T
    points = (samples - mean) @ pca
    s_w, s_b = np.zeros((2, pca.shape[1], pca.shape[1]))
    for label in range(len(train)):
        own = points[labels == label]
        centre = own.mean(axis=0)
        s_w += sum(np.outer(p - centre, p - centre) for p in own)
        s_b += len(own) * np.outer(centre, centre)  # the mean of all points is 0
    inside = null_space(s_w, rcond=1e-10)
    values, vectors = eigh(inside.T @ s_b @ inside)
    order = np.argsort(values)[::-1][: len(train) - 1]
    basis = pca @ inside @ vectors[:, order]
    probes, gallery = ((images[test].reshape(len(test), -1) - mean) @ basis for images in (real, synthesized))
    neighbors = (
        NearestNeighbors(n_neighbors=1).fit(gallery[:, :d]).kneighbors(probes[:, :d])[1][:, 0]
        for d in range(1, basis.shape[1] + 1)
    )
    return max((nearest == np.arange(len(test))).mean() for nearest in neighbors)


@pytest.mark.parametrize("people, protocol, train", [(34, "cufs", 15), (47, "cufsf", 15), (12, "cufs", 5)])
def test_agrees_with_the_textbook(people, protocol, train):
    real, synthesized = sketches(people, noise=110)
    result = nlda(real, synthesized, protocol, splits=6, seed=7)
    rng = np.random.default_rng(7)
    orders = [rng.permutation(people) for _ in range(6)]
    want = [textbook_maximum(real, synthesized, order[:train], order[train:]) for order in orders]
    np.testing.assert_allclose(result["maxima"], want, atol=1e-12)
    assert result["mean"] == pytest.approx(np.mean(want))
    assert 0.1 < result["mean"] < 1, "the case must be neither trivial nor hopeless"
    assert f"{people} people into {train} training and {people - train} test" in result["protocol"]


def test_twenty_splits_by_default_and_the_sizes_of_the_literature():
    real, synthesized = sketches(338)
    result = nlda(real, synthesized)
    assert len(result["maxima"]) == 20 and "into 150 training and 188 test" in result["protocol"]
    real, synthesized = sketches(944, 26, 26)
    assert "into 300 training and 644 test" in nlda(real, synthesized, "cufsf", splits=1)["protocol"]


def test_perfect_and_unrelated_synthesis():
    real, _ = sketches(30)
    assert nlda(real, real)["mean"] == 1
    unrelated, _ = sketches(30, seed=1)
    assert nlda(real, unrelated)["mean"] < 0.5


def test_swapped_people_are_wrong():
    real, synthesized = sketches(30, noise=20)
    assert nlda(real, synthesized)["mean"] > 0.9
    assert nlda(real, np.roll(synthesized, 1, axis=0))["mean"] < 0.5


def test_a_collapsed_generator_has_no_hit():
    """One face for all: S_w spans all that tells the people apart, no dimension is left."""
    real, synthesized = sketches(30)
    assert nlda(real, np.repeat(synthesized[:1], 30, axis=0))["mean"] == 0
    assert nlda(*np.full((2, 12, 9, 9), 7, np.uint8))["mean"] == 0


def test_is_seeded():
    real, synthesized = sketches(30, noise=120)
    one, same, other = (nlda(real, synthesized, seed=seed)["maxima"] for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(
    "real, synthesized, sentence",
    [
        (*sketches(3), "3 people under the protocol cufs give 1 and 2"),
        (*sketches(12, height=1, width=5), "5 training people needs images of more pixels .* 5x1"),
        (sketches(12)[0].astype(float), sketches(12)[1], "these are float64"),
        (sketches(12)[0], sketches(11)[1], "equal shapes"),
        (sketches(12)[0][0], sketches(12)[1][0], "1 people under the protocol cufs"),
    ],
)
def test_refuses(real, synthesized, sentence):
    with pytest.raises(UserError, match=sentence):
        nlda(real, synthesized)
