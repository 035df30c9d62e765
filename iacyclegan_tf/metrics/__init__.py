"""Measures of synthesis (images) and recognition (score matrices), as the field computes them.

Import the functions from here. They need numpy at import; scipy and scikit-image come in with the first call.
"""

from iacyclegan_tf.metrics.fusion import fuse, z_normalise
from iacyclegan_tf.metrics.luminance import luminance
from iacyclegan_tf.metrics.retrieval import cmc, margin, mean_reciprocal_rank, rank_k, rank_of_match
from iacyclegan_tf.metrics.ssim import ssim

__all__ = ["cmc", "fuse", "luminance", "margin", "mean_reciprocal_rank", "rank_k", "rank_of_match", "ssim",
           "z_normalise"]
