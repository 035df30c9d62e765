"""The HDF5 layout of Keras 1 and 2: attribute ``layer_names``, one group per layer, kernel and bias in it.

Only arrays are read, with h5py: nothing of a stored model is rebuilt, so no code in the file can run.
keras-vggface names its layers conv1_1 to fc8 and has dense top layers; deepface has 16 unnamed convolutions.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import VGGArchitecture, expected_layers, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, ForeignNetwork

if TYPE_CHECKING:
    import h5py

    Stored = tuple[str, h5py.Dataset, h5py.Dataset]  # layer's name, kernel, bias; nothing read yet

MAX_LAYERS = 1000
MAX_DEPTH, MAX_ENTRIES = 4, 20  # of the groups of one layer; Keras uses 2 levels and 2 entries


def read_keras(path: Path, architecture: VGGArchitecture) -> ForeignNetwork:
    """Opens the file; raises UserError for another architecture, other exceptions for a damaged file."""
    import h5py

    with contextlib.ExitStack() as stack:
        file = stack.enter_context(h5py.File(path, "r"))
        root = file["model_weights"] if "layer_names" not in file.attrs and _is_own(file, "model_weights") else file
        stored = [layer for name in _layer_names(path, root) if (layer := _layer(path, root, name))]
        named = any(name == "conv1_1" for name, _, _ in stored)
        if named:
            layers = expected_layers(path, [name for name, _, _ in stored], architecture)
            place = [layer.name for layer in layers]
            stored.sort(key=lambda layer: place.index(layer[0]))
        else:
            layers = architecture.layers()
            _check_count(path, stored, len(layers))
        for layer, (name, kernel, bias) in zip(layers, stored):
            what = layer.name if named else f"{layer.name} ({name[:40]!r})"
            require_shape(path, f"{what} kernel", kernel.shape, layer.canonical_kernel if named else layer.kernel)
            require_shape(path, f"{what} bias", bias.shape, (layer.outputs,))
            if any(part.external or part.is_virtual for part in (kernel, bias)):
                raise UserError(f"{path} keeps the values of {what} in another file; they must be inside.")
        open_file = stack.pop_all()

    def arrays() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        with open_file:
            for layer, (_, kernel, bias) in zip(layers, stored):
                yield kernel[()].reshape(layer.kernel), bias[()]

    return ForeignNetwork("keras-vggface" if named else "deepface", MEAN_RGB, layers, arrays())


def _check_count(path: Path, stored: list[Stored], wanted: int) -> None:
    """Without names nothing but the shapes can tell deepface's file, so one without the top is not taken.

    The 13 convolutions of an ImageNet VGG-16 would pass.
    """
    if len(stored) != wanted:
        is_imagenet = any("block1" in name for name, _, _ in stored)
        hint = " (this looks like Keras' ImageNet VGG-16)" if is_imagenet else ""
        raise UserError(
            f"{path} is not VGG-Face: it holds weights of {len(stored)} layers{hint}; expected are layers "
            f"named conv1_1 to fc8 (keras-vggface) or {wanted} convolutions in order (deepface)."
        )


def _layer_names(path: Path, root: h5py.Group) -> list[str]:
    names = root.attrs.get("layer_names")
    if not isinstance(names, np.ndarray) or names.ndim != 1 or names.size > MAX_LAYERS:
        raise UserError(f"{path} is an HDF5 file without the attribute 'layer_names' of Keras 1 and 2.")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names]


def _layer(path: Path, root: h5py.Group, name: str) -> Stored | None:
    """None for a layer without weights, such as pooling or activation."""
    if not _is_own(root, name):
        raise UserError(f"{path} names a layer {name[:40]!r} that it does not hold.")
    # The names of the arrays differ between versions of Keras (kernel:0, conv1_1_W:0), their ranks do not.
    # keras-vggface has layers "fc6" and "fc6/relu": the second is a group inside the first, and empty.
    datasets = sorted(_datasets(root[name]), key=lambda item: -len(item.shape))
    if not datasets:
        return None
    if len(datasets) != 2 or len(datasets[0].shape) < 2 or len(datasets[1].shape) != 1:
        raise UserError(
            f"{path} is not VGG-Face: layer {name[:40]!r} holds {len(datasets)} arrays instead of kernel and bias."
        )
    return name, *datasets


def _datasets(group: h5py.Group, depth: int = 0) -> list[h5py.Dataset]:
    """Datasets in a group and the groups inside it; only through links within the file.

    Not h5py's visititems: where one byte of a group's heap is damaged, HDF5 2.0 then takes memory without end.
    """
    import h5py

    if not isinstance(group, h5py.Group) or depth > MAX_DEPTH:
        raise ValueError(f"its groups are nested deeper than {MAX_DEPTH}, or a layer is no group")
    found: list = []
    for name in itertools.islice(group, MAX_ENTRIES):
        if _is_own(group, name):
            item = group[name]
            found += [item] if isinstance(item, h5py.Dataset) else _datasets(item, depth + 1)
    return found


def _is_own(group: h5py.Group, name: str) -> bool:
    """Whether every step of ``name`` (a/b/c) is a link inside the file."""
    import h5py

    steps = itertools.accumulate(name.strip("/").split("/"), "{}/{}".format)
    return all(isinstance(group.get(step, getlink=True), h5py.HardLink) for step in steps)
