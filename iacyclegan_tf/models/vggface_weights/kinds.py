"""Tells by a few bytes which kind of file it is; nothing of it is loaded for that."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from iacyclegan_tf.common.errors import UserError

HDF5, MATLAB, CAFFE = "HDF5 file", "MATLAB file", "Caffe file"
KNOWN = "Caffe .caffemodel, MatConvNet .mat, keras-vggface .h5 and deepface .h5"
MAX_BYTES = 4 << 30

_HDF5 = rb"\x89HDF\r\n\x1a\n"
_PICKLE = "which is never opened because it could run code"
# What a file is by its first 1024 bytes; the first that fits counts.
_BY_HEAD = (
    (HDF5, _HDF5),
    (MATLAB, rb"(?!MATLAB 7\.3)[^\0]{4}.{122}(IM|MI)"),
    ("a MATLAB 7.3 file (load it in MATLAB and save it again with -v7)", rb"MATLAB 7\.3|.{512}" + _HDF5),
    ("a web page (a failed download)", rb"\s*<(?i:!doctype|html|head|\?xml)"),
    ("a Git LFS pointer (git lfs pull gets the file)", rb"\s*version https://git-lfs"),
    ("the text description of a Caffe network", rb"\s*(name:|layers? *\{|input:)"),
    (f"a Python pickle, as PyTorch's old files are, {_PICKLE}", rb"\x80[\x02-\x05]"),
    ("a Torch7 file", rb"\x04\0{3}.\0{3}\x03\0{3}V "),
    ("a safetensors file", rb".{8}\s*\{\s*\""),
    ("an ONNX model", rb"\x08[\x02-\x20][\x12\x1a\x22\x28\x32\x3a\x42]"),
    ("an archive (tar, gzip, bzip2, xz, 7z) to be unpacked first", rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|.{257}ustar"),
    (CAFFE, rb"[\x0a\x12\x1a]|\xa2\x06"),  # first tag of a NetParameter: name, layers (V1), input, or layer
)
# What a zip archive is by one of its members; the first that fits counts.
_BY_MEMBER = (
    (f"a PyTorch file (a zip archive with a pickle), {_PICKLE}", rb"(.*/)?data\.pkl"),
    ("a Keras 3 model (.keras)", rb"model\.weights\.h5"),
    ("an .npz file", rb".*\.npy"),
    ("a zip archive to be unpacked first", b""),
)


def kind_of(path: Path) -> str:
    """``HDF5``, ``MATLAB`` or ``CAFFE``.

    Raises:
        UserError: missing, empty, too large, or of another kind, which is named.
    """
    head = _head(path)
    what = _first_match(_BY_HEAD, [head])
    if head.startswith(b"PK"):
        what = _first_match(_BY_MEMBER, [name.encode("utf-8", "replace") for name in _member_names(path)])
    if what in (HDF5, MATLAB, CAFFE):
        return what
    raise _no_weights(path, what or "none of the known kinds of weights file")


def _first_match(table: tuple[tuple[str, bytes], ...], texts: list[bytes]) -> str | None:
    return next((what for what, bytes_of in table for text in texts if re.match(bytes_of, text, re.DOTALL)), None)


def _head(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise _no_weights(path, "not a file")
        with open(path, "rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise UserError(f"The weights {path} cannot be read: {error.strerror or error}.") from error
    if not head or size > MAX_BYTES:
        raise UserError(f"The weights {path} have {size} bytes; allowed are 1 byte to {MAX_BYTES >> 30} GiB.")
    return head


def _member_names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        raise _no_weights(path, "a damaged zip archive") from None


def _no_weights(path: Path, what: str) -> UserError:
    return UserError(f"{path} is {what}, not VGG-Face weights; known are {KNOWN}.")
