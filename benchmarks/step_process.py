"""One contender of ``benchmarks.train_step`` in a process of its own.

It is told what to be by one line of JSON on standard input, answers with one line of JSON when it is warm, and then
for each further line, a number, with as many step times in milliseconds, by the clock and of the processors, and its
peak memory.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.step_settings import Contender, Setting, from_json
from iacyclegan_tf.common.peak_memory import peak_memory_gb


def ready(setting: Setting, contender: Contender) -> tuple[Callable, dict]:
    """The step, and what is known of it."""
    if contender.framework == "torch":
        from benchmarks.torch_step import build

        return build(setting, contender), {}
    from iacyclegan_tf.training.start import set_threads

    set_threads(contender.threads)
    from benchmarks.our_step import build, floor, gigaflop, products, traced

    gan, step = build(replace(setting, recognizer=None) if contender.framework == "cyclegan" else setting, contender)
    if contender.framework in ("ours", "cyclegan"):
        import tensorflow as tf

        count = sum(int(v.shape.num_elements()) for v in gan.trainable_variables)
        losses = {name: float(value) for name, value in step().items()}  # of the first step, from equal weights
        return step, {"parameters": count, "tensorflow": tf.__version__, "losses": losses}
    graph = traced(step)
    counted = products(graph)
    del gan, step
    return floor(counted), {"gigaflop": gigaflop(graph), "products": sum(counted.values())}


def main() -> None:
    step, known = ready(*from_json(json.loads(sys.stdin.readline())))
    for _ in range(2):
        step()
    print(json.dumps(known), flush=True)
    for line in sys.stdin:
        times, processors = [], []
        for _ in range(int(line)):
            start, used = time.perf_counter(), time.process_time()
            step()
            times.append((time.perf_counter() - start) * 1e3)
            processors.append((time.process_time() - used) * 1e3)
        peak = peak_memory_gb()
        print(json.dumps({"milliseconds": times, "processors": processors, "peak_gb": peak}), flush=True)


if __name__ == "__main__":
    main()
