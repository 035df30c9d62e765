"""The few numbers that training measures on the test people after each round."""

from __future__ import annotations

from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.load_faces import Faces
from iacyclegan_tf.evaluation.image_quality import image_measures, means
from iacyclegan_tf.evaluation.matching import Matcher, match, shown
from iacyclegan_tf.evaluation.recognition_rates import recognition


def evaluate_round(number: int, config: Config, faces: Faces, matcher: Matcher) -> dict:
    """The content of ``metrics.json``: SSIM in both directions, recognition in the four ways."""
    test = faces.test
    photos, sketches = test.original_photos, test.original_sketches
    fake_sketches, fake_photos = matcher.to_sketch(photos), matcher.to_photo(sketches)
    scores = match(matcher, *shown(test, fake_photos, fake_sketches))
    return {
        "round": number,
        "protocol": protocol(config, faces),
        "photo_to_sketch": means(image_measures(fake_sketches, sketches, ["ssim"])),
        "sketch_to_photo": means(image_measures(fake_photos, photos, ["ssim"])),
        "retrieval": {way: recognition(matrix, test.identities, test.identities) for way, matrix in scores.items()},
    }


def protocol(config: Config, faces: Faces) -> dict:
    """What a number depends on besides the networks."""
    sizes = sorted({f"{image.shape[1]}x{image.shape[0]}" for image in faces.test.original_photos})
    return {
        "measured_at": sizes,
        "network_size": f"{faces.image_shape[1]}x{faces.image_shape[0]}",
        "fit": faces.fit.mode,
        "color": "SSIM on 8-bit ITU-R 601 luminance, Gaussian 11x11 sigma 1.5",
        "test_split": faces.test_split,
        "test_pairs": len(faces.test),
        "test_people": faces.test.people,
        "split_sha256": faces.split_hash,
        "fusion": "cosine scores, z-normalized, added with equal weights",
        "precision": config.train.precision,
        "generator_ema": config.generator.ema,
        "seed": config.seed,
    }
