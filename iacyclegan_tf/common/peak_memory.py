"""The largest memory that a process has needed so far."""

from __future__ import annotations

import resource
import sys


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far, in GiB; on other systems than Linux its parent's may be in it."""
    try:
        with open("/proc/self/status") as file:  # not getrusage: a process begins with the peak of its parent there
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024**2
    except FileNotFoundError:
        unit = 1024**3 if sys.platform == "darwin" else 1024**2
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
