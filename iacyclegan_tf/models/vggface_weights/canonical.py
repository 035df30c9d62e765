"""The canonical form of VGG-Face weights, whatever file they came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import Layer

# Mean of the training pixels in R, G, B order, 0..255 (averageImage of the MatConvNet file; the file
# keras_vggface/utils.py has the same three numbers, in B, G, R order because its network takes B, G, R).
MEAN_RGB = (129.1863, 104.7624, 93.5940)

# What the first convolution of each kind of file expects. Only MatConvNet's, and our own, take RGB.
FILE_CHANNEL_ORDER = {"caffe": "BGR", "matconvnet": "RGB", "keras-vggface": "BGR", "deepface": "BGR"}


@dataclass(frozen=True)
class VGGFaceWeights:
    """Weights that turn RGB pixels 0..255 minus ``mean_rgb`` into VGG-Face activations.

    Attributes:
        arrays: float32, read-only, in network order. "conv1_1/kernel" (3, 3, in, out) with R, G, B as
            conv1_1's inputs, "conv1_1/bias" (out,), ... "fc6/kernel" (7*7*512, 4096) whose rows run over
            H, W, C; "fc7/...", "fc8/...". The fc arrays are absent where the file has no top.
        mean_rgb: pixel mean to subtract, R, G, B, 0..255.
        source_format: "caffe", "matconvnet", "keras-vggface", "deepface", or "npz from <one of these>".
        fingerprint: SHA-256 over the arrays, equal for the same network from different kinds of file.
        has_top: whether fc6, fc7 and fc8 are there.
    """

    arrays: dict[str, np.ndarray]
    mean_rgb: tuple[float, float, float]
    source_format: str
    fingerprint: str
    has_top: bool

    @property
    def file_channel_order(self) -> str:
        """The order that conv1_1 had in the file; here it is always RGB."""
        return FILE_CHANNEL_ORDER.get(self.source_format, "RGB")


def weights_fingerprint(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 (hexadecimal) over names, shapes and little-endian float32 values, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name], dtype="<f4")
        digest.update(f"{name}{values.shape}".encode())
        digest.update(values.data)
    return digest.hexdigest()


def add_layer(arrays: dict, path, layer: Layer, kernel: np.ndarray, bias: np.ndarray, order: str) -> None:
    """Puts one layer into ``arrays`` in canonical form.

    Args:
        arrays: filled in place.
        path: named in errors.
        layer: which layer it is.
        kernel: (height, width, in, out), any float type and memory order; shape already checked.
        bias: any shape of ``layer.outputs`` values; size already checked.
        order: channel order that the file's first convolution expects, "RGB" or "BGR".

    Raises:
        UserError: values that are not floats, not finite, or a kernel of nothing but zeros.
    """
    if layer.name == "conv1_1" and order == "BGR":
        kernel = kernel[:, :, ::-1, :]
    # A copy in any case: the source may be a view of a mapped file. It is the only one made of a kernel.
    canonical = _float32(path, f"{layer.name} kernel", kernel).reshape(layer.canonical_kernel)
    if not canonical.any():
        raise UserError(f"{path} holds only zeros for the {layer.name} kernel: it is incomplete.")
    arrays[f"{layer.name}/kernel"] = canonical
    arrays[f"{layer.name}/bias"] = _float32(path, f"{layer.name} bias", bias).reshape(-1)


def finished(arrays: dict[str, np.ndarray], mean_rgb, source_format: str) -> VGGFaceWeights:
    """The canonical weights once every layer is in ``arrays``, which become read-only."""
    for array in arrays.values():
        array.flags.writeable = False
    mean = tuple(float(value) for value in mean_rgb)
    return VGGFaceWeights(arrays, mean, source_format, weights_fingerprint(arrays), "fc6/kernel" in arrays)


def _float32(path, what: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        raise UserError(f"{path} holds {values.dtype} values for the {what}; floating point is expected.")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite and is refused just below
        copied = np.array(values, dtype=np.float32, order="C")
    if not np.isfinite(copied).all():
        raise UserError(f"{path} holds a value that is not finite (NaN or infinity) in the {what}.")
    return copied


MAX_REASON = 160  # zipfile quotes whole stretches of a damaged file


def unreadable(path: Path, kind: str, error: Exception) -> UserError:
    """A UserError for ``path``, which should be a ``kind``, with the library's words on one short line."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if len(reason) > MAX_REASON:
        reason = reason[:MAX_REASON] + " ..."
    return UserError(f"{path} is not a readable {kind}: {reason.rstrip('.')}.")
