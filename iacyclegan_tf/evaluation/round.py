"""A round's numbers on the test people: SSIM in both directions, retrieval in the four ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.data.faces import Faces
from iacyclegan_tf.evaluation.matching import WAYS, Matcher, match
from iacyclegan_tf.metrics import luminance, mean_reciprocal_rank, rank_k, rank_of_match, ssim


def evaluate_round(number: int, faces: Faces, matcher: Matcher, settings: dict) -> dict:
    """The content of ``metrics.json``; ``settings`` joins the protocol (precision, averaging, ...)."""
    test = faces.test
    photos, sketches = test.original_photos, test.original_sketches
    fake_sketches, fake_photos = matcher.to_sketch(photos), matcher.to_photo(sketches)
    scores = match(matcher, sketches, photos, fake_photos, fake_sketches)
    return {
        "round": number,
        "protocol": protocol(faces) | settings,
        "photo_to_sketch": {"ssim": mean_ssim(fake_sketches, sketches)},
        "sketch_to_photo": {"ssim": mean_ssim(fake_photos, photos)},
        "retrieval": {way: retrieval(scores[way], test.identities, test.identities) for way in WAYS},
    }


def protocol(faces: Faces) -> dict:
    """What a number depends on besides the networks."""
    sizes = sorted({f"{image.shape[1]}x{image.shape[0]}" for image in faces.test.original_photos})
    network = f"{faces.image_shape[1]}x{faces.image_shape[0]}"
    return {
        "measured_at": sizes,
        "network_size": network,
        "fit": faces.fit.mode,
        "colour": "SSIM on 8-bit ITU-R 601 luminance, Gaussian 11x11 sigma 1.5",
        "test_split": faces.test_split,
        "test_pairs": len(faces.test),
        "test_people": faces.test.people,
        "split_sha256": faces.split_hash,
        "fusion": "cosine scores, z-normalised, added with equal weights",
    }


def mean_ssim(images, truths) -> float:
    return float(per_pair(lambda image, truth: ssim(luminance(image), luminance(truth)), images, truths).mean())


def per_pair(
    measure: Callable[[np.ndarray, np.ndarray], float | list[float]],
    images,
    truths,
    progress: Callable = lambda items: items,
) -> np.ndarray:
    """``measure`` of uint8 RGB images against their truths, paired by index, each at its truth's size.

    float64 ``[N]``, or ``[N, M]`` where ``measure`` gives M numbers.
    """

    def one(pair: tuple[np.ndarray, np.ndarray]):
        image, truth = pair
        return measure(at_size(image, truth.shape[:2]), truth)

    with ThreadPoolExecutor() as pool:
        return np.array(list(progress(pool.map(one, list(zip(images, truths, strict=True))))))


def at_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """As it is; where the photo and the sketch of a pair differ in size, scaled (bicubic, antialiased)."""
    if image.shape[:2] == size:
        return image
    import tensorflow as tf

    scaled = tf.image.resize(image, size, method="bicubic", antialias=True).numpy()
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def retrieval(scores: np.ndarray, probes, gallery) -> dict[str, float]:
    """Shares in 0..1; ties count against the system."""
    ranks = rank_of_match(scores, probes, gallery)
    return {"rank1": rank_k(ranks, 1), "rank5": rank_k(ranks, 5), "mrr": mean_reciprocal_rank(ranks)}


def trivial_baselines(faces: Faces) -> dict:
    """SSIM that costs nothing: the input taken as the output, and the mean training image, in both directions."""
    return {
        side: {name: mean_ssim(images, truths) for name, images in trivial.items()}
        for side, (trivial, truths) in trivial_images(faces).items()
    }


def trivial_images(faces: Faces) -> dict[str, tuple[dict[str, Sequence[np.ndarray]], Sequence[np.ndarray]]]:
    """For each direction ``({"input": …, "mean_training_image": …}, truths)``, one uint8 image a test pair."""
    photos, sketches = faces.test.original_photos, faces.test.original_sketches
    mean_sketches, mean_photos = _mean_images(faces, "sketches", sketches), _mean_images(faces, "photos", photos)
    return {
        "photo_to_sketch": ({"input": photos, "mean_training_image": mean_sketches}, sketches),
        "sketch_to_photo": ({"input": sketches, "mean_training_image": mean_photos}, photos),
    }


def _mean_images(faces: Faces, side: str, truths) -> list[np.ndarray]:
    mean = np.round(faces.mean_training_images()[side]).astype(np.uint8)
    return [faces.fit.undo(mean, truth.shape[:2]) for truth in truths]


@dataclass(frozen=True)
class Separation:
    """How well a recognizer tells the validation people apart, from one score matrix of real against synthesised.

    ``separation`` is d′ = (mean genuine − mean impostor) / sqrt((var genuine + var impostor) / 2): it still moves
    where rank-1 is 100 %, and does not depend on the scale of the scores.
    """

    rank1: float
    separation: float

    def better_than(self, other: Separation) -> bool:
        """More separate, and not worse at rank-1."""
        return self.rank1 >= other.rank1 and self.separation > other.separation


def separation(probes: np.ndarray, gallery: np.ndarray, probe_ids, gallery_ids) -> Separation:
    """From embeddings ``[N, D]`` and ``[M, D]`` and the people they show."""
    scores = probes @ gallery.T
    same = np.asarray(probe_ids)[:, None] == np.asarray(gallery_ids)[None, :]
    genuine, impostor = scores[same], scores[~same]
    spread = np.sqrt((genuine.var() + impostor.var()) / 2)
    rank1 = rank_k(rank_of_match(scores, probe_ids, gallery_ids), 1)
    return Separation(rank1, float((genuine.mean() - impostor.mean()) / max(spread, 1e-12)))
