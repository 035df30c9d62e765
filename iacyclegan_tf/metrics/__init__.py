"""Measures of synthesis (images) and recognition (score matrices), as the field computes them.

Import the functions from here. They need numpy at import; scipy and scikit-image come in with the first call.
"""

from iacyclegan_tf.metrics.fsim import fsim, fsimc
from iacyclegan_tf.metrics.hog import hog_scores
from iacyclegan_tf.metrics.image_pairs import face_crop, luminance
from iacyclegan_tf.metrics.nlda import Nlda, nlda
from iacyclegan_tf.metrics.retrieval import (
    GallerySizeCurve,
    cmc,
    margin,
    margins,
    mean_reciprocal_rank,
    rank1_by_gallery_choice,
    rank_k,
    rank_k_by_gallery_size,
    rank_of_match,
)
from iacyclegan_tf.metrics.score_matrix import fuse, z_normalise
from iacyclegan_tf.metrics.sharpness import sharpness
from iacyclegan_tf.metrics.ssim import ssim
from iacyclegan_tf.metrics.verification import (
    RocCurve,
    VerificationRate,
    genuine_and_impostor_scores,
    roc,
    threshold_at_far,
    verification_rate,
)

__all__ = [
    "GallerySizeCurve",
    "Nlda",
    "RocCurve",
    "VerificationRate",
    "cmc",
    "face_crop",
    "fsim",
    "fsimc",
    "fuse",
    "genuine_and_impostor_scores",
    "hog_scores",
    "luminance",
    "margin",
    "margins",
    "mean_reciprocal_rank",
    "nlda",
    "rank1_by_gallery_choice",
    "rank_k",
    "rank_k_by_gallery_size",
    "rank_of_match",
    "roc",
    "sharpness",
    "ssim",
    "threshold_at_far",
    "verification_rate",
    "z_normalise",
]
