"""The one door to Keras 2: TensorFlow's own up to 2.15, the package tf_keras from 2.16 on, where ``keras`` is Keras 3.

Keras 3 cannot take its place: ``tf.train.Checkpoint`` leaves out its layers that are held in lists, without any error.
"""

from __future__ import annotations

import tensorflow as tf

if tuple(map(int, tf.__version__.split(".")[:2])) < (2, 16):
    keras, PACKAGE = tf.keras, "keras"
else:
    import tf_keras as keras

    PACKAGE = "tf_keras"

if hasattr(keras, "ops"):
    raise ImportError(
        f"Keras 3 stands where Keras 2 is needed, beside TensorFlow {tf.__version__}: install one of the tested sets, "
        "requirements.txt or requirements-current.txt."
    )

__all__ = ["PACKAGE", "keras"]
