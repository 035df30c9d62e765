"""A few drawn people as files, to try the commands on: photos, the sketches of them, and a face in a larger scene."""

from __future__ import annotations

from pathlib import Path

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.outputs import check_output, check_output_folder, made_by
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.drawn.scene import draw_scene
from iacyclegan_tf.data.images.files import encode_png
from iacyclegan_tf.data.images.png_record import with_record

PEOPLE = 6
_SEED = 2026  # no config trains on these people
SCENE_SEED = 2361  # before a quiet wall
_SIZE = {"height": 250, "width": 200}


def write_samples(folder: Path, overwrite: bool = False) -> list[Path]:
    """``photos/`` and ``sketches/`` with ``person_1.png`` …, and ``scene.png``; returns their paths.

    Raises ``UserError`` where the folder above is not there, or a file is another's and not ``overwrite``.
    """
    check_output_folder(folder)
    files = {}
    for person in range(1, PEOPLE + 1):
        for side, image in zip(("photos", "sketches"), draw_pair(person, 0, seed=_SEED, **_SIZE)):
            files[folder / side / f"person_{person}.png"] = image
    files[folder / "scene.png"], _ = draw_scene(
        1, seed=SCENE_SEED, share=0.4, degrees=8.0, ground="color", height=480, width=640
    )
    for path in files:
        if path.exists():
            check_output(path, "samples", overwrite)
    for path, image in files.items():
        write_bytes(path, with_record(encode_png(image), {"made_by": made_by("samples")}))
    return list(files)
