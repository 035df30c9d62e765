"""Whether synthesized images keep the identity, as a judge sees it that took no part in training.

Of runs with VGG-Face's network that is dlib's (level2, on chips by landmarks), where its package is installed; of runs
with dlib's network, and without the package, HOG (``recognition.hog_ways``).
"""

from __future__ import annotations

import numpy as np

from iacyclegan_tf.config.settings import RecognizerConfig
from iacyclegan_tf.data.alignment.chips import Landmarks
from iacyclegan_tf.data.alignment.landmarks import packaged_file
from iacyclegan_tf.data.face_pairs import FacePairs
from iacyclegan_tf.models.dlib_resnet import DlibRecognizer
from iacyclegan_tf.models.dlib_weights import FILE
from iacyclegan_tf.serving.calling import Images

HOG = "HOG on the whole crop (a description of edges, without any training)"
DLIB = "dlib's face network (level2 of chips by landmarks, from the mean of each kind of image)"
_BATCH = 32


def judge_of(recognizer: RecognizerConfig) -> str:
    """``DLIB`` or ``HOG``."""
    return DLIB if recognizer.network != "dlib" and packaged_file(FILE) else HOG


def dlib_judgment(pairs: FacePairs, fake_photos: Images, fake_sketches: Images) -> dict[str, np.ndarray]:
    """Cosines ``[N, N]`` of synthesized and real images, ``photos`` and ``sketches``; all by index of ``pairs``.

    A synthesized image is cut where its source's face is: ``fake_photos`` belong to the sketches, and the reverse.
    """
    network, landmarks = DlibRecognizer("level2"), Landmarks()
    network.load_file("")
    photos, sketches = landmarks.chips(pairs.original_photos), landmarks.chips(pairs.original_sketches)
    return {
        "photos": _vectors(network, sketches.cut(fake_photos)) @ _vectors(network, photos.images).T,
        "sketches": _vectors(network, sketches.images) @ _vectors(network, photos.cut(fake_sketches)).T,
    }


def _vectors(network: DlibRecognizer, chips: np.ndarray) -> np.ndarray:
    batches = [chips[start : start + _BATCH].astype(np.float32) for start in range(0, len(chips), _BATCH)]
    vectors = np.concatenate([network.vectors(batch / 127.5 - 1.0, "level2").numpy() for batch in batches])
    vectors -= vectors.mean(0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
