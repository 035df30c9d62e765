"""The generators' exports give the same pixels in OpenVINO, which shares no code with TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.inference.openvino_runtime import read_translator


@pytest.mark.parametrize("side, servable", enumerate(["photo_to_sketch", "sketch_to_photo"]))
def test_pixels_within_one_gray_level(side, servable, tiny_run):
    folder = tiny_run / f"savedmodels/tiny/{servable}/2"
    translate, signature = read_translator(folder), tf.saved_model.load(str(folder)).signatures["tensor"]
    for height, width, people in ((100, 80, 2), (32, 32, 1), (47, 90, 3)):
        images = np.stack([draw_pair(person, 0, seed=3, height=height, width=width)[side] for person in range(people)])
        found, wanted = translate(images), signature(images=tf.constant(images, tf.float32))["images"].numpy()
        assert found.shape == wanted.shape == images.shape and np.ptp(wanted) > 10
        difference = np.abs(found - wanted)
        assert difference.max() <= 1.0 and difference.mean() < 0.01
        print(f"{servable} {people}x{height}x{width}: {np.mean(difference > 0):.2%} of the values differ, by one level")
