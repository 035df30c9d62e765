"""keras-vggface's ``rcmalli_vggface_tf_vgg16.h5`` and its ``notop`` file.

Layers are named conv1_1 ... fc8; kernels HWIO, fc6 a dense layer flattened H, W, C; first layer BGR: the
package's ``preprocess_input(version=1)`` turns the channels round and subtracts 93.5940, 104.7624, 129.1863.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iacyclegan_tf.models.vggface_weights.architecture import (
    Layer,
    VGGArchitecture,
    expected_layers,
    require_shape,
)
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, VGGFaceWeights, add_layer, finished
from iacyclegan_tf.models.vggface_weights.keras_h5 import StoredLayer, read_array


def read_keras_vggface(
    path: Path, stored: list[StoredLayer], architecture: VGGArchitecture
) -> VGGFaceWeights:
    """Reads the open file; raises UserError for missing layers or another architecture."""
    layers = expected_layers(path, [layer.name for layer in stored], architecture)
    stored_of = {layer.name: layer for layer in stored}
    for layer in layers:  # every shape before the first array: a wrong file is refused at once
        _check(path, layer, stored_of[layer.name])
    arrays: dict[str, np.ndarray] = {}
    for layer in layers:
        kernel = read_array(path, f"{layer.name} kernel", stored_of[layer.name].kernel).reshape(layer.kernel)
        bias = read_array(path, f"{layer.name} bias", stored_of[layer.name].bias)
        add_layer(arrays, path, layer, kernel, bias, "BGR")
    return finished(arrays, MEAN_RGB, "keras-vggface")


def _check(path: Path, layer: Layer, stored: StoredLayer) -> None:
    require_shape(path, f"{layer.name} kernel", stored.kernel.shape, layer.canonical_kernel)
    require_shape(path, f"{layer.name} bias", stored.bias.shape, (layer.outputs,))
