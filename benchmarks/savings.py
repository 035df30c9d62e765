"""What Keras' own operations and ours in their place cost, in turns, the least of several: do the savings still hold?

Run from the repository root, with the interpreter of the set that is asked: python -m benchmarks.savings
The sizes are those of docs/performance.md, on one thread. It is the processor's time that counts, not the clock's, so
that other work beside tells little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TURNS = 6


def least(functions: list[Callable], turns: int = TURNS) -> list[float]:
    """Milliseconds of processor time of each, the least of its turns."""
    for function in functions:
        function()
    times = [[] for _ in functions]
    for _ in range(turns):
        for function, found in zip(functions, times):
            start = time.process_time()
            function()
            found.append((time.process_time() - start) * 1e3)
    return [min(found) for found in times]


def steps_of(layer, images, forward_only: bool) -> Callable:
    import tensorflow as tf

    from iacyclegan_tf.models.convolution import Convolution

    training = {"training": True} if isinstance(layer, Convolution) else {}

    @tf.function(autograph=False)
    def step():
        if forward_only:
            return layer(images)
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, **training)
        return tape.gradient(outputs, [images, *layer.trainable_weights])

    return lambda: tf.nest.map_structure(lambda tensor: tensor.numpy(), step())


def convolution(channels_in: int, channels_out: int, side: int, size: int, dtype: str, forward_only: bool) -> list:
    import tensorflow as tf

    from iacyclegan_tf.common.keras_door import keras
    from iacyclegan_tf.models.convolution import Convolution

    images = tf.random.stateless_normal([1, side, side, channels_in], [0, 1], dtype=dtype)
    policy = "float32" if dtype == "float32" else "mixed_bfloat16"
    layers = [kind(channels_out, size, dtype=policy) for kind in (keras.layers.Conv2D, Convolution)]
    for layer in layers:
        layer(images)
    return [steps_of(layer, images, forward_only) for layer in layers]


def adam() -> list:
    import tensorflow as tf

    from iacyclegan_tf.common.keras_door import keras
    from iacyclegan_tf.training.engine.adam import FusedAdam

    found = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        weights = [tf.Variable(tf.zeros([3, 3, 128, 128])) for _ in range(12)]
        optimizer = kind(1e-3, jit_compile=False, use_ema=True)
        optimizer.build(weights)
        gradients = [tf.ones_like(weight) for weight in weights]
        found.append(
            tf.function(lambda o=optimizer, g=gradients, w=weights: o.apply_gradients(zip(g, w)), autograph=False)
        )
    return found


def main() -> None:
    from iacyclegan_tf.training.start import set_threads

    set_threads(1)
    import tensorflow as tf

    from iacyclegan_tf.common.keras_door import keras

    print(f"TensorFlow {tf.__version__}, Keras of {keras.__name__.split('.')[0]}: Keras' -> ours, CPU ms\n")
    cases = {
        "7x7 onto the image, 64 channels, 128 px, forward": (64, 3, 134, 7, "float32", True),
        "the same, gradients": (64, 3, 134, 7, "float32", False),
        "7x7 from the image to 64 channels, gradients": (3, 64, 134, 7, "float32", False),
        "3x3, 256 to 256 channels, 32 px, bfloat16, gradients": (256, 256, 34, 3, "bfloat16", False),
    }
    rows = {name: convolution(*case) for name, case in cases.items()} | {
        "Adam and average, 1.8 million weights": adam()
    }
    for name, functions in rows.items():
        before, after = least(functions)
        print(f"| {name} | {before:.1f} -> {after:.1f} | {after / before:.2f} |", flush=True)


if __name__ == "__main__":
    main()
