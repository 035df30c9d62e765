"""How well faces are found and aligned: ``python -m benchmarks.portraits [--data ../shared/data]``.

Real photos and sketches as they are, against the published crops; drawn faces in larger scenes; scenes without a face.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.crop import TARGETS
from iacyclegan_tf.data.alignment.eye_files import read_points
from iacyclegan_tf.data.alignment.portrait import find_portrait
from iacyclegan_tf.data.drawn.scene import GROUNDS, draw_ground, draw_scene
from iacyclegan_tf.data.images.files import read_image

SEED = 19
LARGEST_ERROR = 0.03  # of the eyes' distance, in a drawn scene


def misplaced(found: np.ndarray, true: np.ndarray) -> float:
    """The worse eye's distance from its place, in distances between the eyes."""
    return float(np.hypot(*(found - true).T).max() / np.hypot(*(true[1] - true[0])))


def of_scene(number: int) -> float:
    """Error of the face in drawn scene ``number``; infinite where none is found."""
    random = np.random.default_rng([SEED, number])
    share, degrees = random.uniform(0.05, 0.6), random.uniform(-15, 15)
    scene, eyes = draw_scene(number, seed=SEED, share=share, degrees=degrees, ground=GROUNDS[number % 3])
    try:
        return misplaced(find_portrait(scene).face.eyes, eyes)
    except UserError:
        return np.inf


def has_face(number: int) -> bool:
    """Whether a face is found in the ground ``number``, which has none."""
    try:
        find_portrait(draw_ground(np.random.default_rng([SEED, number]), GROUNDS[number % 3], 1200, 1600))
    except UserError:
        return False
    return True


def of_real(raw: Path, side: str) -> list[float]:
    """Pixels of the crop by which the three points of each picture miss their places, at most."""
    errors = []
    for path in sorted((raw / ("photos" if side == "photo" else "sketches")).iterdir()):
        points = read_points(raw / f"{side}_points" / f"{path.stem}.3pts")
        matrix = find_portrait(read_image(path)).matrix
        errors.append(float(np.hypot(*(points @ matrix[:, :2].T + matrix[:, 2] - TARGETS).T).max()))
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scenes", type=int, default=100)
    options = parser.parse_args()
    raw = options.data / "cufs-student" / "raw"
    for side in ("photo", "sketch") if raw.is_dir() else ():
        errors = of_real(raw, side)
        print(f"real {side}: {len(errors)}, pixels of the crop: median {np.median(errors):.2f}, most {max(errors):.2f}")
    errors = np.array([of_scene(number) for number in range(options.scenes)])
    good = int((errors <= LARGEST_ERROR).sum())
    print(f"drawn scenes: {good} of {len(errors)} within {LARGEST_ERROR:.0%}; median {np.median(errors):.1%}")
    print(f"scenes without a face: {sum(map(has_face, range(options.scenes)))} of {options.scenes} give one")


if __name__ == "__main__":
    main()
