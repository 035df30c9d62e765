"""The canonical form of VGG-Face weights, whatever file they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import Layer

# Mean of the training pixels in R, G, B order, 0..255 (averageImage of the MatConvNet file; the file
# keras_vggface/utils.py has the same three numbers, in B, G, R order because its network takes B, G, R).
MEAN_RGB = (129.1863, 104.7624, 93.5940)

# What the first convolution of each kind of file expects. Only MatConvNet's takes RGB.
FILE_CHANNEL_ORDER = {"caffe": "BGR", "matconvnet": "RGB", "keras-vggface": "BGR", "deepface": "BGR"}


class ForeignNetwork(NamedTuple):
    """What the reader of a foreign format has found; layers and shapes are checked, values are not.

    Attributes:
        source_format: a key of ``FILE_CHANNEL_ORDER``.
        mean_rgb: pixel mean to subtract, R, G, B, 0..255.
        layers: with weights, in network order.
        arrays: of each of them the kernel (height, width, in, out) and the bias (out,), read when asked for;
            conv1_1's inputs in the file's channel order.
    """

    source_format: str
    mean_rgb: tuple[float, ...]
    layers: list[Layer]
    arrays: Iterator[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class VGGFaceWeights:
    """Weights that turn RGB pixels 0..255 minus ``mean_rgb`` into VGG-Face activations.

    Attributes:
        arrays: float32, read-only, in network order. "conv1_1/kernel" (3, 3, in, out) with R, G, B as
            conv1_1's inputs, "conv1_1/bias" (out,), ... "fc6/kernel" (7*7*512, 4096) whose rows run over
            H, W, C; "fc7/...", "fc8/...". The fc arrays are absent where the file has no top.
        mean_rgb: pixel mean to subtract, R, G, B, 0..255.
        source_format: "caffe", "matconvnet", "keras-vggface" or "deepface".
    """

    arrays: dict[str, np.ndarray]
    mean_rgb: tuple[float, float, float]
    source_format: str

    @property
    def has_top(self) -> bool:
        """Whether fc6, fc7 and fc8 are there."""
        return "fc6/kernel" in self.arrays


def weights_fingerprint(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 (hexadecimal) over names, shapes and little-endian float32 values, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name], dtype="<f4")
        digest.update(f"{name}{values.shape}".encode())
        digest.update(values.data)
    return digest.hexdigest()


def require_floats(path, what: str, values: np.ndarray) -> None:
    """Raises UserError for integers and objects, as quantized weights are."""
    if values.dtype.kind != "f":
        raise UserError(f"{path} holds {values.dtype} values for the {what}; floating point is expected.")


def checked_weights(path, arrays: dict[str, np.ndarray], mean_rgb, source_format: str) -> VGGFaceWeights:
    """The canonical weights from float32 arrays in canonical shapes, which become read-only.

    Raises:
        UserError: values that are not finite, or a kernel of nothing but zeros.
    """
    for name, array in arrays.items():
        what = name.replace("/", " ")
        if not np.isfinite(array).all():
            raise UserError(f"{path} holds a value that is not finite (NaN or infinity) in the {what}.")
        if name.endswith("/kernel") and not array.any():
            raise UserError(f"{path} holds only zeros for the {what}: it is incomplete.")
        array.flags.writeable = False
    mean = tuple(float(value) for value in mean_rgb)
    return VGGFaceWeights(arrays, mean, source_format)
