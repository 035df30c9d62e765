"""Our own file: the canonical arrays in an uncompressed .npz, of any width, without pickle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.npz_archive import read_arrays, write_arrays
from iacyclegan_tf.models.vggface_weights.architecture import GENUINE, VGGArchitecture, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import VGGFaceWeights, checked_weights, require_floats

FORMAT, MEAN, ORIGIN = "iacyclegan_tf_vggface", "mean_rgb", "origin"
FORMAT_VERSION = 1


def write_vggface_npz(weights: VGGFaceWeights, path: str | os.PathLike) -> None:
    """Writes the canonical arrays to ``path``, whole or not at all; the same weights give the same bytes.

    Raises:
        UserError: ``path`` does not end in .npz, its folder does not exist, or it cannot be written.
    """
    members = {
        FORMAT: np.array(FORMAT_VERSION),
        MEAN: np.array(weights.mean_rgb, dtype=np.float64),
        ORIGIN: np.array(weights.source_format.removeprefix("npz from ")),
    }
    write_arrays(Path(path), weights.arrays | members)


def read_npz(path: Path, architecture: VGGArchitecture | None) -> VGGFaceWeights:
    """Reads such a file; without ``architecture`` any consistent widths are taken.

    Raises:
        UserError: damaged, not ours, too large, or shapes that do not fit each other or ``architecture``.
    """
    found = read_arrays(path, ".npz file")
    if not {FORMAT, MEAN, ORIGIN} <= set(found):
        raise UserError(f"{path} is an .npz or zip file, but not VGG-Face weights written by this program.")
    version, mean, origin = (found.pop(name) for name in (FORMAT, MEAN, ORIGIN))
    if version.shape or version != FORMAT_VERSION:
        raise UserError(f"{path} has format version {str(version)[:20]}; this program reads {FORMAT_VERSION}.")
    if mean.shape != (3,) or mean.dtype.kind != "f" or not np.all((mean >= 0) & (mean <= 255)):
        raise UserError(f"{path} has a mean that is not three numbers from 0 to 255.")
    if origin.dtype.kind != "U" or origin.shape or not str(origin).isprintable() or not 0 < len(str(origin)) <= 40:
        raise UserError(f"{path} does not say from which kind of file its weights came.")
    has_top = any(name.startswith("fc") for name in found)
    expected = (architecture or _architecture_of(path, found, has_top)).canonical_shapes(has_top)
    wrong = sorted(set(found) ^ set(expected))
    if wrong:
        raise UserError(f"{path} is not a whole VGG-Face file: {wrong[0][:60]!r} is missing or unknown.")
    for name, shape in expected.items():
        require_shape(path, name, found[name].shape, shape)
        require_floats(path, name, found[name])
    with np.errstate(over="ignore"):  # what lies beyond float32 becomes infinite, and is refused
        arrays = {name: np.ascontiguousarray(found.pop(name), "<f4") for name in expected}
    return checked_weights(path, arrays, mean, f"npz from {origin}")


def _architecture_of(path: Path, arrays: dict[str, np.ndarray], has_top: bool) -> VGGArchitecture:
    """The widths that the file's own biases give; whether the kernels agree is checked afterwards."""

    def width(name: str) -> int:
        bias = arrays.get(f"{name}/bias", np.zeros(()))
        if bias.ndim != 1:
            raise UserError(f"{path} is not a whole VGG-Face file: '{name}/bias' is missing or not a vector.")
        return bias.size

    blocks = tuple(
        tuple(width(f"conv{block}_{position}") for position in range(1, len(widths) + 1))
        for block, widths in enumerate(GENUINE.conv_widths, start=1)
    )
    if not has_top:
        return VGGArchitecture(conv_widths=blocks)
    rows = len(np.atleast_1d(arrays.get("fc6/kernel", 0)))
    grid = round((rows / max(blocks[-1][-1], 1)) ** 0.5)
    return VGGArchitecture(blocks, (width("fc6"), width("fc7")), width("fc8"), grid)
