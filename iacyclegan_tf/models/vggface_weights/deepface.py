"""deepface's ``vgg_face_weights.h5``: an unnamed Sequential with ZeroPadding layers, told by their order.

Sixteen convolutions: 13 of 3x3, fc6 of 7x7, fc7 and fc8 of 1x1; kernels HWIO, first layer BGR.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iacyclegan_tf.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import VGGArchitecture, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, VGGFaceWeights, add_layer, finished
from iacyclegan_tf.models.vggface_weights.keras_h5 import StoredLayer, read_array


def read_deepface(path: Path, stored: list[StoredLayer], architecture: VGGArchitecture) -> VGGFaceWeights:
    """Reads the open file; raises UserError for another architecture."""
    layers = architecture.layers()
    # Without names nothing but the shapes can tell the file, so a file without the top is not taken: the 13
    # convolutions of an ImageNet VGG-16 would pass.
    if len(stored) != len(layers):
        is_imagenet = any("block1" in layer.name for layer in stored)
        hint = " (this looks like Keras' ImageNet VGG-16)" if is_imagenet else ""
        raise UserError(
            f"{path} is not VGG-Face: it holds weights of {len(stored)} layers{hint}; expected are layers "
            f"named conv1_1 to fc8 (keras-vggface) or {len(layers)} convolutions in order (deepface)."
        )
    for layer, found in zip(layers, stored):
        require_shape(path, f"{layer.name} kernel ({found.name[:40]!r})", found.kernel.shape, layer.kernel)
        require_shape(path, f"{layer.name} bias ({found.name[:40]!r})", found.bias.shape, (layer.outputs,))
    arrays: dict[str, np.ndarray] = {}
    for layer, found in zip(layers, stored):
        kernel = read_array(path, f"{layer.name} kernel", found.kernel)
        add_layer(arrays, path, layer, kernel, read_array(path, f"{layer.name} bias", found.bias), "BGR")
    return finished(arrays, MEAN_RGB, "deepface")
