"""Training of the recognizers: what every loss shares, and the triplets of Fang et al. 2020, Section 3.4."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.method.finite_step import descent, gathered, replica_share, take
from iacyclegan_tf.method.triplet_loss import semihard_triplet_loss
from iacyclegan_tf.models.vggface import Recognizer


class RecognizerTraining(keras.Model):
    """Trains what the embedding of a recognizer depends on; a subclass says by which loss."""

    def __init__(self, recognizer: Recognizer, **kwargs):
        super().__init__(**kwargs)
        self.recognizer = recognizer
        recognizer.build()

    @property
    def trained_variables(self) -> list[tf.Variable]:
        return self.recognizer.embedding_variables

    def loss_of(self, images, labels) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Of images float ``[N, H, W, 3]`` and labels int ``[N]``: this replica's mean loss, and what is logged."""
        raise NotImplementedError

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss, logged = self.loss_of(*data)
        step = descent(tape, loss, self.trained_variables, self.optimizer)
        take(step)
        return replica_share({"loss": loss, "gradient": step.norm, **logged})


class TripletTrainer(RecognizerTraining):
    """Fine-tunes one recognizer with ``semihard_triplet_loss`` on unit embeddings.

    Anchor and positive are real and synthesized images of one person. Embeddings of all replicas are gathered, so that
    mining sees the global batch.

    Batch normalization keeps its learned statistics, as it does where embeddings are compared and in the perception
    loss: with statistics of the batch the step would train another function than the one that is then used, and their
    moving averages would drift even at a learning rate of 0 (docs/recognizers.md).

    >>> trainer = TripletTrainer(Recognizer(width=0.0625, input_size=32), margin=0.3)
    >>> trainer.compile(keras.optimizers.Adam(1e-4))
    >>> batch = tf.data.Dataset.from_tensors((tf.random.normal([4, 32, 32, 3]), tf.constant([0, 0, 1, 1])))
    >>> sorted(trainer.fit(batch, verbose=0).history)
    ['active_triplets', 'gradient', 'loss', 'negative_distance', 'positive_distance']
    """

    def __init__(self, recognizer: Recognizer, margin: float, **kwargs):
        super().__init__(recognizer, **kwargs)
        self.margin, self.triplet_loss = margin, semihard_triplet_loss(margin)

    def call(self, images, training=False):
        return self.recognizer(images, training=training)

    def loss_of(self, images, labels):
        embeddings, labels = gathered(self(images, training=False)), gathered(labels)
        return self.triplet_loss(labels, embeddings), triplet_statistics(embeddings, labels, self.margin)


def triplet_statistics(embeddings: tf.Tensor, labels: tf.Tensor, margin: float) -> dict[str, tf.Tensor]:
    """Share of triplets that violate the margin, and mean squared distance of positives and of negatives.

    A share that stays near 1 with equal distances is the collapse that semi-hard mining is known for.
    """
    distances = tf.maximum(2.0 - 2.0 * tf.matmul(embeddings, embeddings, transpose_b=True), 0.0)
    same = tf.equal(labels[:, None], labels[None, :])
    positive = tf.cast(tf.logical_and(same, ~tf.eye(tf.size(labels), dtype=tf.bool)), tf.float32)
    negative = tf.cast(~same, tf.float32)
    triplets = positive[:, :, None] * negative[:, None, :]
    violating = tf.cast(distances[:, :, None] - distances[:, None, :] + margin > 0, tf.float32) * triplets
    return {
        "active_triplets": _mean(violating, triplets),
        "positive_distance": _mean(distances * positive, positive),
        "negative_distance": _mean(distances * negative, negative),
    }


def _mean(values, weights):
    return tf.math.divide_no_nan(tf.reduce_sum(values), tf.reduce_sum(weights))
