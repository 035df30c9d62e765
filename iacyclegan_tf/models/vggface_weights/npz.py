"""Our own file: the canonical arrays in an uncompressed .npz, of any width, without pickle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.atomic_files import new_file
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.npz_archive import DAMAGE, claimed_shapes
from iacyclegan_tf.models.vggface_weights.architecture import GENUINE, VGGArchitecture, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import VGGFaceWeights, add_layer, finished, unreadable

FORMAT, MEAN, ORIGIN = "iacyclegan_tf_vggface", "mean_rgb", "origin"
FORMAT_VERSION = 1
MAX_BYTES = 2 << 30  # of all arrays together; the genuine ones take 0.58 GB


def write_vggface_npz(weights: VGGFaceWeights, path: str | os.PathLike) -> None:
    """Writes the canonical arrays to ``path``, whole or not at all; the same weights give the same bytes.

    Raises:
        UserError: ``path`` does not end in .npz, its folder does not exist, or it cannot be written.
    """
    path = Path(path)
    check_target(path)
    members = dict(weights.arrays)
    members[FORMAT] = np.array(FORMAT_VERSION)
    members[MEAN] = np.array(weights.mean_rgb, dtype=np.float64)
    members[ORIGIN] = np.array(weights.source_format.removeprefix("npz from "))
    try:
        with new_file(path) as file:
            np.savez(file, **members)
    except OSError as error:
        raise UserError(f"The weights cannot be written to {path}: {error.strerror or error}.") from error


def check_target(path: Path) -> None:
    """Raises UserError unless ``path`` can name a .npz in a folder that exists; ask before long reading."""
    if path.suffix != ".npz" or path.is_dir() or not path.parent.is_dir():
        raise UserError(f"The weights cannot go to {path}: it must end in .npz, in a folder that exists.")


def read_npz(path: Path, architecture: VGGArchitecture | None) -> VGGFaceWeights:
    """Reads such a file; without ``architecture`` any consistent widths are taken.

    Raises:
        UserError: damaged, not ours, too large, or shapes that do not fit each other or ``architecture``.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _read(path, archive, architecture)
    except DAMAGE as error:
        raise unreadable(path, ".npz file", error) from error


def _read(path: Path, archive, architecture: VGGArchitecture | None) -> VGGFaceWeights:
    shapes = claimed_shapes(path, archive.zip, MAX_BYTES)
    if FORMAT not in shapes or MEAN not in shapes or ORIGIN not in shapes:
        raise UserError(f"{path} is an .npz or zip file, but not VGG-Face weights written by this program.")
    if archive[FORMAT].shape or int(archive[FORMAT]) != FORMAT_VERSION:
        raise UserError(f"{path} has format version {archive[FORMAT]}; this program reads {FORMAT_VERSION}.")
    for name in (FORMAT, MEAN, ORIGIN):
        del shapes[name]
    architecture = architecture or _architecture_of(path, shapes)
    has_top = any(name.startswith("fc") for name in shapes)
    expected = architecture.canonical_shapes(has_top)
    if set(shapes) != set(expected):
        wrong = sorted(set(shapes) ^ set(expected))
        raise UserError(f"{path} is not a whole VGG-Face file: {wrong[0][:60]!r} is missing or unknown.")
    for name, shape in expected.items():
        require_shape(path, name, shapes[name], shape)
    arrays: dict[str, np.ndarray] = {}
    for layer in architecture.layers(has_top):
        kernel = archive[f"{layer.name}/kernel"].reshape(layer.kernel)
        add_layer(arrays, path, layer, kernel, archive[f"{layer.name}/bias"], "RGB")
    return finished(arrays, _mean(path, archive[MEAN]), f"npz from {_origin(path, archive[ORIGIN])}")


def _architecture_of(path: Path, shapes: dict[str, tuple[int, ...]]) -> VGGArchitecture:
    """The widths that the file's own biases give; whether the kernels agree is checked afterwards."""

    def width(name: str) -> int:
        shape = shapes.get(f"{name}/bias", ())
        if len(shape) != 1:
            raise UserError(f"{path} is not a whole VGG-Face file: '{name}/bias' is missing or not a vector.")
        return shape[0]

    blocks = tuple(
        tuple(width(f"conv{block}_{position}") for position in range(1, len(widths) + 1))
        for block, widths in enumerate(GENUINE.conv_widths, start=1)
    )
    if not any(name.startswith("fc") for name in shapes):
        return VGGArchitecture(conv_widths=blocks)
    rows = (shapes.get("fc6/kernel") or (0,))[0]
    grid = round((rows / max(blocks[-1][-1], 1)) ** 0.5)
    return VGGArchitecture(blocks, (width("fc6"), width("fc7")), width("fc8"), grid)


def _mean(path: Path, mean: np.ndarray) -> np.ndarray:
    if mean.shape != (3,) or mean.dtype.kind != "f" or not np.all((mean >= 0) & (mean <= 255)):
        raise UserError(f"{path} has a mean that is not three numbers from 0 to 255.")
    return mean


def _origin(path: Path, origin: np.ndarray) -> str:
    text = str(origin) if origin.dtype.kind == "U" and origin.shape == () else ""
    if not text.isprintable() or not 0 < len(text) <= 40:
        raise UserError(f"{path} does not say from which kind of file its weights came.")
    return text
