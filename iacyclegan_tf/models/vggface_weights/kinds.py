"""Tells by a few bytes which kind of file it is; nothing of it is loaded for that."""

from __future__ import annotations

import re
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.npz_archive import member_names

HDF5, MATLAB, CAFFE, NPZ = "HDF5 file", "MATLAB file", "Caffe file", ".npz file"
KNOWN = "Caffe .caffemodel, MatConvNet .mat, keras-vggface .h5, deepface .h5 and the .npz of this program"
MAX_BYTES = 4 << 30

_HDF5 = rb"\x89HDF\r\n\x1a\n"
_PICKLE = "which is never opened because it could run code"
# What a file is by its first 1024 bytes; the first that fits counts.
_BY_HEAD = (
    (HDF5, _HDF5),
    (MATLAB, rb"(?!MATLAB 7\.3)[^\0]{4}.{122}(IM|MI)"),
    ("a MATLAB 7.3 file (load it in MATLAB and save it again with -v7)", rb"MATLAB 7\.3|.{512}" + _HDF5),
    ("an OpenVINO model", rb"\s*<\?xml[^>]*>\s*<net "),
    ("a web page (a failed download)", rb"\s*<(?i:!doctype|html|head|\?xml)"),
    ("a Git LFS pointer (git lfs pull gets the file)", rb"\s*version https://git-lfs"),
    ("the text description of a Caffe network", rb"\s*(name:|layers? *\{|input:)"),
    ("a TensorFlow checkpoint", rb"\s*model_checkpoint_path:"),
    (f"a PyTorch file (legacy pickle), {_PICKLE}", rb"\x80\x02\x8a\x0al\xfc\x9cF"),
    (f"a Python pickle, {_PICKLE}", rb"\x80[\x02-\x05]"),
    ("a Torch7 file", rb"\x04\0{3}.\0{3}\x03\0{3}V "),
    ("a safetensors file", rb".{8}\s*\{\s*\""),
    ("a TFLite model", rb".{4}TFL3"),
    ("the graph of a TensorFlow SavedModel", rb"\x08\x01\x12"),
    ("an ONNX model", rb"\x08[\x02-\x20][\x12\x1a\x22\x28\x32\x3a\x42]"),
    ("a frozen TensorFlow graph", rb"\x0a(.|[\x80-\xff].)\x0a.[ -~]+\x12.[A-Z]"),
    ("an archive (tar, gzip, bzip2, xz, 7z) to be unpacked first", rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|.{257}ustar"),
    ("a single NumPy array", rb"\x93NUMPY"),
    ("a picture", rb"\xff\xd8\xff|\x89PNG|GIF8|II\*\0|MM\0\*|RIFF.{4}WEBP|P[1-6]\s"),
    # dlib writes an integer as its length and its bytes: a version, then the length of a name or of a matrix.
    ("a file of dlib (serialized)", rb"\x01[\x01-\x08](\x01.[a-z_]{3}|[\x01\x02\x81\x82])"),
    (CAFFE, rb"[\x0a\x12\x1a]|\xa2\x06"),  # first tag of a NetParameter: name, layers (V1), input, or layer
)
# What a zip archive is by one of its members; the first that fits counts.
_BY_MEMBER = (
    (f"a PyTorch file (a zip archive with a pickle), {_PICKLE}", rb"(.*/)?data\.pkl"),
    ("a Keras 3 model (.keras)", rb"model\.weights\.h5"),
    ("an .npz file of another kind", rb".*\.npy"),
    ("a zip archive to be unpacked first", b""),
)
_TABLE_END = bytes.fromhex("57fb808b247547db")  # of a TensorFlow checkpoint's .index file


def kind_of(path: Path, own_member: str) -> str:
    """``HDF5``, ``MATLAB``, ``CAFFE``, or ``NPZ`` for a zip archive with the member ``own_member``.

    Raises:
        UserError: missing, empty, too large, or of another kind, which is named.
    """
    head, tail = _ends(path)
    what = _first_match(_BY_HEAD, [head])
    if head.startswith(b"PK"):
        names = member_names(path)
        if own_member in names or not names:  # what is wrong with a damaged archive is for its reader to say
            return NPZ
        what = _first_match(_BY_MEMBER, [name.encode("utf-8", "replace") for name in names])
    elif tail == _TABLE_END or (path.suffix.startswith(".data-0") and path.with_suffix(".index").is_file()):
        what = "a TensorFlow checkpoint"
    if what in (HDF5, MATLAB, CAFFE):
        return what
    raise _no_weights(path, what or "none of the known kinds of weights file")


def _first_match(table: tuple[tuple[str, bytes], ...], texts: list[bytes]) -> str | None:
    return next((what for what, bytes_of in table for text in texts if re.match(bytes_of, text, re.DOTALL)), None)


def _ends(path: Path) -> tuple[bytes, bytes]:
    if (path / "saved_model.pb").is_file():
        raise _no_weights(path, "the folder of a TensorFlow SavedModel")
    if not path.exists() and Path(f"{path}.index").is_file():
        raise _no_weights(path, "a TensorFlow checkpoint")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise _no_weights(path, "not a file")
        with open(path, "rb") as file:
            head = file.read(1024)
            file.seek(-min(size, len(_TABLE_END)), 2)
            tail = file.read()
    except OSError as error:
        raise UserError(f"The weights {path} cannot be read: {error.strerror or error}.") from error
    if not head or size > MAX_BYTES:
        raise UserError(f"The weights {path} have {size} bytes; allowed are 1 byte to {MAX_BYTES >> 30} GiB.")
    return head, tail


def _no_weights(path: Path, what: str) -> UserError:
    return UserError(f"{path} is {what}, not VGG-Face weights; known are {KNOWN}.")
