"""The face-only crop: without the hair outline, which alone identifies most people of CUFS."""

import numpy as np

from iacyclegan_tf.metrics.image_pairs import checked_stack

COLUMNS, WIDTH = (40, 160), 200
ROWS, HEIGHT = (70, 220), 250


def face_crop(images: np.ndarray) -> np.ndarray:
    """Columns 40-160 and rows 70-220 (end excluded) of aligned uint8 images [H, W] or [N, H, W] at 200x250.

    A view, [150, 120] or [N, 150, 120]. At another size the borders are scaled by width / 200 and height /
    250 and rounded, halves to even: right only where the face is aligned alike (eye centres at 3/8 and 5/8 of
    the width, 1/2 of the height) and the image was scaled to that size, not padded. Raises UserError for
    another dtype or shape, or a side under 10.
    """
    checked_stack(images, "The images of a face crop", minimum_side=10)
    height, width = np.shape(images)[-2:]
    top, bottom = (round(row * height / HEIGHT) for row in ROWS)
    left, right = (round(column * width / WIDTH) for column in COLUMNS)
    return np.asarray(images)[..., top:bottom, left:right]
