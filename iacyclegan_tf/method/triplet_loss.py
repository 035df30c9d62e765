"""The triplet loss with semi-hard negatives (FaceNet, Schroff et al. 2015).

tensorflow-addons' own where it is installed (Python 3.11, docs/stacks.md), else its twin: it is at its end, and has no
package for newer Pythons. The only file that imports it.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable

import tensorflow as tf


def semihard_triplet_loss(margin: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function of integer labels ``[N]`` and float32 embeddings ``[N, D]`` -> the scalar loss.

    Of an anchor-positive pair it is max(0, d(a, p) − d(a, n) + margin), d the squared distance and n the nearest
    negative that is farther than the positive, else the farthest; then the mean over all such pairs (NaN without any).
    """
    if not importlib.util.find_spec("tensorflow_addons"):
        return lambda labels, embeddings: twin(labels, embeddings, margin)
    with warnings.catch_warnings():
        # The announcement of its end is printed at every import; requirements.txt pins the set that works together.
        warnings.simplefilter("ignore", UserWarning)
        from tensorflow_addons.losses import TripletSemiHardLoss
    return TripletSemiHardLoss(margin, "squared-L2")


@tf.function
def twin(labels: tf.Tensor, embeddings: tf.Tensor, margin: float) -> tf.Tensor:
    """tensorflow-addons' sums in its order, and a graph like it: rounding decides between almost equal distances."""
    count = tf.size(labels)
    distances = squared_distances(embeddings)
    same = tf.equal(labels[:, None], labels[None, :])
    other = tf.cast(~same, tf.float32)
    # [p, a, n]: is n of another person, and farther from a than p is?
    outside = tf.cast(~same[None] & (distances[None] > tf.transpose(distances)[:, :, None]), tf.float32)
    found = tf.transpose(tf.reduce_sum(outside, 2) > 0.0)
    highest = tf.reduce_max(tf.tile(distances[None], [count, 1, 1]), 2, keepdims=True)
    nearest = (tf.reduce_min((distances[None] - highest) * outside, 2, keepdims=True) + highest)[..., 0]
    lowest = tf.reduce_min(distances, 1, keepdims=True)
    farthest = tf.reduce_max((distances - lowest) * other, 1, keepdims=True) + lowest
    negatives = tf.where(found, tf.transpose(nearest), tf.tile(farthest, [1, count]))
    positives = tf.cast(same, tf.float32) - tf.eye(count)
    terms = tf.maximum((margin + (distances - negatives)) * positives, 0.0)
    return tf.reduce_sum(terms) / tf.reduce_sum(positives)


def squared_distances(embeddings: tf.Tensor) -> tf.Tensor:
    """``[N, D]`` -> ``[N, N]``, none below zero, zero on the diagonal; no gradient where it is zero."""
    # Squares are summed twice, since sums of rows and of columns round differently.
    across = tf.transpose(embeddings)
    rows, columns = (tf.reduce_sum(x * x, axis, keepdims=True) for x, axis in ((embeddings, 1), (across, 0)))
    distances = rows + columns - 2.0 * tf.matmul(embeddings, across)
    distances = tf.maximum(distances, 0.0)
    return distances * tf.cast(distances > 0.0, tf.float32) * (1.0 - tf.eye(tf.shape(embeddings)[0]))
