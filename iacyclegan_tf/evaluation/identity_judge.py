"""Whether synthesized images keep the identity, as a judge sees it that took no part in training.

Of runs with VGG-Face's network that is dlib's (level2, on chips by landmarks), where its package is installed; of runs
with dlib's network, and without the package, HOG (``recognition_rates.hog_ways``).
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


class DlibJudge:
    """dlib's network, and what it sees of the real images of ``pairs``: the same for all rounds."""

    def __init__(self, pairs: FacePairs):
        self._network, landmarks = DlibRecognizer("level2"), Landmarks()
        self._network.load_file("")
        self._photos, self._sketches = map(landmarks.chips, (pairs.original_photos, pairs.original_sketches))
        self._real = {"photos": self._vectors(self._photos.images), "sketches": self._vectors(self._sketches.images)}

    def scores(self, fake_photos: Images, fake_sketches: Images) -> dict[str, np.ndarray]:
        """Cosines ``[N, N]`` of synthesized and real images, ``photos`` and ``sketches``; all by index of the pairs.

        A synthesized image is cut where its source's face is: ``fake_photos`` belong to the sketches, and the reverse.
        """
        return {
            "photos": self._vectors(self._sketches.cut(fake_photos)) @ self._real["photos"].T,
            "sketches": self._real["sketches"] @ self._vectors(self._photos.cut(fake_sketches)).T,
        }

    def _vectors(self, chips: np.ndarray) -> np.ndarray:
        batches = [chips[start : start + _BATCH].astype(np.float32) for start in range(0, len(chips), _BATCH)]
        vectors = np.concatenate([self._network.vectors(batch / 127.5 - 1.0, "level2").numpy() for batch in batches])
        vectors -= vectors.mean(0)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def judge_for(recognizer: RecognizerConfig, pairs: FacePairs) -> DlibJudge | None:
    """The judge for runs of this recognizer: dlib's network, or ``None`` where HOG judges."""
    return DlibJudge(pairs) if recognizer.network != "dlib" and packaged_file(FILE) else None
