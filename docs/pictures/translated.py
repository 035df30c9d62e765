"""The picture in the README: drawn people of a run's test set, through its models.

    python docs/pictures/translated.py [--model RUN_OR_DIR] [--out FILE.png]

Four rows: photo, sketch by the network, the artist's sketch, photo by the network. The faces are drawn by this program.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from iacyclegan_tf.common.atomic_files import write_bytes
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.run_command import run_command
from iacyclegan_tf.common.terminal import open_console, progress_bar
from iacyclegan_tf.data.load_faces import load_faces
from iacyclegan_tf.inference.load import load
from iacyclegan_tf.inference.runs import newest_run, open_run

PEOPLE = 6
GAP = 4  # pixels
WHITE = 255


def picture(model, faces) -> np.ndarray:
    """uint8 ``[h, w, 3]``: a column for each of the first people."""
    photos, sketches = list(faces.test.photos[:PEOPLE]), list(faces.test.sketches[:PEOPLE])
    rows = [photos, model.to_sketch(photos), sketches, model.to_photo(sketches)]
    return _joined([_joined(row, axis=1) for row in rows], axis=0)


def _joined(images: list[np.ndarray], axis: int) -> np.ndarray:
    """With white between."""
    shape = list(images[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, WHITE, np.uint8)
    return np.concatenate([part for image in images for part in (image, gap)][:-1], axis=axis)


def main(options: argparse.Namespace) -> None:
    run = newest_run(options.savedmodels) if options.model is None else open_run(options.model, options.savedmodels)
    if run.config.data.source != "drawn":
        raise UserError(f"The run {run.path} was trained on real faces; this picture shows drawn ones only.")
    faces = load_faces(run.config.data, run.config.seed, progress_bar(open_console()))
    image = picture(load(run.path, savedmodels=options.savedmodels, align=False), faces)
    write_bytes(options.out, cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())
    print(f"{options.out}: {image.shape[1]}x{image.shape[0]} pixels, by {run.name} round {run.rounds()[-1]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", metavar="RUN", help="a run's name or folder; by default the newest in runs/")
    parser.add_argument("--savedmodels", metavar="DIR", help="the folder above the run's exports; by default its own")
    parser.add_argument("--out", type=Path, metavar="FILE.png", default=Path(__file__).with_name("translated.png"))
    parsed = parser.parse_args()
    sys.exit(run_command(lambda: main(parsed)))
