"""Null-space linear discriminant analysis: the field's recognition number for sketch synthesis.

Chen, Liao, Ko, Lin, Yu 2000 ("A new LDA-based face recognition system which can solve the small sample size
problem"), in the protocol of the synthesis literature: random splits of the test people; the real and the
synthesized sketch of a training person are the two samples of a class; PCA, null space of the within-class
scatter S_w, eigenvectors of the between-class scatter S_b inside it; probes are the real sketches of the
remaining people, the gallery their synthesized ones, Euclidean nearest neighbor on raw gray pixels.

A run's accuracy is its **maximum over all dimensions**, chosen on the test people: optimistic by design.
"""

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics.image_pairs import checked_pairs

TRAINING_SHARES = {"cufs": (150, 338), "cufsf": (300, 944)}  # training people of all test people
EIGENVALUE_TOLERANCE = 1e-12  # of the largest eigenvalue of the total scatter
LENGTH_TOLERANCE = 1e-8  # of its square root


def nlda(real: np.ndarray, synthesized: np.ndarray, protocol: str = "cufs", splits: int = 20, seed: int = 0) -> dict:
    """NLDA accuracy of uint8 gray images [N, H, W], one real and one synthesized a person, in the same order.

    ``protocol``: "cufs" trains on 150 / 338 of the people (150 of the 338 of CUFS), "cufsf" on 300 / 944; the
    rest is searched. PCA keeps every dimension that two samples a person span: 2 x training people, less one
    for the mean (299 where the literature says 300). A tie counts against the system: a split without any
    dimension (one synthesized sketch for all people leaves none) has accuracy 0.

    Returns accuracies (0..1): ``maxima``, the best of each split over all dimensions, their ``mean``, and ``protocol``.

    Raises UserError for another dtype or unequal shapes, fewer than 2 training or 2 test people, or images with no
    more pixels than training people, where S_w has no null space.
    """
    real, synthesized = checked_pairs(real, synthesized, minimum_side=1)
    people = len(real)
    train = _training_people(people, protocol)
    height, width = real.shape[1:]
    if height * width <= train:
        raise UserError(
            f"NLDA with {train} training people needs images of more pixels than that; these have {width}x{height}."
        )
    products = _products(np.concatenate([real, synthesized]).reshape(2 * people, -1))
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(people) for _ in range(splits)]
    maxima = np.array([_best_accuracy(products, order[:train], order[train:]) for order in orders])
    return {
        "mean": float(maxima.mean()),
        "maxima": maxima.tolist(),
        "protocol": f"NLDA, {splits} random splits (seed {seed}) of {people} people into {train} training and "
        f"{people - train} test, raw gray {width}x{height}, PCA to at most {2 * train - 1}, "
        "mean of each split's maximum over all dimensions (optimistic by design)",
    }


def _training_people(people: int, protocol: str) -> int:
    share, total = TRAINING_SHARES[protocol]
    train = round(people * share / total)
    if train < 2 or people - train < 2:
        raise UserError(
            f"NLDA needs at least 2 training and 2 test people; {people} people under the "
            f"protocol {protocol} give {train} and {people - train}."
        )
    return train


def _products(pixels: np.ndarray) -> np.ndarray:
    """Inner products of all images, [2N, 2N], exact whole numbers; 4,096 pixels at a time to bound memory.

    All that follows needs only these: PCA of fewer images than pixels is an eigenproblem of their products.
    """
    products = np.zeros((len(pixels), len(pixels)))
    for start in range(0, pixels.shape[1], 4096):
        block = pixels[:, start : start + 4096].astype(np.float64)
        products += block @ block.T
    return products


def _best_accuracy(products: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    people = len(products) // 2
    samples = np.concatenate([train, people + train])
    inner = products[np.ix_(samples, samples)]
    means = inner.mean(axis=0)
    centered = inner - means - means[:, None] + means.mean()
    axes = _principal_axes(centered)
    basis = axes @ _discriminants(centered @ axes, len(train))

    def project(rows: np.ndarray) -> np.ndarray:
        inner = products[np.ix_(rows, samples)]
        return (inner - inner.mean(axis=1, keepdims=True) - means + means.mean()) @ basis

    return _accuracies(project(test), project(people + test)).max(initial=0)


def _principal_axes(centered: np.ndarray) -> np.ndarray:
    """Weights of the training samples that give the principal components, [samples, components]."""
    values, vectors = np.linalg.eigh(centered)
    kept = values > EIGENVALUE_TOLERANCE * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept])


def _discriminants(components: np.ndarray, people: int) -> np.ndarray:
    """Orthonormal axes in the null space of S_w, by falling eigenvalue of S_b; [components, dimensions]."""
    tolerance = LENGTH_TOLERANCE * np.linalg.norm(components)
    real, synthesized = components[:people], components[people:]
    # S_w is the sum of the outer products of these differences (over 2), S_b that of the class means.
    _, within, axes = np.linalg.svd(real - synthesized)
    null_space = axes[(within > tolerance).sum() :].T
    _, between, axes = np.linalg.svd((real + synthesized) / 2 @ null_space, full_matrices=False)
    return null_space @ axes[between > tolerance].T


def _accuracies(probes: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Nearest neighbor accuracy with the first 1, 2, ... dimensions; [dimensions]."""
    distances = np.zeros((len(probes), len(gallery)))
    accuracies = np.empty(probes.shape[1])
    for dimension in range(probes.shape[1]):
        distances += np.subtract.outer(probes[:, dimension], gallery[:, dimension]) ** 2
        nearest = (distances <= distances.diagonal()[:, None]).sum(axis=1) == 1
        accuracies[dimension] = nearest.mean()
    return accuracies
