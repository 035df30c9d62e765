"""The four losses of IACycleGAN, equation by equation (Fang et al. 2020, arXiv 2103.16019, Section 3), and a paired
one.

Pure functions on float32 tensors: no networks, files or optimizers. Means run over all elements, so that a
loss does not depend on image size or batch.
"""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.metrics.image_pairs import LUMINANCE


def generator_adversarial(fake_logits: tf.Tensor, form: str) -> tf.Tensor:
    """How well generated images pass as real ones; the generators minimize it.

    ``lsgan``: mean (D(G(x)) − 1)² (Mao et al. 2017, as the public CycleGAN trains).
    ``log``:   −mean log σ(D(G(x))), the non-saturating twin of E log(1 − D(G(x))) in Eq. 1 (Goodfellow et al. 2014).
    """
    if form == "lsgan":
        return tf.reduce_mean(tf.math.squared_difference(fake_logits, 1.0))
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def discriminator_adversarial(real_logits: tf.Tensor, fake_logits: tf.Tensor, form: str) -> tf.Tensor:
    """Half the sum of both sides, so that discriminators learn slower than generators (CycleGAN).

    ``lsgan``: ½ [mean (D(y) − 1)² + mean D(G(x))²].
    ``log``:   −½ [mean log σ(D(y)) + mean log(1 − σ(D(G(x))))], Eq. 1.
    """
    if form == "lsgan":
        return 0.5 * (
            tf.reduce_mean(tf.math.squared_difference(real_logits, 1.0)) + tf.reduce_mean(tf.square(fake_logits))
        )
    return 0.5 * (tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits)))


def cycle_consistency(reconstructed: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """mean |G_Y(G_X(x)) − x|, and the same for y (Eq. 3)."""
    return tf.reduce_mean(tf.abs(reconstructed - real))


def identity_mapping(mapped: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """mean |G_Y(x) − x| and mean |G_X(y) − y| (Eq. 6).

    Eq. 6 prints G_X(x) − x, a subscript slip: its figure shows Idt = G_Y(x). Which image is ``mapped`` is the
    caller's choice (``loss.identity_mapping_form``); the formula is the same.
    """
    return tf.reduce_mean(tf.abs(mapped - real))


def paired(fake: tf.Tensor, real: tf.Tensor, form: str) -> tf.Tensor:
    """How far G(x) is from the very image that x is paired with, pixel by pixel; **not in the paper**
    (``loss.paired_weight``).

    The paper leaves it out since artists exaggerate; on few well aligned pairs it helps SSIM and FSIM
    (docs/results.md).

    ``l1``: mean |G(x) − y|, as pix2pix (Isola et al. 2017). ``ssim``: 1 − SSIM of the luminance (Wang et al. 2004),
    in 0..2.
    ``ssim_l1``: 0.84 (1 − SSIM) + 0.16 mean |G(x) − y| / 2, the mixture of Zhao et al. 2017 (arXiv 1511.08861) on
    pixels in 0..1.
    Images ``[N, H, W, 3]`` in [−1, 1], both sides at least 11.
    """
    l1 = tf.reduce_mean(tf.abs(fake - real))
    if form == "l1":
        return l1
    gray = [tf.tensordot(image, tf.constant(LUMINANCE), 1)[..., None] + 1.0 for image in (fake, real)]
    dissimilarity = 1.0 - tf.reduce_mean(tf.image.ssim(*gray, max_val=2.0))
    return dissimilarity if form == "ssim" else 0.84 * dissimilarity + 0.16 * l1 / 2.0


def normalize_features(features: tf.Tensor, kind: str) -> tf.Tensor:
    """L2-normalizes feature maps ``[N, h, w, C]`` or vectors ``[N, D]``.

    ``none``: as they are. ``position``: each position's channel vector to length 1 (LPIPS, Zhang et al. 2018).
    ``vector``: the whole map of an image to length 1, as embeddings are compared.
    """
    if kind == "none":
        return features
    axes = [-1] if kind == "position" else list(range(1, len(features.shape)))
    return tf.math.l2_normalize(features, axis=axes, epsilon=1e-10)


def identity_perception(
    fake_features: list[tf.Tensor], real_features: list[tf.Tensor], normalization: str, reduction: str
) -> tf.Tensor:
    """‖Φ(G(·)) − Φ(real)‖₂² between the generated and the real image of one person, inside one modality (Eq. 4, 5).

    Averaged over images and over the layers given; ``reduction`` says whether the squares of one image's
    features are averaged (``mean``) or summed (``sum``). Nothing flows into the real side.
    """
    total = 0.0
    for fake, real in zip(fake_features, real_features, strict=True):
        fake, real = normalize_features(fake, normalization), normalize_features(tf.stop_gradient(real), normalization)
        squares = tf.math.squared_difference(fake, real)
        per_image = tf.reduce_sum(squares, axis=list(range(1, len(squares.shape))))
        if reduction == "mean":
            per_image /= tf.cast(tf.size(squares[0]), tf.float32)
        total += tf.reduce_mean(per_image)
    return total / len(fake_features)
