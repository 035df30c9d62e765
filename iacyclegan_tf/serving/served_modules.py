"""The served modules: pre- and post-processing around the networks, on stock TensorFlow operations only.

What evaluation measures is what is served: ``matching.py`` calls the same modules. The names of signatures, inputs and
outputs are in ``serving/signatures.py``: ``serving_default`` takes encoded images, ``tensor`` float pixels in 0..255.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.serving.decoding import decode_bounded

_PIXELS = tf.TensorSpec([None, None, None, 3], tf.float32, name="images")
_ENCODED = tf.TensorSpec([None], tf.string, name="image_bytes")


class Translator(tf.Module):
    """A generator as a service: images of any size in, images of the same size out."""

    def __init__(self, generator: keras.Model, fit: Fit):
        super().__init__()
        self.generator, self.fit = generator, fit

    @tf.function(input_signature=[_PIXELS])
    def tensor(self, images):
        """float32 ``[N, h, w, 3]`` RGB in 0..255 -> ``{"images": …}``, the same shape, whole numbers in 0..255."""
        return {"images": self._translate(images)}

    @tf.function(input_signature=[_ENCODED])
    def serving_default(self, image_bytes):
        """JPEG, PNG or BMP bytes ``[N]`` of any sizes -> ``{"image_bytes": PNG [N]}``, each of its input's size."""

        def one(encoded):
            pixels = self._translate(decode_bounded(encoded)[None])[0]
            return tf.io.encode_png(tf.cast(pixels, tf.uint8))

        return {"image_bytes": tf.map_fn(one, image_bytes, fn_output_signature=tf.string)}

    def _translate(self, images):
        size = tf.shape(images)[1:3]
        network = self.fit.apply_graph(tf.clip_by_value(images, 0.0, 255.0))
        return self.fit.undo_graph((self.generator(network / 127.5 - 1.0) + 1.0) * 127.5, size)

    def signatures(self) -> dict:
        return {"serving_default": self.serving_default, "tensor": self.tensor}


class Embedder(tf.Module):
    """A recognizer as a service: face images in, embeddings of length 1 out."""

    def __init__(self, recognizer: keras.Model, fit: Fit):
        super().__init__()
        self.recognizer, self.fit = recognizer, fit

    @tf.function(input_signature=[_PIXELS])
    def tensor(self, images):
        """float32 ``[N, h, w, 3]`` RGB in 0..255 -> ``{"embedding": [N, D]}``, each of length 1."""
        return {"embedding": self._embed(images)}

    @tf.function(input_signature=[_ENCODED])
    def serving_default(self, image_bytes):
        """JPEG, PNG or BMP bytes ``[N]``, sizes may differ -> ``{"embedding": [N, D]}``."""
        return {"embedding": self._embed_encoded(image_bytes)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="probe_bytes"),
            tf.TensorSpec([None], tf.string, name="gallery_bytes"),
        ]
    )
    def match(self, probe_bytes, gallery_bytes):
        """Two batches of encoded images -> ``{"scores": [P, G]}``, cosines in [−1, 1]."""
        return {
            "scores": tf.matmul(self._embed_encoded(probe_bytes), self._embed_encoded(gallery_bytes), transpose_b=True)
        }

    def _embed(self, images):
        images = tf.clip_by_value(images, 0.0, 255.0)
        return self.recognizer((images if self.recognizer.any_size else self.fit.apply_graph(images)) / 127.5 - 1.0)

    def _embed_encoded(self, image_bytes):
        length = self.recognizer.embedding_length
        return tf.map_fn(
            lambda encoded: self._embed(decode_bounded(encoded)[None])[0],
            image_bytes,
            fn_output_signature=tf.TensorSpec([length], tf.float32),
        )

    def signatures(self) -> dict:
        return {"serving_default": self.serving_default, "tensor": self.tensor, "match": self.match}


def save(module: Translator | Embedder, folder: Path) -> None:
    """Writes a SavedModel of the signatures and the variables that they read.

    Saved with its Keras network, each layer would add functions that no server calls, and layers above the embedding
    their weights. Raises ``ValueError`` for operations outside stock TensorFlow.
    """
    calls = module.signatures()
    read = {id(variable.handle) for call in calls.values() for variable in call.get_concrete_function().graph.variables}
    saved = tf.Module()
    saved.weights = [variable for variable in module.variables if id(variable.handle) in read]
    tf.saved_model.save(saved, str(folder), calls, tf.saved_model.SaveOptions(namespace_whitelist=[]))
