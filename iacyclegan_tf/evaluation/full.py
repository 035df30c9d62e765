"""Every measure of one round on the test people (docs/evaluation.md); ``evaluation.py`` holds the few of training."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from iacyclegan_tf import __version__
from iacyclegan_tf.config.settings import Config, as_dict
from iacyclegan_tf.data.faces import FacePairs, Faces
from iacyclegan_tf.evaluation import distractors
from iacyclegan_tf.evaluation import images as image_measures
from iacyclegan_tf.evaluation import recognition as recognition_measures
from iacyclegan_tf.evaluation.matching import Matcher
from iacyclegan_tf.evaluation.round import protocol
from iacyclegan_tf.metrics import rank_of_match
from iacyclegan_tf.serving.calling import Images

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-image")
_BATCH = 8


@dataclass(frozen=True)
class RoundEvaluation:
    """What one round was found to be.

    Attributes:
        metrics: the content of metrics.json.
        per_pair: columns of one value a test pair: ``photo_to_sketch.ssim``, ``rank.learned.whole.fusion``, from 1.
        scores: matrices ``[probes, gallery]`` by ``<learned|hog>.<whole|face>.<way>``.
        fake_sketches, fake_photos: the synthesised images, uint8 ``[h, w, 3]``, in the test pairs' order.
    """

    metrics: dict
    per_pair: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    fake_sketches: list[np.ndarray]
    fake_photos: list[np.ndarray]


@dataclass(frozen=True)
class Evaluator:
    """What all rounds of a run are measured with; ``trivial`` from ``image_measures.trivial_measures``."""

    config: Config
    faces: Faces
    trivial: dict
    progress: Callable
    nlda_protocol: str = "cufs"
    distractor_paths: Sequence[Path] = ()

    def __call__(self, number: int, matcher: Matcher) -> RoundEvaluation:
        test = self.faces.test
        sketches, photos = test.original_sketches, test.original_photos
        fake_sketches = self._translated(matcher.to_sketch, photos, f"round {number}: synthesising sketches")
        fake_photos = self._translated(matcher.to_photo, sketches, f"round {number}: synthesising photos")
        images = {
            "photo_to_sketch": image_measures.image_measures(
                "photo_to_sketch", fake_sketches, sketches, self.progress, f"round {number}'s sketches"
            ),
            "sketch_to_photo": image_measures.image_measures(
                "sketch_to_photo", fake_photos, photos, self.progress, f"round {number}'s photos"
            ),
        }
        scores, left_out = recognition_measures.score_matrices(matcher, sketches, photos, fake_photos, fake_sketches)
        metrics = {
            "round": number,
            "protocol": full_protocol(self.config, self.faces),
            **{
                direction: {name: float(values.mean()) for name, values in columns.items()}
                for direction, columns in images.items()
            },
            **recognition_measures.recognition_tables(scores, left_out, test.identities),
            "nlda": image_measures.nlda_of_sketches(self.faces, fake_sketches, self.nlda_protocol),
            "trivial_baselines": self.trivial,
        }
        if self.distractor_paths:
            metrics["gallery_size"] = self._gallery_size(matcher, sketches, fake_photos, scores)
        return RoundEvaluation(metrics, _columns(images, scores, test), scores, fake_sketches, fake_photos)

    def _translated(
        self, translate: Callable[[Images], list[np.ndarray]], images: Images, words: str
    ) -> list[np.ndarray]:
        def one_by_one():
            for start in range(0, len(images), _BATCH):
                yield from translate(images[start : start + _BATCH])

        return list(self.progress(one_by_one(), words, len(images)))

    def _gallery_size(
        self, matcher: Matcher, sketches: Images, fake_photos: Images, scores: dict[str, np.ndarray]
    ) -> dict:
        enrolled = {
            name.rpartition(".")[2]: matrix for name, matrix in scores.items() if name.startswith("learned.whole.")
        }
        others = distractors.distractor_scores(
            matcher, self.distractor_paths, sketches, fake_photos, enrolled, self.progress
        )
        return distractors.gallery_size_curves(enrolled, others, self.faces.test.identities)


def full_protocol(config: Config, faces: Faces) -> dict:
    """What the numbers depend on besides the networks: data, sizes, settings of the measures, settings, versions."""
    return protocol(faces) | {
        "networks": "the exported SavedModels; for none the run's recognizer_0",
        "precision": config.train.precision,
        "generator_ema": config.generator.ema,
        "seed": config.seed,
        **image_measures.PROTOCOL,
        **recognition_measures.PROTOCOL,
        "distractors": distractors.PROTOCOL,
        "settings": as_dict(config),
        "versions": {"iacyclegan_tf": __version__, "python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


def _columns(images: dict, scores: dict[str, np.ndarray], test: FacePairs) -> dict[str, np.ndarray]:
    columns = {
        f"{direction}.{name}": values for direction, measured in images.items() for name, values in measured.items()
    }
    return columns | {
        f"rank.{name}": rank_of_match(matrix, test.identities, test.identities) + 1 for name, matrix in scores.items()
    }
