"""How far a round's generators have to sharpen what they make, for it to be as sharp as the real images.

Networks that are trained on averages of what could be (paired losses, moving averages of weights), and scaling back to
the images' own size, take gradient energy away; SSIM and FSIM do not mind, people do.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.metrics import luminance, sharpness
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.layers import sharpened
from iacyclegan_tf.training.synthesized_images import synthesized

MOST = 4.0  # amounts beyond it make halos, not details
_HALVINGS = 10


def calibrate_sharpening(
    generator: Generator, fit: Fit, images: np.ndarray, truths: tuple[np.ndarray, ...], target: float
) -> tuple[float, float, float]:
    """Assigns the generator the least amount, up to ``MOST``, at which ``sharpness`` averages ``target`` over people.

    ``images``: uint8 ``[N, H, W, 3]`` of the validation people at the network's size; ``truths``: their partners in
    their own size, where sharpness is measured. Returns the amount, and the sharpness without and with it.
    """
    generator.sharpening.assign(0.0)
    plain = synthesized(generator, images).astype(np.float32) / 127.5 - 1.0
    grays = [luminance(truth) for truth in truths]

    def measured(amount: float) -> float:
        outputs = (sharpened(tf.constant(plain), amount).numpy() + 1.0) * 127.5
        return float(
            np.mean(
                [
                    sharpness(luminance(fit.undo(output, gray.shape)), gray)
                    for output, gray in zip(outputs, grays, strict=True)
                ]
            )
        )

    before = measured(0.0)
    amount = 0.0 if before >= target else _least(measured, target)
    generator.sharpening.assign(amount)
    return amount, before, measured(amount)


def _least(measured, target: float) -> float:
    low, high = 0.0, MOST
    if measured(high) <= target:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if measured(middle) < target else (low, middle)
    return high
