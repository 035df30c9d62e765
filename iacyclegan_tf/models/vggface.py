"""The recognizer Φ: VGG-Face (Parkhi et al. 2015), also in narrower and smaller builds that train on a CPU."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.models.embedding import CROPS, EmbeddingNetwork
from iacyclegan_tf.models.vggface_weights import MEAN_RGB, read_vggface_weights

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # VGG-16: channels, convolutions; a pool after each
_FC = 4096
_PIXEL_SCALE = 64.0  # about the standard deviation of a face's pixels in 0..255
_FEWEST = 8  # channels are multiples of this, whatever the width


class Recognizer(EmbeddingNetwork):
    """VGG-16 trunk with fc6 and fc7: faces to embeddings.

    The pixel conversion is inside, once: images in [−1, 1] RGB of any size are resized to a square of
    ``input_size``, brought to 0..255 and freed of the mean color, so that the perception loss, the
    evaluation and the served model use the same door. Gray images come replicated to three channels.

    Args:
        width: multiplies all channels; 1.0 is VGG-Face, 0.125 trains on a CPU.
        input_size: 224 for VGG-Face; divisible by 32.
        embedding: the layer that ``call`` returns, L2-normalized: ``pool2`` .. ``pool5``, ``fc6`` or ``fc7``. The
            paper's VGG-Face ends in fc7; lower layers keep more of where things are, which small networks need.
        normalization: ``none`` (VGG-Face) or ``batch`` (Ioffe & Szegedy 2015, after each convolution, for
            networks trained from nothing; inside the perception loss its learned statistics are used).
        centres, adapter: as ``EmbeddingNetwork`` says.

    >>> phi = Recognizer(width=0.0625, input_size=32)
    >>> phi(tf.zeros([2, 40, 32, 3])).shape
    TensorShape([2, 256])
    """

    NETWORK, LAYERS = "vggface", ("pool1", "pool2", "pool3", "pool4", "pool5", "fc6", "fc7")
    crops = CROPS

    def __init__(
        self,
        width: float = 1.0,
        input_size: int = 224,
        embedding: str = "fc7",
        normalization: str = "none",
        centres: int = 0,
        adapter: bool = False,
        seed: int | None = None,
        dtype=None,
        **kwargs,
    ):
        super().__init__(embedding, dtype, **kwargs)
        self.width, self.input_size = width, input_size
        self.normalization = normalization
        # State, not an argument, since each weights file brings its own: saved, copied and exported with the weights.
        self.mean_rgb = tf.Variable(MEAN_RGB, trainable=False, dtype=tf.float32, name="mean_rgb")
        policy, numbers = self.dtype_policy, itertools.count()

        def conv(name: str, channels: int):
            return keras.layers.Conv2D(
                channels, 3, padding="same", name=name, dtype=policy, kernel_initializer=_he(seed, next(numbers))
            )

        def norm(name: str):
            return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=name, dtype=policy)

        self.blocks: list[list[keras.layers.Layer]] = []
        self.norms: list[list[keras.layers.Layer]] = []
        for stage, (channels, convolutions) in enumerate(_STAGES, 1):
            places = [f"{stage}_{i}" for i in range(1, convolutions + 1)]
            self.blocks.append([conv(f"conv{place}", _scaled(channels, width)) for place in places])
            self.norms.append([norm(f"norm{place}") for place in places] if normalization == "batch" else [])
        self.fc6, self.fc7 = (
            keras.layers.Dense(
                _scaled(_FC, width), name=name, dtype=policy, kernel_initializer=_he(seed, next(numbers))
            )
            for name in ("fc6", "fc7")
        )
        self.add_embedding(centres, adapter)

    def pixels(self, images):
        """[−1, 1] RGB ``[N, H, W, 3]`` -> what conv1_1 expects: 0..255 minus the mean, ``input_size`` square."""
        images = tf.cast(images, tf.float32)
        if images.shape[1:3] != [self.input_size, self.input_size]:
            images = tf.image.resize(images, [self.input_size, self.input_size])
        return (images + 1.0) * 127.5 - tf.cast(self.mean_rgb, tf.float32)

    def trunk(self, images, layers: tuple[str, ...], training: bool = False) -> list[tf.Tensor]:
        found: dict[str, tf.Tensor] = {}
        hidden = tf.cast(self.pixels(images), self.compute_dtype)
        for stage, (block, norms) in enumerate(zip(self.blocks, self.norms), 1):
            for index, layer in enumerate(block):
                hidden = layer(hidden)
                if norms:
                    hidden = norms[index](hidden, training=training)
                hidden = tf.nn.relu(hidden)
            hidden = tf.nn.max_pool2d(hidden, 2, 2, "SAME")
            found[f"pool{stage}"] = hidden
            if all(layer in found for layer in layers):
                break
        if "fc6" in layers or "fc7" in layers:
            flat = tf.reshape(hidden, [-1, np.prod(hidden.shape[1:])])
            found["fc6"] = tf.nn.relu(self.fc6(flat))
            found["fc7"] = tf.nn.relu(self.fc7(found["fc6"])) if "fc7" in layers else None
        return [tf.cast(found[layer], tf.float32) for layer in layers]

    def layers_up_to(self, name: str) -> list[keras.layers.Layer]:
        stages = int(name.removeprefix("pool")) if name.startswith("pool") else len(_STAGES)
        found = [layer for block, norms in zip(self.blocks[:stages], self.norms[:stages]) for layer in (*block, *norms)]
        return found + {"fc6": [self.fc6], "fc7": [self.fc6, self.fc7]}.get(name, [])

    def feature_shape(self, layer: str) -> tuple[int, ...]:
        if not layer.startswith("pool"):
            return (_scaled(_FC, self.width),)
        stage = int(layer.removeprefix("pool"))
        side = self.input_size // 2**stage
        return side, side, _scaled(_STAGES[stage - 1][0], self.width)

    def load_file(self, path: str) -> None:
        """VGG-Face's weights in any of their formats."""
        self.load_vggface(read_vggface_weights(path))

    def load_vggface(self, weights) -> None:
        """Assigns a ``VGGFaceWeights`` (``models/vggface_weights/``); shapes were checked by its reader.

        Raises ``UserError`` when this build is not the full-size VGG-Face that the file holds.
        """
        self.build()
        if self.normalization != "none":
            raise UserError(
                f"VGG-Face has no normalization, but recognizer.normalization is {self.normalization}; set it to none."
            )
        layers = [layer for block in self.blocks for layer in block]
        if weights.has_top:
            layers += [self.fc6, self.fc7]
        elif not self.embedding.startswith("pool"):
            raise UserError(
                f"The weights have no fc6 and fc7, but recognizer.embedding is {self.embedding}; "
                "set it to pool5 or take a file with the top layers."
            )
        values = {
            layer.name: [weights.arrays[f"{layer.name}/{part}"] for part in ("kernel", "bias")] for layer in layers
        }
        for layer in layers:  # all shapes first, so that a refused file changes nothing
            if tuple(layer.kernel.shape) != values[layer.name][0].shape:
                raise UserError(
                    f"The weights of {layer.name} have shape {values[layer.name][0].shape}, the recognizer "
                    f"{tuple(layer.kernel.shape)}; VGG-Face needs recognizer.width=1.0 and "
                    "recognizer.input_size=224."
                )
        for layer in layers:
            layer.kernel.assign(values[layer.name][0])
            layer.bias.assign(values[layer.name][1])
        self.mean_rgb.assign(weights.mean_rgb)


def trunk_shapes(width: float, input_size: int) -> tuple[list[tuple[int, int]], int]:
    """(side, channels) of every convolution's output, and the number of parameters with fc6 and fc7."""
    shapes, parameters, before, side = [], 0, 3, input_size
    for channels, convolutions in _STAGES:
        for _ in range(convolutions):
            parameters += (9 * before + 1) * _scaled(channels, width)
            before = _scaled(channels, width)
            shapes.append((side, before))
        side //= 2
    fc = _scaled(_FC, width)
    return shapes, parameters + (side * side * before + 1) * fc + (fc + 1) * fc


def _scaled(channels: int, width: float) -> int:
    return max(_FEWEST, round(channels * width / _FEWEST) * _FEWEST)


def _he(seed: int | None, number: int) -> keras.initializers.Initializer:
    """He initialization; the first layer makes up for pixels in 0..255, which VGG-Face files expect."""
    scale = 2.0 if number else 2.0 / _PIXEL_SCALE**2
    return keras.initializers.VarianceScaling(
        scale, "fan_in", "truncated_normal", seed=None if seed is None else seed * 1000 + number
    )
