"""One contender of ``benchmarks.train_step`` in a process of its own: SETTING FRAMEWORK PRECISION.

It answers with one line of JSON when it is warm, and then for each line on standard input, a number, with as many step
times in milliseconds, by the clock and of the processors, and its peak memory.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable

from benchmarks.train_step import SETTINGS


def ready(name: str, framework: str, precision: str) -> tuple[Callable, dict]:
    """The step, and what is known of it."""
    setting = SETTINGS[name]
    if framework.startswith("torch"):
        from benchmarks.torch_step import build

        return build(setting, precision, framework == "torch_channels_last"), {}
    from iacyclegan_tf.training.start import set_threads

    set_threads(1)
    import tensorflow as tf

    from benchmarks.our_step import build

    _, step = build(setting._replace(recognizer=None) if framework == "cyclegan" else setting, precision)
    losses = {name: float(value) for name, value in step().items()}  # of the first step, from equal weights
    return step, {"tensorflow": tf.__version__, "losses": losses}


def main() -> None:
    step, known = ready(*sys.argv[1:])
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
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(json.dumps({"milliseconds": times, "processors": processors, "peak_gb": peak}), flush=True)


if __name__ == "__main__":
    main()
