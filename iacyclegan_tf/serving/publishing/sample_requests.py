"""Requests made of drawn faces, for canaries and warm-up: both are stored in clear, so they show no real person."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.serving.signatures import PHOTO_RECOGNIZER, PHOTO_TO_SKETCH, signatures

_SEED = 900_913  # of people that no default training set holds
_SIZES = ((100, 80), (64, 72), (90, 70))  # height, width: three sizes, none of them usual for a network
_FORMATS = (".png", ".jpg", ".bmp")


def sample_requests(servable: str) -> dict[str, dict[str, np.ndarray]]:
    """For each signature its inputs by name: object arrays of encoded images, or float32 ``[2, h, w, 3]`` in 0..255.

    The encoded images are a PNG, a JPEG and a BMP of three sizes; ``match`` gets two probes and three gallery images.
    """
    images = [_drawn(servable, person, size) for person, size in enumerate(_SIZES)]
    encoded = np.array(
        [cv2.imencode(ending, image[..., ::-1])[1].tobytes() for image, ending in zip(images, _FORMATS)], object
    )
    pixels = np.stack([_drawn(servable, person, _SIZES[0]) for person in (0, 1)]).astype(np.float32)
    values = {"image_bytes": encoded, "images": pixels, "probe_bytes": encoded[:2], "gallery_bytes": encoded}
    return {name: {key: values[key] for key in signature.inputs} for name, signature in signatures(servable).items()}


def _drawn(servable: str, person: int, size: tuple[int, int]) -> np.ndarray:
    return _pair(person, size)[0 if servable in (PHOTO_TO_SKETCH, PHOTO_RECOGNIZER) else 1]


@functools.lru_cache(maxsize=8)
def _pair(person: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return draw_pair(person, 0, seed=_SEED, height=size[0], width=size[1])


FILE = "tf_serving_warmup_requests"


def write_warmup(servable: str, extra: Path) -> None:
    """Writes the file into ``extra``, the version's ``assets.extra``."""
    with tf.io.TFRecordWriter(str(extra / FILE)) as writer:
        for signature, inputs in sample_requests(servable).items():
            request = PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = servable, signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())
