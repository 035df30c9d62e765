"""MatConvNet's ``vgg_face.mat``: kernels HWIO, fc6 a convolution of 7x7, first layer **RGB**, with the mean.

Two layouts are about: ``layers`` and ``meta`` (or ``normalization``) at the top of the file, or inside a
variable ``net``; weights as ``weights = {kernel, bias}`` or, in the oldest, as ``filters`` and ``biases``.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import Layer, VGGArchitecture, expected_layers, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, VGGFaceWeights, add_layer, finished, unreadable
from iacyclegan_tf.models.vggface_weights.mat_bounds import check_mat_bounds

VARIABLES = ("net", "layers", "meta", "normalization")
# What scipy's reader raises on damaged bytes, found by editing small files at random.
DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    OSError,
    MemoryError,
    AttributeError,
    NotImplementedError,
    zlib.error,
)


def read_matconvnet(path: Path, architecture: VGGArchitecture) -> VGGFaceWeights:
    """Reads a MATLAB 5 (-v6 or -v7) file; raises UserError for a damaged one or another architecture."""
    content = _load(path)
    net = _record(content.get("net")) or content
    entries = _layers_with_weights(path, net)
    layers = expected_layers(path, [name for name, _ in entries], architecture)
    entry_of = dict(entries)
    mean = _mean_rgb(path, net)
    del content, net, entries
    arrays: dict[str, np.ndarray] = {}
    for layer in layers:
        # Popped, so that the file's own copy of fc6 goes before the next layer comes.
        _add(arrays, path, layer, *entry_of.pop(layer.name))
    return finished(arrays, mean, "matconvnet")


def _load(path: Path) -> dict:
    from scipy.io import loadmat

    try:
        check_mat_bounds(path, frozenset(VARIABLES))
        return loadmat(path, variable_names=list(VARIABLES), appendmat=False)
    except DAMAGE as error:
        raise unreadable(path, "MATLAB file", error) from error


def _record(value) -> dict | None:
    """A 1x1 MATLAB structure as a dict; None for anything else."""
    if isinstance(value, np.ndarray) and value.dtype.names and value.size == 1:
        item = value.reshape(-1)[0]
        return {name: item[name] for name in value.dtype.names}
    return None


def _layers_with_weights(path: Path, net: dict) -> list[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    layers = net.get("layers")
    if not isinstance(layers, np.ndarray) or layers.dtype != object:
        raise UserError(f"{path} is a MATLAB file without the cell array 'layers' of a MatConvNet network.")
    found = []
    for cell in layers.reshape(-1):
        layer = _record(cell) or {}
        weights = _weights(layer)
        if weights is not None:
            found.append((_text(layer.get("name")), weights))
    return found


def _weights(layer: dict) -> tuple[np.ndarray, np.ndarray] | None:
    pair = layer.get("weights")
    if isinstance(pair, np.ndarray) and pair.dtype == object and pair.size == 2:
        kernel, bias = pair.reshape(-1)
    else:
        kernel, bias = layer.get("filters"), layer.get("biases")
    if isinstance(kernel, np.ndarray) and isinstance(bias, np.ndarray):
        return kernel, bias
    return None


def _text(value) -> str:
    if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 1:
        return str(value.reshape(-1)[0])
    return "a layer without a name"


def _add(arrays: dict, path: Path, layer: Layer, kernel: np.ndarray, bias: np.ndarray) -> None:
    # MATLAB drops trailing dimensions of 1; only a network with a single output could meet that.
    require_shape(path, f"{layer.name} kernel", kernel.shape, layer.kernel)
    require_shape(path, f"{layer.name} bias", bias.shape, (1, layer.outputs), (layer.outputs, 1))
    add_layer(arrays, path, layer, kernel, bias, "RGB")


def _mean_rgb(path: Path, net: dict) -> tuple[float, ...]:
    meta = _record(net.get("meta")) or net
    normalization = _record(meta.get("normalization")) or _record(net.get("normalization")) or {}
    image = normalization.get("averageImage")
    if not isinstance(image, np.ndarray) or image.size == 0:
        return MEAN_RGB
    mean = _channel_means(image) if image.dtype.kind in "fiu" else None
    if mean is None or not np.all((mean >= 0) & (mean <= 255)):
        raise UserError(f"{path} has an averageImage of shape {image.shape} that is not three means from 0 to 255.")
    if np.abs(mean[::-1] - MEAN_RGB).max() < 1:
        raise UserError(
            f"{path} contradicts itself: MatConvNet's network takes RGB, and the averageImage "
            f"{mean.round(4).tolist()} is VGG-Face's mean in B, G, R order; "
            "either the mean or the first layer has been swapped."
        )
    return tuple(mean)


def _channel_means(image: np.ndarray) -> np.ndarray | None:
    """R, G, B of an averageImage that holds three numbers or a whole picture (height, width, 3)."""
    values = image.astype(np.float64)
    if values.size == 3:
        return values.reshape(3)
    if values.ndim == 3 and values.shape[2] == 3:
        return values.mean(axis=(0, 1))
    return None
