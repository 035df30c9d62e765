"""Pre-training of Φ0 by what it is for: each photo has to find its own person's sketch in the batch, and the
reverse."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.method.finite_step import gathered
from iacyclegan_tf.method.recognizer_training import RecognizerTraining
from iacyclegan_tf.models.vggface import Recognizer


class PairMatching(RecognizerTraining):
    """Supervised contrastive loss (``contrast``) between photos and sketches, not in the paper.

    A softmax over a few dozen training people fits them within seconds and forgets what strangers differ in; this loss
    has as many wrong answers as the batch has people, in every batch others. Before they are compared, the vectors of
    the batch's photos and those of its sketches are each freed of their mean, so that the difference of the modalities
    is nothing to be learned: as ``training/centring.py`` does it afterwards.

    Batches are those of ``identity_stream`` with two images a person from ``[photos, sketches]``: they take turns,
    on each device.

    >>> from iacyclegan_tf.common.keras_door import keras
    >>> model = PairMatching(Recognizer(width=0.0625, input_size=32, embedding="pool2"))
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> batch = tf.data.Dataset.from_tensors((tf.random.normal([4, 32, 32, 3]), tf.constant([0, 0, 1, 1])))
    >>> sorted(model.fit(batch, verbose=0).history)
    ['accuracy', 'gradient', 'loss']
    """

    def __init__(self, recognizer: Recognizer, scale: float = 16.0, **kwargs):
        super().__init__(recognizer, **kwargs)
        self.scale = scale

    def call(self, images, training=False):
        return self.recognizer.vectors(images, self.recognizer.embedding, training)

    def loss_of(self, images, labels):
        """``accuracy``: the share of images whose nearest image shows the same person."""
        vectors, labels = gathered(self(images, training=True)), gathered(labels)
        loss, nearest = contrast(freed_of_means(vectors), labels, self.scale)
        return loss, {"accuracy": tf.reduce_mean(tf.cast(nearest, tf.float32))}


def freed_of_means(vectors: tf.Tensor) -> tf.Tensor:
    """``[2 N, D]``, of two kinds in turn -> those of each kind less their mean, to length 1."""
    pairs = tf.reshape(vectors, [-1, 2, vectors.shape[-1]])
    return tf.reshape(tf.math.l2_normalize(pairs - tf.reduce_mean(pairs, 0), axis=-1), tf.shape(vectors))


def contrast(vectors: tf.Tensor, labels: tf.Tensor, scale: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss for unit vectors ``[N, D]``, and of which the nearest is of the same person.

    Supervised contrastive loss (Khosla et al. 2020, L_out): for a vector i and each other p of its person,
    −log exp(s · cos(i, p)) / Σ exp(s · cos(i, a)) over all a ≠ i, averaged over p, then over i. It is an identity
    classification whose classes are the people of the batch, who may be new in every batch. Every label must occur
    at least twice.
    """
    itself = tf.eye(tf.shape(vectors)[0])
    same = tf.cast(labels[:, None] == labels[None, :], tf.float32) - itself
    scores = scale * tf.matmul(vectors, vectors, transpose_b=True) - 1e9 * itself
    naming = -tf.reduce_sum(same * tf.nn.log_softmax(scores), 1) / tf.reduce_sum(same, 1)
    return tf.reduce_mean(naming), tf.gather(labels, tf.argmax(scores, 1)) == labels
