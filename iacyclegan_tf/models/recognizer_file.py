"""A recognizer of one's own in a file: an ``.npz`` with a header that says which network it is, without pickle.

Members: ``header``, a JSON text with ``format``, ``version``, ``network``, ``embedding``, ``adapter``, for ``vggface``
also ``width``, ``input_size`` and ``normalization``, and ``origin`` (from what it was trained); and float32 arrays
``<layer>/<part>``, e.g. ``conv1_1/kernel`` and ``norm1_1/moving_mean``, of every layer that the embedding depends on,
and ``mean_rgb``. Headers from before there were other networks name neither network nor adapter.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.npz_archive import damage_in_one_sentence, member_names, read_arrays, write_arrays
from iacyclegan_tf.models.vggface_weights import weights_fingerprint

if TYPE_CHECKING:
    import tensorflow as tf

    from iacyclegan_tf.models.embedding import EmbeddingNetwork

FORMAT, VERSION, HEADER = "iacyclegan_tf_recognizer", 1, "header"
_BEFORE = {"network": "vggface", "adapter": False}  # what older headers leave out
_SHARED = {"network": str, "embedding": str, "adapter": bool}
SETTINGS = {"vggface": _SHARED | {"width": (int, float), "input_size": int, "normalization": str}, "dlib": _SHARED}
MAX_HEADER = 1 << 20


@dataclass(frozen=True)
class RecognizerFile:
    """What such a file holds.

    ``settings``: those that ``SETTINGS`` names for its network; ``origin``: what the writer said; arrays float32.
    """

    settings: dict
    origin: dict
    arrays: dict[str, np.ndarray]

    @property
    def fingerprint(self) -> str:
        return weights_fingerprint(self.arrays)


def write_recognizer(recognizer: EmbeddingNetwork, path: str | os.PathLike, origin: dict) -> str:
    """Writes the file, whole or not at all, and returns the fingerprint of its arrays.

    Raises ``UserError`` where ``path`` does not end in .npz, or cannot be written.
    """
    arrays = {name: np.asarray(variable, np.float32) for name, variable in _variables(recognizer).items()}
    header = {"format": FORMAT, "version": VERSION, "origin": origin} | recognizer.settings
    write_arrays(Path(path), arrays | {HEADER: np.array(json.dumps(header, ensure_ascii=False))})
    return weights_fingerprint(arrays)


def is_recognizer_file(path: str | os.PathLike) -> bool:
    """Whether the file claims to be one: other kinds of weights, damaged and missing files are for other readers."""
    return f"{HEADER}.npy" in member_names(path)


def read_recognizer(path: str | os.PathLike) -> RecognizerFile:
    """Reads such a file; ``UserError`` when it is damaged, too large, of another version, or not finite."""
    arrays = read_arrays(Path(path), "recognizer of this program")
    header = _header(path, arrays.pop(HEADER, None))
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise UserError(
                f"{path} holds {array.dtype} values that are not all finite float32 numbers in {name[:60]!r}."
            )
    return RecognizerFile({name: header[name] for name in SETTINGS[header["network"]]}, header["origin"], arrays)


def load_recognizer(recognizer: EmbeddingNetwork, path: str | os.PathLike) -> RecognizerFile:
    """Assigns the file's arrays to ``recognizer``; returns what was read.

    Raises ``UserError`` naming each setting in which the two differ; nothing is changed then.
    """
    file, own = read_recognizer(path), recognizer.settings
    differ = [
        f"recognizer.{name} is {own[name]}, the file's is {value}"
        for name, value in file.settings.items()
        if name in own and own[name] != value
    ]
    if differ:
        raise UserError(
            f"The recognizer in {path} is another than the settings say: {'; '.join(differ)}. "
            "Give the settings that it was trained with."
        )
    recognizer.build()
    variables = _variables(recognizer)
    wrong = sorted(set(variables) ^ set(file.arrays)) or [
        name for name, variable in variables.items() if tuple(variable.shape) != file.arrays[name].shape
    ]
    if wrong:
        raise UserError(f"{path} is not a whole recognizer: {wrong[0][:60]!r} is missing, unknown or of another shape.")
    for name, variable in variables.items():
        variable.assign(file.arrays[name])
    return file


def _variables(recognizer: EmbeddingNetwork) -> dict[str, tf.Variable]:
    """By the name they have in a file; also the statistics of batch normalization."""
    layers = recognizer.trained_layers(recognizer.embedding)
    found = {
        f"{layer.name}/{v.name.rpartition('/')[2].partition(':')[0]}": v for layer in layers for v in layer.variables
    }
    return found | {"mean_rgb": recognizer.mean_rgb}


def _header(path: str | os.PathLike, text: np.ndarray | None) -> dict:
    if text is None or text.shape or text.dtype.kind != "U" or text.nbytes > MAX_HEADER:
        raise UserError(f"{path} has no header; it is not a recognizer written by this program.")
    with damage_in_one_sentence(path, "recognizer of this program"):
        header = json.loads(str(text))
    if not isinstance(header, dict) or header.get("format") != FORMAT or header.get("version") != VERSION:
        raise UserError(f"{path} is not a recognizer of format {FORMAT}, version {VERSION}, which this program reads.")
    header = _BEFORE | header
    if header["network"] not in tuple(SETTINGS):
        raise UserError(f"{path} does not say its network, or one that is neither of {', '.join(SETTINGS)}.")
    for name, kind in (SETTINGS[header["network"]] | {"origin": dict}).items():
        value = header.get(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UserError(f"{path} does not say its {name}, or not in the form that this program writes.")
    return header
