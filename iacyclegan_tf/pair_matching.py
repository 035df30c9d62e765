"""Pre-training of Φ0 by what it is for: each photo has to find its own person's sketch in the batch, and the reverse."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.descent import descent, take
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.recognition import contrast, gathered
from iacyclegan_tf.strategy import replica_share


class PairMatching(tf.keras.Model):
    """Supervised contrastive loss (``recognition.contrast``) between photos and sketches, not in the paper.

    Identity classification (``IdentityClassifier``) fits a few dozen people within seconds and forgets what strangers
    differ in; this one has as many wrong answers as the batch has people, in every batch others. Before they are
    compared, the vectors of the batch's photos and those of its sketches are each freed of their mean, so that the
    difference of the modalities is nothing to be learnt: as ``centres.py`` does it afterwards.

    Batches are those of ``identity_stream`` with two images a person from ``[photos, sketches]``: they take turns,
    on each device.

    >>> model = PairMatching(Recognizer(width=0.0625, input_size=32, embedding="pool2"))
    >>> model.compile(tf.keras.optimizers.Adam(1e-3))
    >>> batch = tf.data.Dataset.from_tensors((tf.random.normal([4, 32, 32, 3]), tf.constant([0, 0, 1, 1])))
    >>> sorted(model.fit(batch, verbose=0).history)
    ['accuracy', 'gradient', 'loss']
    """

    def __init__(self, recognizer: Recognizer, scale: float = 16.0, **kwargs):
        super().__init__(**kwargs)
        self.recognizer, self.scale = recognizer, scale
        recognizer.build()

    @property
    def trained_variables(self) -> list[tf.Variable]:
        return self.recognizer.embedding_variables

    def call(self, images, training=False):
        return self.recognizer.vectors(images, self.recognizer.embedding, training)

    def train_step(self, data):
        """``accuracy``: the share of images whose nearest image shows the same person."""
        images, labels = data
        with tf.GradientTape() as tape:
            vectors, labels = gathered(self(images, training=True)), gathered(labels)
            loss, nearest = contrast(freed_of_means(vectors), labels, self.scale)
        step = descent(tape, loss, self.trained_variables, self.optimizer)
        take(step)
        return replica_share({"loss": loss, "gradient": step.norm, "accuracy": tf.reduce_mean(tf.cast(nearest, tf.float32))})


def freed_of_means(vectors: tf.Tensor) -> tf.Tensor:
    """``[2 N, D]``, of two kinds in turn -> those of each kind less their mean, to length 1."""
    pairs = tf.reshape(vectors, [-1, 2, vectors.shape[-1]])
    return tf.reshape(tf.math.l2_normalize(pairs - tf.reduce_mean(pairs, 0), axis=-1), tf.shape(vectors))
