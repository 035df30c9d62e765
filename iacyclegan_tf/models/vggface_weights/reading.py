"""Which kind of file it is, told by its first bytes, and the reader for it."""

from __future__ import annotations

import os
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import GENUINE, VGGArchitecture
from iacyclegan_tf.models.vggface_weights.caffe import read_caffe
from iacyclegan_tf.models.vggface_weights.canonical import VGGFaceWeights
from iacyclegan_tf.models.vggface_weights.keras_h5 import read_deepface, read_keras_vggface, stored_layers
from iacyclegan_tf.models.vggface_weights.matconvnet import read_matconvnet
from iacyclegan_tf.models.vggface_weights.npz import read_npz

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
# First tag of a NetParameter: name, layers (V1), input, input_shape's neighbours, or layer (field 100).
CAFFE_FIRST_BYTES = (0x0A, 0x12, 0x1A, 0xA2)
MAX_BYTES = 4 << 30
KNOWN = "Caffe .caffemodel, MatConvNet .mat, keras-vggface .h5, deepface .h5 and the .npz of this program"


def read_vggface_weights(path: str | os.PathLike, architecture: VGGArchitecture | None = None) -> VGGFaceWeights:
    """Reads VGG-Face weights; the content tells the format, the name does not matter.

    Args:
        path: a .caffemodel, MatConvNet .mat (-v6, -v7), keras-vggface or deepface .h5, or our own .npz.
        architecture: widths that the file must have. None: the genuine ones for the four foreign formats,
            whatever the file holds for our own .npz.

    Returns:
        The canonical weights (float32, HWIO, RGB, fc6 rows H, W, C).

    Raises:
        UserError: missing, damaged, of another format or architecture, not finite, or contradicting itself.
    """
    path = Path(path)
    kind = _kind(path, _first_bytes(path))
    if kind == "npz":
        return read_npz(path, architecture)
    architecture = architecture or GENUINE
    if kind == "mat":
        return read_matconvnet(path, architecture)
    if kind == "caffe":
        return read_caffe(path, architecture)
    with stored_layers(path) as stored:
        named = any(layer.name == "conv1_1" for layer in stored)
        return (read_keras_vggface if named else read_deepface)(path, stored, architecture)


def _first_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UserError(f"The weights {path} are not a file.")
        with open(path, "rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise UserError(f"The weights {path} cannot be read: {error.strerror or error}.") from error
    if not head or size > MAX_BYTES:
        raise UserError(f"The weights {path} have {size} bytes; allowed are 1 byte to {MAX_BYTES >> 30} GiB.")
    return head


def _kind(path: Path, head: bytes) -> str:
    if head.startswith(HDF5):
        return "hdf5"
    if head.startswith(ZIP):
        return "npz"
    if head.startswith(b"MATLAB 7.3") or head[512:520] == HDF5:
        raise UserError(f"{path} is a MATLAB 7.3 file; load it in MATLAB and save it again with -v7.")
    if head[126:128] in (b"IM", b"MI") and 0 not in head[:4]:
        return "mat"
    not_weights = _known_mistake(head)
    if not_weights:
        raise UserError(f"{path} is {not_weights}, not VGG-Face weights; known are {KNOWN}.")
    if head[0] in CAFFE_FIRST_BYTES:
        return "caffe"
    raise UserError(f"{path} is none of the known kinds of VGG-Face file: {KNOWN}.")


def _known_mistake(head: bytes) -> str | None:
    """What a file is that people hold by mistake in place of weights."""
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page (a failed download)"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")) or head[257:262] == b"ustar":
        return "a packed archive that must be unpacked first"
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "a Python pickle, which is never opened because it could run code"
    if text.startswith((b"name:", b"layer", b"input:")):
        return "the text description of a Caffe network"
    return None
