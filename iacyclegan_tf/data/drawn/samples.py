"""A few drawn people as files, to try the commands on: photos, the sketches of them, and a face in a larger scene."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.outputs import check_output, check_output_folder, made_by
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import encode_png
from iacyclegan_tf.data.images.png_record import with_record

PEOPLE = 6
_SEED = 2026  # no config trains on these people
_SIZE = {"height": 250, "width": 200}
_SCENE = (480, 640)  # height and width
_TURN, _PLACE = 8.0, (300, 250)  # degrees, and where the middle between the eyes lies: x and y


def write_samples(folder: Path, overwrite: bool = False) -> list[Path]:
    """``photos/`` and ``sketches/`` with ``person_1.png`` …, and ``scene.png``; returns their paths.

    Raises ``UserError`` where the folder above is not there, or a file is another's and not ``overwrite``.
    """
    check_output_folder(folder)
    files = {}
    for person in range(1, PEOPLE + 1):
        for side, image in zip(("photos", "sketches"), draw_pair(person, 0, seed=_SEED, **_SIZE)):
            files[folder / side / f"person_{person}.png"] = image
    files[folder / "scene.png"] = scene()
    for path in files:
        if path.exists():
            check_output(path, "samples", overwrite)
    for path, image in files.items():
        write_bytes(path, with_record(encode_png(image), {"made_by": made_by("samples")}))
    return list(files)


def scene() -> np.ndarray:
    """uint8 ``[480, 640, 3]``: a person who is somewhat turned and not in the middle, before a wall."""
    photo, _ = draw_pair(1, 1, seed=_SEED, height=300, width=240)
    height, width = _SCENE
    ramp = np.linspace(0.85, 1.1, width)[None, :, None] * np.linspace(1.05, 0.9, height)[:, None, None]
    wall = ramp * np.median(photo[:20], axis=(0, 1))
    matrix = cv2.getRotationMatrix2D((120, 150), _TURN, 1.0)
    matrix[:, 2] += np.array(_PLACE) - (120, 150)
    inside = np.zeros(photo.shape[:2], np.float32)
    inside[12:-12, 12:-12] = 1
    soft = cv2.GaussianBlur(inside, (0, 0), 5)
    pasted = cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(soft, matrix, (width, height))[..., None]
    return np.clip(np.rint(share * pasted + (1 - share) * wall), 0, 255).astype(np.uint8)
