"""VGG-Face weights from every kind of file that users hold, as one canonical set of arrays.

``read_vggface_weights(path)`` tells the format by content, never by name, and returns ``VGGFaceWeights``:
kernels in HWIO order, the first convolution in RGB order, fc6 flattened as H, W, C. See docs/weights.md.
"""

from iacyclegan_tf.models.vggface_weights.architecture import GENUINE, VGGArchitecture
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, VGGFaceWeights, weights_fingerprint
from iacyclegan_tf.models.vggface_weights.reading import read_vggface_weights

__all__ = ["GENUINE", "MEAN_RGB", "VGGArchitecture", "VGGFaceWeights", "read_vggface_weights", "weights_fingerprint"]
