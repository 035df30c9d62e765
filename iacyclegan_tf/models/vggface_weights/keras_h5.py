"""The HDF5 layout of Keras 1 and 2: attribute ``layer_names``, one group per layer, kernel and bias in it.

Only arrays are read, with h5py: nothing of a stored model is rebuilt, so no code in the file can run.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import Layer, VGGArchitecture, expected_layers, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, VGGFaceWeights, add_layer, finished, unreadable

# What h5py raises on damaged bytes, found by editing small files at random.
DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, IndexError, OverflowError, MemoryError)
MAX_LAYERS = 1000
MAX_DEPTH, MAX_ENTRIES = 4, 20  # of the groups of one layer; Keras uses 2 levels and 2 entries


class StoredLayer(NamedTuple):
    """One layer with weights: open h5py datasets, nothing read yet."""

    name: str
    kernel: "h5py.Dataset"  # noqa: F821 (h5py is imported where it is used)
    bias: "h5py.Dataset"  # noqa: F821


@contextlib.contextmanager
def stored_layers(path: Path) -> Iterator[list[StoredLayer]]:
    """Opens the file and gives its layers with weights, in the order in which Keras saved them.

    Raises:
        UserError: damaged, or not written by Keras 1 or 2 (also from reads inside the ``with`` block).
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            root = file["model_weights"] if _is_whole_model(file) else file
            yield [layer for name in _layer_names(path, root) if (layer := _layer(path, root, name))]
    except DAMAGE as error:
        raise unreadable(path, "HDF5 file", error) from error


def read_array(path: Path, what: str, dataset) -> np.ndarray:
    """The values of a dataset whose shape has been checked; refuses data kept outside the file."""
    if dataset.external or dataset.is_virtual:
        raise UserError(f"{path} keeps the {what} in another file; the values must be inside.")
    if dataset.chunks and math.prod(dataset.chunks) > 2 * dataset.size + 1024:
        raise UserError(f"{path} stores the {what} in pieces {dataset.chunks}, larger than the array.")
    return dataset[()]


def _is_whole_model(file) -> bool:
    import h5py

    return "layer_names" not in file.attrs and file.get("model_weights", getclass=True) is h5py.Group


def _layer_names(path: Path, root) -> list[str]:
    names = root.attrs.get("layer_names")
    if not isinstance(names, np.ndarray) or names.ndim != 1 or names.size > MAX_LAYERS:
        raise UserError(f"{path} is an HDF5 file without the attribute 'layer_names' of Keras 1 and 2.")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names]


def _layer(path: Path, root, name: str) -> StoredLayer | None:
    """None for a layer without weights, such as pooling or activation."""
    import h5py

    if not isinstance(root.get(name, getlink=True), h5py.HardLink):
        raise UserError(f"{path} names a layer {name[:40]!r} that it does not hold.")
    # The names of the arrays differ between versions of Keras (kernel:0, conv1_1_W:0), their ranks do not.
    # keras-vggface has layers "fc6" and "fc6/relu": the second is a group inside the first, and empty.
    datasets = _datasets(root[name])
    if not datasets:
        return None
    kernels = [item for item in datasets if len(item.shape) > 1]
    biases = [item for item in datasets if len(item.shape) == 1]
    if (len(kernels), len(biases)) != (1, 1):
        raise UserError(
            f"{path} is not VGG-Face: layer {name[:40]!r} holds {len(datasets)} arrays instead of kernel and bias."
        )
    return StoredLayer(name, kernels[0], biases[0])


def _datasets(group, depth: int = 0) -> list:
    """Datasets in a group and the groups inside it; only through links within the file.

    Not h5py's visititems: where one byte of a group's heap is damaged, HDF5 2.0 then takes memory without end.
    """
    import h5py

    if not isinstance(group, h5py.Group) or depth > MAX_DEPTH:
        raise ValueError(f"its groups are nested deeper than {MAX_DEPTH}, or a layer is no group")
    found: list = []
    for name in itertools.islice(group, MAX_ENTRIES):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        found += [item] if isinstance(item, h5py.Dataset) else _datasets(item, depth + 1)
    return found


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


def read_keras_vggface(path: Path, stored: list[StoredLayer], architecture: VGGArchitecture) -> VGGFaceWeights:
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
