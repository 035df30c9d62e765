"""Speed of one network's forward pass, without files (those: python -m iacyclegan_tf.translate).

Run from the repository root: python -m benchmarks.inference generator [FILTERS BLOCKS]   (default: 64 9)
                              python -m benchmarks.inference recognizer [WIDTH LAYER]     (default: 1.0 pool5)
The precisions take turns; a recognizer's images have its own input size.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

from iacyclegan_tf.common.peak_memory import peak_memory_gb

TURNS, CALLS = 3, 4


def measure(
    build: Callable, sides: tuple[int, ...], batches: tuple[int, ...], precisions=("float32", "mixed_bfloat16")
) -> None:
    """Prints a table. ``build(precision, side)`` gives a network that takes images float32 ``[N, side, side, 3]``."""
    import tensorflow as tf

    from benchmarks.our_step import gigaflop

    print(f"{os.cpu_count()} cores, median of {TURNS} alternating turns of {CALLS} calls\n")
    print("| side | batch | precision | images/s | ms/batch | GFLOP/image | GFLOP/s | peak memory so far, GB |")
    print("|---" * 8 + "|")
    for side in sides:
        networks = {precision: build(precision, side) for precision in precisions}
        for batch in batches:
            images = tf.random.stateless_uniform([batch, side, side, 3], [0, 0], -1, 1)
            calls, times = {}, {precision: [] for precision in precisions}
            for precision, network in networks.items():
                calls[precision] = tf.function(network.call, autograph=False).get_concrete_function(
                    tf.TensorSpec(images.shape)
                )
                calls[precision](images)
            for _ in range(TURNS):
                for precision, call in calls.items():
                    for _ in range(CALLS):
                        start = time.perf_counter()
                        call(images)
                        times[precision].append(time.perf_counter() - start)
            for precision, taken in times.items():
                seconds, flop = statistics.median(taken), gigaflop(calls[precision].graph) / batch
                peak = peak_memory_gb()
                print(f"| {side} | {batch} | {precision} | {batch / seconds:.1f} | {1000 * seconds:.1f} ", end="")
                print(f"| {flop:.2f} | {flop * batch / seconds:.0f} | {peak:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=("generator", "recognizer"))
    parser.add_argument("size", nargs="*", help="FILTERS BLOCKS, or WIDTH LAYER")
    options = parser.parse_args()
    import tensorflow as tf

    from iacyclegan_tf.models.generator import Generator
    from iacyclegan_tf.models.vggface import Recognizer

    if options.network == "generator":
        filters, blocks = map(int, options.size or (64, 9))

        def build(precision: str, side: int):
            generator = Generator(filters, blocks, "resize", seed=0, dtype=precision)
            generator(tf.zeros([1, side, side, 3]))
            return generator

        print(f"A generator of {filters} filters and {blocks} blocks, ", end="")
        measure(build, (64, 128, 256), (1, 4))
    else:
        width, layer = options.size or ("1.0", "pool5")

        def build(precision: str, side: int):
            recognizer = Recognizer(float(width), side, layer, seed=0, dtype=precision)
            recognizer.build()
            return recognizer

        print(f"A recognizer of width {width} to {layer}, ", end="")
        measure(build, (64, 128, 224), (1, 4))


if __name__ == "__main__":
    main()
