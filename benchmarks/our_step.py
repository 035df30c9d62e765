"""Our training step, and its floor: the step's own convolutions alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from unittest import mock

import numpy as np
import tensorflow as tf

from benchmarks.step_settings import Contender, Setting
from iacyclegan_tf.common.keras_door import keras

_INPUTS = {  # of each product, in their order; ``_SIZES`` names the shape of the output where an operation asks for it
    "Conv2D": ("input", "filter"),
    "Conv2DBackpropInput": ("filter", "out_backprop"),
    "Conv2DBackpropFilter": ("input", "out_backprop"),
    "MatMul": ("a", "b"),
}
_SIZES = {"Conv2DBackpropInput": "input_sizes", "Conv2DBackpropFilter": "filter_sizes"}
_SMALLEST = 1e6  # products of fewer operations (sums of weights) are no part of the floor


def build(setting: Setting, contender: Contender) -> tuple[keras.Model, Callable]:
    """The model as the training command builds it, and its step on made-up images as a function without arguments."""
    from iacyclegan_tf.config.settings import LossConfig
    from iacyclegan_tf.method.image_pool import ImagePool
    from iacyclegan_tf.method.synthesis import IACycleGAN
    from iacyclegan_tf.models.discriminator import Discriminator
    from iacyclegan_tf.models.generator import Generator
    from iacyclegan_tf.models.vggface import Recognizer
    from iacyclegan_tf.training.engine.adam import adam

    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    s, dtype = setting, contender.precision if contender.precision == "float32" else f"mixed_{contender.precision}"
    shape = (s.height, s.width, 3)
    more = {"recompute": True} if contender.recompute else {}
    networks = [
        *(Generator(s.filters, s.blocks, s.upsampling, seed=i * 100, dtype=dtype, **more) for i in (1, 2)),
        *(Discriminator(s.filters, s.layers, seed=i * 100, dtype=dtype) for i in (3, 4)),
    ]
    for network in networks:
        network(tf.zeros([1, *shape]))
    recognizers, losses = [None, None], LossConfig()
    if s.recognizer:
        width, side, layers, normalization = s.recognizer
        recognizers = [Recognizer(width, side, normalization=normalization, seed=i, dtype=dtype) for i in (5, 6)]
        for recognizer in recognizers:
            recognizer.build()
        losses = LossConfig(perception_layer=layers)
    gan = IACycleGAN(*networks, *recognizers, losses, ImagePool(50, shape), ImagePool(50, shape, seed=1))
    scaling = contender.precision == "float16"
    gan.compile(adam(2e-4, 0.5, 0.99, scaling), adam(2e-4, 0.5, 0.0, scaling))
    images = [tf.constant(values) for values in made_up_images(setting)]
    step = tf.function(lambda: gan.train_step(tuple(images)), autograph=False)
    return gan, step


def made_up_images(setting: Setting) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [
        random.uniform(-1, 1, (setting.batch, setting.height, setting.width, 3)).astype(np.float32) for _ in range(2)
    ]


def traced(step) -> tf.Graph:
    """The step's operations in one graph: of each branch the one that is taken while the recognizers take part."""
    with mock.patch("tensorflow.cond", lambda condition, true_fn, false_fn: true_fn()):
        return tf.function(step.python_function, autograph=False).get_concrete_function().graph


def gigaflop(graph: tf.Graph) -> float:
    """Of all operations of ``graph``, by TensorFlow's own count."""
    options = tf.compat.v1.profiler.ProfileOptionBuilder(tf.compat.v1.profiler.ProfileOptionBuilder.float_operation())
    counted = tf.compat.v1.profiler.profile(graph, options=options.with_empty_output().build())
    return counted.total_float_ops / 1e9


def products(graph: tf.Graph) -> Counter:
    """The convolutions, their backward products and matrix products of ``graph`` by what matters to their time."""
    found = Counter()
    for operation in graph.get_operations():
        if operation.type not in _INPUTS:
            continue
        tensors = (*operation.inputs, *operation.outputs)
        shapes = tuple(tuple(tensor.shape.as_list()) for tensor in tensors if tensor.shape.rank in (2, 4))
        names = ("transpose_a", "transpose_b") if operation.type == "MatMul" else ("strides", "padding")
        attributes = {name: operation.get_attr(name) for name in names}
        values = tuple(
            (name, tuple(v) if isinstance(v, list) else v.decode() if isinstance(v, bytes) else v)
            for name, v in attributes.items()
        )
        whole = np.prod([max(shape) for shape in shapes], dtype=float) > 0
        if whole and _operations(operation.type, shapes) >= _SMALLEST:
            found[operation.type, operation.outputs[0].dtype, shapes, values] += 1
    return found


def _operations(kind: str, shapes) -> float:
    if kind == "MatMul":
        return 2.0 * np.prod(shapes[0]) * shapes[1][0 if shapes[1][1] in shapes[2] else 1]
    kernel, result = {"Conv2D": (1, 2), "Conv2DBackpropInput": (0, 1), "Conv2DBackpropFilter": (2, 1)}[kind]
    return 2.0 * np.prod(shapes[kernel]) * np.prod(shapes[result][:3])


def floor(counted: Counter) -> Callable:
    """A function that runs all of ``counted`` with nothing between them, independent of each other."""
    random, variables = np.random.default_rng(0), {}

    def variable(shape, dtype) -> tf.Variable:
        if (shape, dtype) not in variables:
            values = tf.cast(random.normal(size=shape).astype(np.float32), dtype)
            variables[shape, dtype] = tf.Variable(values, trainable=False)
        return variables[shape, dtype]

    calls = []
    for (kind, dtype, shapes, attributes), count in counted.items():
        options = {name: list(v) if isinstance(v, tuple) else v for name, v in attributes}
        options |= {name: variable(shape, dtype) for name, shape in zip(_INPUTS[kind], shapes)}
        if kind in _SIZES:
            options[_SIZES[kind]] = shapes[2]
        calls += [partial(getattr(tf.raw_ops, kind), **options)] * count
    np.random.default_rng(1).shuffle(calls)

    def run():
        # Each reads its variables anew, so that equal products are not computed once for all; one number of each is
        # used, so that none is left out.
        return tf.add_n([tf.cast(tf.reshape(call(), [-1])[0], tf.float32) for call in calls])

    return tf.function(run, autograph=False)
