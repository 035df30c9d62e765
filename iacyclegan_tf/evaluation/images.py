"""What is measured on synthesised images against the true ones, pair by pair, at the truth's own size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.faces import Faces
from iacyclegan_tf.evaluation.round import per_pair, trivial_images
from iacyclegan_tf.metrics import fsim, fsimc, luminance, nlda, sharpness, ssim

SHARP_ENOUGH = (0.8, 1.2)  # a ratio outside is no improvement, whatever SSIM and FSIM say
PROTOCOL = {
    "fsim": "FSIM (Zhang 2011) on 8-bit ITU-R 601 luminance; FSIMc of photos on RGB",
    "sharpness": "mean over pairs of the ratio of mean Scharr gradient energy, synthesised / real, on luminance; "
    f"outside {SHARP_ENOUGH[0]}..{SHARP_ENOUGH[1]} a better SSIM or FSIM is no improvement",
    "unequal_sizes": "where a pair's two images differ in size, the synthesised one is scaled to its truth's (bicubic)",
}


def _on_luminance(measure: Callable) -> Callable:
    return lambda image, truth: measure(luminance(image), luminance(truth))


_SKETCH = {"ssim": _on_luminance(ssim), "fsim": _on_luminance(fsim), "sharpness": _on_luminance(sharpness)}
MEASURES = {"photo_to_sketch": _SKETCH, "sketch_to_photo": _SKETCH | {"fsimc": fsimc}}


def image_measures(
    direction: str, images: Sequence[np.ndarray], truths: Sequence[np.ndarray], progress: Callable, words: str
) -> dict[str, np.ndarray]:
    """``{"ssim": float64 [N], "fsim": …, "sharpness": …}``, for photos ``fsimc``; uint8 RGB images, paired by index."""
    measures = MEASURES[direction]
    rows = per_pair(
        lambda image, truth: [measure(image, truth) for measure in measures.values()],
        images,
        truths,
        lambda items: progress(items, f"measuring {words}", len(truths)),
    )
    return dict(zip(measures, rows.T))


def trivial_measures(faces: Faces, progress: Callable) -> dict:
    """Means of what costs nothing: ``{direction: {measure: {"input": …, "mean_training_image": …}}}``."""
    result: dict = {}
    for direction, (trivial, truths) in trivial_images(faces).items():
        for name, images in trivial.items():
            words = f"{'the input' if name == 'input' else 'the mean training image'}, {direction.replace('_', ' ')}"
            for measure, values in image_measures(direction, images, truths, progress, words).items():
                result.setdefault(direction, {}).setdefault(measure, {})[name] = float(values.mean())
    return result


def nlda_of_sketches(faces: Faces, fake_sketches: Sequence[np.ndarray], protocol: str) -> dict:
    """``{"mean", "maxima", "protocol"}``, or ``{"not_measured": why}``."""
    test = faces.test
    if test.people < len(test):
        return {"not_measured": f"NLDA needs one pair a person; {test.people} people have {len(test)} pairs."}
    if len({sketch.shape for sketch in test.original_sketches}) > 1:
        return {"not_measured": "NLDA needs images of one size; the test sketches have several."}
    try:
        result = nlda(
            *(luminance(np.stack(images)) for images in (test.original_sketches, fake_sketches)), protocol=protocol
        )
    except UserError as error:
        return {"not_measured": str(error)}
    return {"mean": result.mean, "maxima": result.maxima.tolist(), "protocol": result.protocol}
