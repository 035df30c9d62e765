"""How a network's forward pass is timed: alternating between precisions, median, share of TensorFlow's own count."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable

TURNS, CALLS = 3, 4


def measure(
    build: Callable, sides: tuple[int, ...], batches: tuple[int, ...], precisions=("float32", "mixed_bfloat16")
) -> None:
    """Prints a table. ``build(precision, side)`` gives a network that takes images float32 ``[N, side, side, 3]``."""
    import tensorflow as tf

    from benchmarks.our_step import gigaflop

    print(f"{os.cpu_count()} cores, median of {TURNS} alternating turns of {CALLS} calls\n")
    print(
        "| side | batch | precision | images/s | ms/batch | GFLOP/image | GFLOP/s | peak memory so far, GB |\n|---|---|---|---|---|---|---|---|"
    )
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
                print(
                    f"| {side} | {batch} | {precision} | {batch / seconds:.1f} | {1000 * seconds:.1f} | {flop:.2f} | "
                    f"{flop * batch / seconds:.0f} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.2f} |",
                    flush=True,
                )
