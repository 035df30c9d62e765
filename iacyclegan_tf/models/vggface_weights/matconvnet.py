"""MatConvNet's ``vgg_face.mat``: kernels HWIO, fc6 a convolution of 7x7, first layer **RGB**, with the mean.

Two layouts are about: ``layers`` and ``meta`` (or ``normalization``) at the top of the file, or inside a
variable ``net``; weights as ``weights = {kernel, bias}`` or, in the oldest, as ``filters`` and ``biases``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import VGGArchitecture, expected_layers, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, ForeignNetwork

VARIABLES = ("net", "layers", "meta", "normalization")  # others are not read


def read_matconvnet(path: Path, architecture: VGGArchitecture) -> ForeignNetwork:
    """Reads a MATLAB 5 (-v6 or -v7) file; raises UserError for another architecture.

    scipy believes what the file claims: run it where memory is limited and where a crash does no harm.
    """
    from scipy.io import loadmat

    # simplify_cells: structures as dicts, and dimensions of 1 left out.
    content = loadmat(path, variable_names=VARIABLES, appendmat=False, simplify_cells=True)
    net = content["net"] if isinstance(content.get("net"), dict) else content
    found = _layers_with_weights(path, net)
    layers, mean = expected_layers(path, [name for name, _ in found], architecture), _mean_rgb(path, net)
    weights_of = dict(found)
    del content, net, found
    for layer in layers:
        kernel, bias = map(np.asarray, weights_of[layer.name])
        require_shape(path, f"{layer.name} kernel", kernel.shape, tuple(n for n in layer.kernel if n != 1))
        require_shape(path, f"{layer.name} bias", bias.shape, (layer.outputs,) if layer.outputs > 1 else ())
        weights_of[layer.name] = (kernel.reshape(layer.kernel), bias)

    def arrays() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for layer in layers:
            yield weights_of.pop(layer.name)  # popped, so that fc6 goes before the next layer comes

    return ForeignNetwork("matconvnet", mean, layers, arrays())


def _layers_with_weights(path: Path, net: dict) -> list[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    layers = net.get("layers")
    if not isinstance(layers, list):
        raise UserError(f"{path} is a MATLAB file without the cell array 'layers' of a MatConvNet network.")
    found = []
    for layer in layers:
        kernel, bias = layer["weights"] if len(layer.get("weights", ())) == 2 else map(layer.get, ("filters", "biases"))
        if kernel is not None:
            found.append((str(layer.get("name", "a layer without a name")), (kernel, bias)))
    return found


def _mean_rgb(path: Path, net: dict) -> tuple[float, ...]:
    """The file's own, of three numbers or a whole picture (height, width, 3); VGG-Face's where it has none."""
    normalization = net.get("meta", net).get("normalization") or net.get("normalization") or {}
    image = np.asarray(normalization.get("averageImage", ()))
    if image.size == 0:
        return MEAN_RGB
    is_mean = image.dtype.kind in "fiu" and image.ndim in (1, 3) and image.shape[-1] == 3
    mean = image.reshape(-1, 3).mean(axis=0, dtype=np.float64) if is_mean else np.full(3, np.nan)
    if not np.all((mean >= 0) & (mean <= 255)):
        raise UserError(f"{path} has an averageImage of shape {image.shape} that is not three means from 0 to 255.")
    if np.abs(mean[::-1] - MEAN_RGB).max() < 1:
        raise UserError(
            f"{path} contradicts itself: MatConvNet's network takes RGB, and the averageImage "
            f"{mean.round(4).tolist()} is VGG-Face's mean in B, G, R order; "
            "either the mean or the first layer has been swapped."
        )
    return tuple(mean.tolist())
