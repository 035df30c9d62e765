"""Keras 2 comes through its door, and Keras 3 does nothing of ours."""

import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import tensorflow as tf

from iacyclegan_tf.common import keras_door
from iacyclegan_tf.common.keras_door import keras

ROOT = Path(__file__).parents[2]


def test_keras_3_behind_the_door_is_refused(monkeypatch):
    # TensorFlow puts another object there when it loads its own
    inside = getattr(tf, keras_door.PACKAGE, keras)
    monkeypatch.setattr(inside, "ops", None, raising=False)
    with pytest.raises(ImportError, match=r"Keras 3 stands where Keras 2 is needed.*requirements-current\.txt"):
        runpy.run_path(keras_door.__file__)


# Keras 3 is imported by TensorFlow itself, so that it is there: from here on, what makes anything of it fails.
STEP = """
import sys, tensorflow as tf
keras = sys.modules["keras"]
assert keras.__version__.startswith("3."), keras.__version__
def touched(self, *args, **kwargs):
    raise AssertionError(f"Keras 3 made a {type(self).__name__}")
for kind in (keras.Layer, keras.optimizers.Optimizer, keras.losses.Loss, keras.callbacks.Callback, keras.Initializer):
    kind.__init__ = touched
for bad in (lambda: keras.layers.ReLU(), lambda: keras.optimizers.Adam()):
    try:
        bad()
    except AssertionError:
        continue
    raise SystemExit("the trap is open")
sys.path.insert(0, "tests")
import golden
from iacyclegan_tf.common.keras_door import keras as ours
gan = golden.synthesis()
gan.run_eagerly = True
gan.fit(tf.data.Dataset.from_tensors((golden.images(1), golden.images(1, 1))), verbose=0)
trainer = golden.triplet_trainer()
trainer.train_step((golden.images(4), tf.constant([0, 0, 1, 1])))
for model in (gan, gan.photo_to_sketch, gan.photo_discriminator, gan.photo_recognizer, trainer):
    assert isinstance(model, ours.Model)
    assert not any(kind.__module__.split(".")[0] == "keras" for kind in type(model).__mro__)
print("untouched")
"""


@pytest.mark.skipif(not find_spec("tf_keras"), reason="in the pinned set Keras is Keras 2")
def test_nothing_of_ours_is_made_by_keras_3():
    done = subprocess.run([sys.executable, "-c", STEP], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "untouched\n", done.stderr
