"""What all recognizers share: from the layers of a trunk to embeddings that are compared by cosine."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras

# shares of the side: the whole crop, and about the face alone (columns 40-160 and rows 70-220 of 200x250)
CROPS = (1.0, 0.6)


class EmbeddingNetwork(keras.Model):
    """A trunk with named layers, one of which is the embedding.

    A subclass gives the attributes below, calls ``add_embedding`` at the end of its constructor, and has

    * ``trunk(images, layers, training)``: images in [−1, 1] -> the named layers, in the order asked, float32;
    * ``layers_up_to(name)``: the trunk's layers that the named one depends on, in their order;
    * ``feature_shape(layer)``: (height, width, channels) or (length,) of the named layer;
    * ``load_file(path)``: assigns the weights of the network's own file, ``UserError`` for what it does not hold.

    Args:
        embedding: the layer, one of ``LAYERS``, that ``call`` returns flat and L2-normalized.
        centres: how many mean embeddings it holds (``training/centring.py`` gives them). Each embedding is taken from
            the nearest of them, so that what all faces have in common does not count. 0: embeddings as they are.
        adapter: the trunk is frozen, and a 1×1 convolution without bias, the identity at first, stands on the embedding
            layer; it alone is trained. Being linear, it acts on centred embeddings as it does on those before.
    """

    NETWORK: str  # as recognizer.network names it
    LAYERS: tuple[str, ...]  # from input to output
    crops: tuple[float, ...]  # parts of an aligned image that it is used on, shares of the side
    input_size: int
    any_size = False  # it cuts what it sees from images of any size; else they come as the run's networks take them

    def __init__(self, embedding: str, dtype=None, **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.embedding = embedding

    def add_embedding(self, centres: int, adapter: bool) -> None:
        """The state on top of the trunk. ``None`` where it is off: checkpoints and files then hold no such variable."""
        length = self.embedding_length
        self.centres = tf.Variable(tf.zeros([centres, length]), trainable=False, name="centres") if centres else None
        self.adapter = None
        if adapter:
            for layer in self.layers_up_to(self.LAYERS[-1]):
                layer.trainable = False
            channels = self.feature_shape(self.embedding)[-1]
            # float32 in every precision: what it has to learn is small beside the identity
            self.adapter = keras.layers.Dense(
                channels, use_bias=False, kernel_initializer="identity", dtype="float32", name="adapter"
            )

    def build(self, input_shape=None):
        """Makes all variables, also those above the embedding layer, so that checkpoints are always whole."""
        if not self.built:
            side = self.input_size
            self.features(tf.zeros([1, side, side, 3]), (self.LAYERS[-1], self.embedding))
            super().build(input_shape or [None, side, side, 3])

    def features(self, images, layers: tuple[str, ...], training: bool = False) -> list[tf.Tensor]:
        """Activations of the named layers, in the order asked, float32; the embedding layer's through the adapter.

        ``training`` matters to batch normalization only: statistics of the batch, or those learned.
        """
        return self._adapted(self.trunk(images, layers, training), layers)

    def _adapted(self, found: list[tf.Tensor], layers: tuple[str, ...]) -> list[tf.Tensor]:
        if self.adapter is None:
            return found
        return [self.adapter(f) if layer == self.embedding else f for layer, f in zip(layers, found)]

    def perceived(self, images, layers: tuple[str, ...], shift: tf.Tensor) -> list[tf.Tensor]:
        """What the identity perception loss compares: ``features`` of the whole image, also of networks whose embedding
        is of the face alone. ``shift``: ``[2]`` in 0..1, by which networks of coarse grids move these on the image."""
        return self.features(images, layers)

    def vectors(self, images, layer: str, training: bool = False) -> tf.Tensor:
        """As ``call``, from any named layer, and without centres."""
        (feature,) = self.features(images, (layer,), training)
        return tf.math.l2_normalize(tf.reshape(feature, [-1, np.prod(feature.shape[1:])]), axis=1)

    def call(self, images, training=False):
        """Images float ``[N, H, W, 3]`` in [−1, 1] -> embeddings float32 ``[N, D]`` of length 1."""
        vectors = self.vectors(images, self.embedding, bool(training))
        if self.centres is None:
            return vectors
        nearest = tf.argmax(tf.matmul(vectors, tf.math.l2_normalize(self.centres, axis=1), transpose_b=True), 1)
        return tf.math.l2_normalize(vectors - tf.gather(self.centres, nearest), axis=1)

    @property
    def embedding_variables(self) -> list[tf.Variable]:
        """What is trained of all that the embedding depends on: not the layers above it; with an adapter its kernel."""
        layers = self.layers_up_to(self.embedding) + ([self.adapter] if self.adapter else [])
        used = {id(v) for layer in layers for v in layer.trainable_variables}
        return [v for v in self.trainable_variables if id(v) in used]

    @property
    def embedding_length(self) -> int:
        """D of the embeddings ``[N, D]``."""
        return int(np.prod(self.feature_shape(self.embedding)))
