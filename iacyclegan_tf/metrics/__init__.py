"""Measures of synthesis (images) and recognition (score matrices), as the field computes them.

Import the functions from here. They need numpy at import; scipy and scikit-image come in with the first call.
"""

# ruff: noqa: F401 (what is imported here is what the package offers)

from iacyclegan_tf.metrics.fsim import fsim, fsimc
from iacyclegan_tf.metrics.hog import hog_scores
from iacyclegan_tf.metrics.image_pairs import face_crop, luminance
from iacyclegan_tf.metrics.nlda import nlda
from iacyclegan_tf.metrics.retrieval import (
    cmc,
    margins,
    mean_reciprocal_rank,
    rank_k,
    rank_k_by_gallery_size,
    rank_of_match,
)
from iacyclegan_tf.metrics.score_matrix import fuse, z_normalize
from iacyclegan_tf.metrics.sharpness import sharpness
from iacyclegan_tf.metrics.ssim import ssim
from iacyclegan_tf.metrics.verification import (
    d_prime,
    genuine_and_impostor_scores,
    needed_impostor_pairs,
    roc,
    threshold_at_far,
    verification_rate,
)
