"""What is measured on synthesized images against the true ones, pair by pair, at the truth's own size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.load_faces import Faces
from iacyclegan_tf.metrics import fsim, fsimc, luminance, nlda, sharpness, ssim

SHARP_ENOUGH = (0.8, 1.2)  # a ratio outside is no improvement, whatever SSIM and FSIM say
PROTOCOL = {
    "fsim": "FSIM (Zhang 2011) on 8-bit ITU-R 601 luminance; FSIMc of photos on RGB",
    "sharpness": "mean over pairs of the ratio of mean Scharr gradient energy, synthesized / real, on luminance; "
    f"outside {SHARP_ENOUGH[0]}..{SHARP_ENOUGH[1]} a better SSIM or FSIM is no improvement",
    "unequal_sizes": "where a pair's two images differ in size, the synthesized one is scaled to its truth's (bicubic)",
}
_ON_LUMINANCE = {"ssim": ssim, "fsim": fsim, "sharpness": sharpness}
MEASURES = {"photo_to_sketch": ("ssim", "fsim", "sharpness"), "sketch_to_photo": ("ssim", "fsim", "sharpness", "fsimc")}
SSIM = dict.fromkeys(MEASURES, ("ssim",))


def silent(items, words: str, total: int):
    """No progress bar."""
    return items


def image_measures(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    measures: Sequence[str],
    progress: Callable = silent,
    words: str = "",
) -> dict[str, np.ndarray]:
    """By measure (those of ``MEASURES``) float64 ``[N]``, of uint8 RGB images against their truths, paired by index."""

    def one(pair: tuple[np.ndarray, np.ndarray]) -> list[float]:
        image, truth = at_size(pair[0], pair[1].shape[:2]), pair[1]
        grays = luminance(image), luminance(truth)
        return [fsimc(image, truth) if name == "fsimc" else _ON_LUMINANCE[name](*grays) for name in measures]

    with ThreadPoolExecutor() as pool:
        pairs = list(zip(images, truths, strict=True))
        rows = list(progress(pool.map(one, pairs), f"measuring {words}", len(pairs)))
    return dict(zip(measures, np.array(rows, np.float64).T))


def at_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """As it is; where the photo and the sketch of a pair differ in size, scaled (bicubic, antialiased)."""
    if image.shape[:2] == size:
        return image
    import tensorflow as tf

    scaled = tf.image.resize(image, size, method="bicubic", antialias=True).numpy()
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def trivial_measures(
    faces: Faces, progress: Callable = silent, measures: Mapping[str, Sequence[str]] = MEASURES
) -> dict:
    """What costs nothing: the input taken as the output, and the mean training image.

    ``{direction: {measure: {"input": float64 [N], "mean_training_image": …}}}``, one value a test pair.
    """
    test, result, means = faces.test, {}, faces.mean_training_images()
    for direction, inputs, side, truths in (
        ("photo_to_sketch", test.original_photos, "sketches", test.original_sketches),
        ("sketch_to_photo", test.original_sketches, "photos", test.original_photos),
    ):
        mean = np.round(means[side]).astype(np.uint8)
        trivial = {"input": inputs, "mean_training_image": [faces.fit.undo(mean, one.shape[:2]) for one in truths]}
        for kind, images in trivial.items():
            words = f"the {kind.replace('_', ' ')} as {side}"
            for measure, values in image_measures(images, truths, measures[direction], progress, words).items():
                result.setdefault(direction, {}).setdefault(measure, {})[kind] = values
    return result


def means(values: Mapping, rows: np.ndarray | slice = slice(None)) -> dict:
    """The same tree with the mean over ``rows`` in the place of each array."""
    return {
        key: means(value, rows) if isinstance(value, Mapping) else float(value[rows].mean())
        for key, value in values.items()
    }


def nlda_of_sketches(
    sketches: Sequence[np.ndarray], fake_sketches: Sequence[np.ndarray], identities: Sequence[str], protocol: str
) -> dict:
    """``{"mean", "maxima", "protocol"}``, or ``{"not_measured": why}``."""
    people = len(set(identities))
    if people < len(identities):
        return {"not_measured": f"NLDA needs one pair a person; {people} people have {len(identities)} pairs."}
    if len({sketch.shape for sketch in sketches}) > 1:
        return {"not_measured": "NLDA needs images of one size; the test sketches have several."}
    try:
        return nlda(*(luminance(np.stack(images)) for images in (sketches, fake_sketches)), protocol=protocol)
    except UserError as error:
        return {"not_measured": str(error)}
