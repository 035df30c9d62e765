"""How an image is brought to the network's size, and how the network's answer is brought back.

Three ways, chosen by the user:

* ``native``: pixels are untouched; edges are replicated up to the next multiple of 4 in each direction
  (200 wide x 250 high becomes 200 x 252). All images must share one size.
* ``pad``: scaled to fit inside ``height`` x ``width`` with its proportions kept, then edge-padded.
* ``squeeze``: scaled to ``height`` x ``width``, proportions given up (undone on the way back).

The two down-samplings of the generator need sizes divisible by 4. One code serves training, commands
and the served models: ``apply`` and ``undo`` run the graph versions, which use stock TensorFlow ops
only (Keys bicubic with antialiasing, half-pixel centers; results rounded and clipped to 0..255).
"""

import functools
import threading
from dataclasses import dataclass

import numpy as np

from iacyclegan_tf.common.errors import UserError

MODES = ("native", "pad", "squeeze")
MULTIPLE = 4


@dataclass(frozen=True)
class Fit:
    """A way to bring images to the network's size.

    Args:
        mode: ``native``, ``pad`` or ``squeeze``.
        height, width: the network's size in pixels, divisible by 4. With ``native`` they are the size
            that all images share (before or after padding to a multiple of 4); 0 takes each image's own.

    Raises:
        UserError: unknown mode, or a size that is not positive and divisible by 4.
    """

    mode: str
    height: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UserError(f"Fit mode '{self.mode}' is unknown; allowed are {', '.join(MODES)}.")
        if self.mode == "native":
            if min(self.height, self.width) < 0 or (self.height == 0) != (self.width == 0):
                raise UserError(
                    f"Fit mode 'native' got the size {self.height}x{self.width} (height x "
                    "width); give both or leave both 0."
                )
        elif min(self.height, self.width) < 1 or self.height % MULTIPLE or self.width % MULTIPLE:
            raise UserError(
                f"Height {self.height} and width {self.width} must both be positive and divisible by {MULTIPLE}."
            )

    def network_size(self, original_size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) that an image of ``original_size`` (height, width) has for the network.

        Raises:
            UserError: ``native`` with a fixed size, and this image's is another.
        """
        if self.mode != "native":
            return self.height, self.width
        size = _next_multiple(original_size[0]), _next_multiple(original_size[1])
        expected = _next_multiple(self.height), _next_multiple(self.width)
        if self.height and size != expected:
            raise UserError(
                f"An image is {original_size[0]}x{original_size[1]} (height x width), but with fit "
                f"'native' all images must share the size {self.height}x{self.width}; "
                "choose fit 'pad' or 'squeeze' for images of several sizes."
            )
        return size

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Bring uint8 [h, w, 3] to the network's size: uint8 [H, W, 3]."""
        self.network_size(image.shape[:2])
        return _compiled(self, "apply_graph")(np.asarray(image, np.float32)).numpy().astype(np.uint8)

    def undo(self, image: np.ndarray, original_size: tuple[int, int]) -> np.ndarray:
        """Bring [H, W, 3] (values 0..255) back to ``original_size`` (h, w): uint8 [h, w, 3]."""
        expected = self.network_size(original_size)
        if tuple(image.shape[:2]) != expected:
            raise UserError(
                f"An image of {image.shape[0]}x{image.shape[1]} (height x width) cannot be "
                f"undone; fit '{self.mode}' gives {expected[0]}x{expected[1]}."
            )
        size = np.asarray(original_size, np.int32)
        return _compiled(self, "undo_graph")(np.asarray(image, np.float32), size).numpy().astype(np.uint8)

    def apply_graph(self, image):
        """``apply`` for tensors: float32 [..., h, w, 3] in 0..255 -> whole numbers [..., H, W, 3].

        Sizes may be dynamic; one leading batch dimension is allowed.
        """
        import tensorflow as tf

        size = tf.shape(image)[-3:-1]
        inner, outer, start = self._place(size)
        if self.mode != "native":
            image = _resize(image, inner)
        if self.mode != "squeeze":
            for axis in (0, 1):
                image = _pad_edges(image, axis - 3, inner[axis], outer[axis], start[axis])
        if self.mode != "native":  # the graph cannot infer it from gathered indices
            image.set_shape([*image.shape[:-3], self.height, self.width, image.shape[-1]])
        return image

    def undo_graph(self, image, original_size):
        """``undo`` for tensors: float32 [..., H, W, 3], int32 (h, w) -> whole numbers [..., h, w, 3]."""
        import tensorflow as tf

        original_size = tf.convert_to_tensor(original_size, tf.int32)
        inner, _, start = self._place(original_size)
        image = image[..., start[0] : start[0] + inner[0], start[1] : start[1] + inner[1], :]
        if self.mode == "native":
            return _whole(image)
        return _resize(image, original_size)

    def _place(self, size):
        """Size of the scaled image, size of the canvas, and its top left corner there; int32 [2] each."""
        import tensorflow as tf

        if self.mode == "native":
            outer = (size + MULTIPLE - 1) // MULTIPLE * MULTIPLE
            return size, outer, (outer - size) // 2
        outer = tf.constant([self.height, self.width], tf.int32)
        if self.mode == "squeeze":
            return outer, outer, tf.zeros([2], tf.int32)
        # float64: in float32 a ratio such as 128/250 could round a full side down by one pixel.
        scale = tf.reduce_min(tf.cast(outer, tf.float64) / tf.cast(size, tf.float64))
        inner = tf.cast(tf.round(tf.cast(size, tf.float64) * scale), tf.int32)
        inner = tf.clip_by_value(inner, 1, outer)
        return inner, outer, (outer - inner) // 2


def _next_multiple(size: int) -> int:
    return -(-size // MULTIPLE) * MULTIPLE


_TRACING = threading.Lock()


def _compiled(fit: Fit, name: str):
    """The graph version traced once per fit, for images of any size; by one thread, while the others wait."""
    with _TRACING:
        return _traced(fit, name)


@functools.lru_cache(maxsize=32)
def _traced(fit: Fit, name: str):
    import tensorflow as tf

    signature = [tf.TensorSpec([None, None, 3], tf.float32)]
    if name == "undo_graph":
        signature.append(tf.TensorSpec([2], tf.int32))
    function = tf.function(getattr(fit, name), input_signature=signature)
    function.get_concrete_function()
    return function


def _resize(image, size):
    import tensorflow as tf

    return _whole(tf.image.resize(image, size, method="bicubic", antialias=True))


def _whole(image):
    """Round to whole levels and clip: bicubic overshoots at edges."""
    import tensorflow as tf

    return tf.clip_by_value(tf.round(image), 0.0, 255.0)


def _pad_edges(image, axis: int, inner, outer, start):
    """Replicate the first and last line along ``axis`` (tf.pad has no such mode)."""
    import tensorflow as tf

    lines = tf.clip_by_value(tf.range(outer) - start, 0, inner - 1)
    return tf.gather(image, lines, axis=axis if axis >= 0 else image.shape.rank + axis)
