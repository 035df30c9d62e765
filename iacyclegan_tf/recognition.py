"""Training of the recognizers: identity classification, then triplets (Fang et al. 2020, Section 3.4).

The only file that imports tensorflow-addons, which is at its end: a later move touches nothing else.
"""

from __future__ import annotations

import warnings

import tensorflow as tf

from iacyclegan_tf.descent import descent, take
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.strategy import replica_share

with warnings.catch_warnings():
    # The announcement of its end is printed at every import; requirements.txt pins the set that works together.
    warnings.simplefilter("ignore", UserWarning)
    from tensorflow_addons.losses import TripletSemiHardLoss


class IdentityClassifier(tf.keras.Model):
    """A recognizer with a softmax over the training people, to pre-train Φ0 where no weights file is given.

    The head is a cosine classifier with a learnt-free scale, so that what it separates are the directions of the
    embeddings that are compared later (NormFace, Wang et al. 2017).

    >>> model = IdentityClassifier(Recognizer(width=0.0625, input_size=32), people=5)
    >>> model.compile(tf.keras.optimizers.Adam(1e-3))
    >>> batch = tf.data.Dataset.from_tensors((tf.zeros([4, 32, 32, 3]), tf.range(4)))
    >>> sorted(model.fit(batch, verbose=0).history)
    ['accuracy', 'gradient', 'loss']
    """

    SCALE = 16.0  # of the cosines before the softmax

    def __init__(self, recognizer: Recognizer, people: int, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.recognizer, self.people = recognizer, people
        recognizer.build()
        self.directions = self.add_weight("directions", [recognizer(tf.zeros([1, 32, 32, 3])).shape[1], people],
                                          initializer=tf.keras.initializers.GlorotUniform(seed))

    @property
    def trained_variables(self) -> list[tf.Variable]:
        return [*self.recognizer.embedding_variables, self.directions]

    def call(self, images, training=False):
        """``[N, H, W, 3]`` in [−1, 1] -> logits ``[N, people]``."""
        directions = tf.math.l2_normalize(tf.cast(self.directions, tf.float32), axis=0)
        return self.SCALE * tf.matmul(self.recognizer(images, training=training), directions)

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            logits = self(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        step = descent(tape, loss, self.trained_variables, self.optimizer)
        take(step)
        correct = tf.equal(tf.argmax(logits, 1, tf.int32), labels)
        return replica_share({"loss": loss, "gradient": step.norm, "accuracy": tf.reduce_mean(tf.cast(correct, tf.float32))})


class IdentityContrast(tf.keras.Model):
    """Pre-trains a recognizer on people with several photos: each photo has to name its own person in the batch.

    Supervised contrastive loss (Khosla et al. 2020, L_out): for a photo i and each other photo p of its person,
    −log exp(s · cos(i, p)) / Σ exp(s · cos(i, a)) over all photos a ≠ i, averaged over p, then over i. It is an
    identity classification whose classes are the people of the batch, so that they may be new in every batch.

    The cosines are taken one layer above the embedding: the layer under the loss forgets what the training people
    do not differ in, and the one below it compares strangers better (SimCLR, Chen et al. 2020, Section 4.2).

    >>> model = IdentityContrast(Recognizer(width=0.0625, input_size=32, embedding="pool4"))
    >>> model.layer
    'pool5'
    >>> model.compile(tf.keras.optimizers.Adam(1e-3))
    >>> batch = tf.data.Dataset.from_tensors((tf.random.normal([4, 32, 32, 3]), tf.constant([0, 0, 1, 1])))
    >>> sorted(model.fit(batch, verbose=0).history)
    ['accuracy', 'gradient', 'loss']
    """

    ABOVE = {"pool2": "pool3", "pool3": "pool4", "pool4": "pool5", "pool5": "fc6", "fc6": "fc7", "fc7": "fc7"}

    def __init__(self, recognizer: Recognizer, scale: float = 16.0, **kwargs):
        super().__init__(**kwargs)
        self.recognizer, self.scale, self.layer = recognizer, scale, self.ABOVE[recognizer.embedding]
        recognizer.build()

    @property
    def trained_variables(self) -> list[tf.Variable]:
        return self.recognizer.trainable_up_to(self.layer)

    def call(self, images, training=False):
        return self.recognizer.vectors(images, self.layer, training)

    def train_step(self, data):
        """``accuracy``: the share of photos whose nearest photo shows the same person."""
        images, labels = data
        with tf.GradientTape() as tape:
            vectors, labels = gathered(self(images, training=True)), gathered(labels)
            loss, nearest = contrast(vectors, labels, self.scale)
        step = descent(tape, loss, self.trained_variables, self.optimizer)
        take(step)
        return replica_share({"loss": loss, "gradient": step.norm, "accuracy": tf.reduce_mean(tf.cast(nearest, tf.float32))})


def contrast(vectors: tf.Tensor, labels: tf.Tensor, scale: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss of ``IdentityContrast`` for unit vectors ``[N, D]``, and of whom the nearest is of the same person.

    Every label must occur at least twice.
    """
    itself = tf.eye(tf.shape(vectors)[0])
    same = tf.cast(labels[:, None] == labels[None, :], tf.float32) - itself
    scores = scale * tf.matmul(vectors, vectors, transpose_b=True) - 1e9 * itself
    naming = -tf.reduce_sum(same * tf.nn.log_softmax(scores), 1) / tf.reduce_sum(same, 1)
    return tf.reduce_mean(naming), tf.gather(labels, tf.argmax(scores, 1)) == labels


class TripletTrainer(tf.keras.Model):
    """Fine-tunes one recognizer with ``tfa.losses.TripletSemiHardLoss`` on unit embeddings (FaceNet, Schroff et al. 2015).

    Loss of an anchor-positive pair: max(0, d(a, p) − d(a, n) + margin), d the squared distance and n the nearest
    negative that is farther than the positive, else the farthest. Anchor and positive are real and synthesised
    images of one person. Embeddings of all replicas are gathered, so that mining sees the global batch.

    >>> trainer = TripletTrainer(Recognizer(width=0.0625, input_size=32), margin=0.3)
    >>> trainer.compile(tf.keras.optimizers.Adam(1e-4))
    >>> batch = tf.data.Dataset.from_tensors((tf.random.normal([4, 32, 32, 3]), tf.constant([0, 0, 1, 1])))
    >>> sorted(trainer.fit(batch, verbose=0).history)
    ['active_triplets', 'gradient', 'loss', 'negative_distance', 'positive_distance']
    """

    def __init__(self, recognizer: Recognizer, margin: float, **kwargs):
        super().__init__(**kwargs)
        self.recognizer, self.margin = recognizer, margin
        recognizer.build()
        self.triplet_loss = TripletSemiHardLoss(margin, "squared-L2")

    @property
    def trained_variables(self) -> list[tf.Variable]:
        return self.recognizer.embedding_variables

    def call(self, images, training=False):
        return self.recognizer(images, training=training)

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            embeddings, labels = gathered(self(images, training=True)), gathered(labels)
            loss = self.triplet_loss(labels, embeddings)
        step = descent(tape, loss, self.trained_variables, self.optimizer)
        take(step)
        return replica_share({"loss": loss, "gradient": step.norm, **triplet_statistics(embeddings, labels, self.margin)})


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
    return {"active_triplets": _mean(violating, triplets),
            "positive_distance": _mean(distances * positive, positive),
            "negative_distance": _mean(distances * negative, negative)}


def _mean(values, weights):
    return tf.math.divide_no_nan(tf.reduce_sum(values), tf.reduce_sum(weights))


def gathered(values: tf.Tensor) -> tf.Tensor:
    """All replicas' values, in replica order; the gradient of each replica's part comes back to it from all."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas == 1:
        return values
    # a sum, since all_gather fails in workers of one device each: it wants a device's name where the graph has none
    context = tf.distribute.get_replica_context()
    own = tf.one_hot(context.replica_id_in_sync_group, replicas, dtype=values.dtype)
    spread = tf.reshape(own, [replicas] + [1] * values.shape.rank) * values[None]
    return tf.reshape(context.all_reduce(tf.distribute.ReduceOp.SUM, spread), [-1, *values.shape[1:]])
