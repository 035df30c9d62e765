"""The HOG row of a recognition table: a matcher without any training, which a learned one must beat."""

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.metrics.image_pairs import checked_stack

CELL = 10  # pixels, at 200x250
ORIENTATIONS = 9
BLOCK = 2  # cells


def hog_scores(probes: np.ndarray, gallery: np.ndarray, cell: int = CELL) -> np.ndarray:
    """Cosine score, -1..1, of every probe against every gallery image; float64 [probes, gallery].

    uint8 gray images [P, H, W] and [G, H, W] of one size. Features are histograms of oriented gradients
    (Dalal and Triggs 2005; scikit-image): 9 orientations, cells of ``cell`` x ``cell`` pixels, blocks of 2x2
    cells. The mean feature of the probes is taken off the probes, that of the gallery off the gallery, since
    sketches and photos differ in style; a score thus depends on the whole set. ``cell`` is 10 at 200x250 and
    on its face crop; at another size use round(10 * width / 200), of the whole image.

    Raises UserError for another dtype, images under 2x2 cells, or an image whose feature is the mean feature (the
    cosine is 0 / 0), as that of a single one is.
    """
    probes = checked_stack(probes, "The probes", minimum_side=BLOCK * cell)
    gallery = checked_stack(gallery, "The gallery images", minimum_side=BLOCK * cell)
    return _centered(probes, "probes", cell) @ _centered(gallery, "gallery images", cell).T


def _centered(images: np.ndarray, what: str, cell: int) -> np.ndarray:
    """Mean-free features of length 1; [N, features]."""
    from skimage.feature import hog

    features = np.stack([hog(image, ORIENTATIONS, (cell, cell), (BLOCK, BLOCK)) for image in images])
    centered = features - features.mean(axis=0)
    lengths = np.linalg.norm(centered, axis=1, keepdims=True)
    if lengths.min() < 1e-9 * max(1.0, np.abs(features).max()):
        raise UserError(
            f"The {what} have no HOG features that tell image {int(np.argmin(lengths))} (from 0) "
            "from the mean image; constant or all equal images, or a single one, cannot be compared."
        )
    return centered / lengths
