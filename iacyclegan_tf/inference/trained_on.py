"""What a round's exports were trained on, as their model cards say it, and the sentences that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.data.alignment.portrait import has_proportions
from iacyclegan_tf.metrics.face_space import FaceSpace, read_face_space
from iacyclegan_tf.serving.publishing.model_card import DRAWN
from iacyclegan_tf.serving.publishing.model_card import FILE as MODEL_CARD
from iacyclegan_tf.serving.signatures import CALIBRATION, EXTRA

ONLY_DRAWN = (
    "These models have only seen drawn faces: what they make of a photo or sketch of a person is a test picture, and a "
    "ranked list says nothing about people."
)


@dataclass(frozen=True)
class TrainedOn:
    """``drawn``: faces that this program drew. ``sizes``: of the pictures, e.g. ``("200x250",)``, width first.

    ``aligned``: those are the aligned crop, so that other pictures are aligned before the networks see them; models
    that were trained on pictures cut otherwise take them as they are.
    """

    drawn: bool
    sizes: tuple[str, ...]
    aligned: bool


def trained_on(folders: Mapping[str, Path]) -> TrainedOn | None:
    """From the first model card among the exports ``folders``; None where none has one."""
    cards = (folder / EXTRA / MODEL_CARD for folder in folders.values())
    path = next((path for path in cards if path.is_file()), None)
    if path is None:
        return None
    card = read_object(path)
    data, protocol = card.get("data"), card.get("protocol")
    drawn = isinstance(data, dict) and data.get("source") == DRAWN
    named = protocol.get("measured_at") if isinstance(protocol, dict) else None
    sizes = tuple(size for size in named if isinstance(size, str)) if isinstance(named, list) else ()
    pairs = [tuple(map(int, size.split("x"))) for size in sizes if size.replace("x", "").isdecimal()]
    crops = [len(pair) == 2 and min(pair) > 0 and has_proportions(pair[::-1]) for pair in pairs]
    # drawn faces have the crop's eyes at any size: training squeezes it
    return TrainedOn(drawn, sizes, drawn or all(crops))


def face_spaces(folders: Mapping[str, Path]) -> dict[str, FaceSpace]:
    """By side, ``photo`` and ``sketch``, from the first export that carries them; ``UserError``: they are not sound."""
    for folder in folders.values():
        path = folder / EXTRA / CALIBRATION
        spaces = read_object(path).get("face_spaces") if path.is_file() else None
        if spaces is not None:
            try:
                return {side: read_face_space(spaces[side]) for side in spaces}
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"The calibration {path} cannot be read: {type(error).__name__} {error}.") from None
    return {}
