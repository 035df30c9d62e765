"""Reads VGG-Face weights of any kind in a process of their own, with limits of memory and time.

h5py, scipy and protobuf believe what a file claims: scipy 1.17 ends its process on an unknown number type, a few
bytes can ask for terabytes. That process therefore has limits, and if it ends, a sentence says so. It puts the float32
values of all canonical arrays, in network order, into memory that both processes share, and prints a line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import math
import mmap
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import GENUINE, VGGArchitecture
from iacyclegan_tf.models.vggface_weights.caffe import read_caffe
from iacyclegan_tf.models.vggface_weights.canonical import (
    FILE_CHANNEL_ORDER,
    VGGFaceWeights,
    checked_weights,
    require_floats,
)
from iacyclegan_tf.models.vggface_weights.keras_h5 import read_keras
from iacyclegan_tf.models.vggface_weights.kinds import CAFFE, HDF5, MATLAB, kind_of
from iacyclegan_tf.models.vggface_weights.matconvnet import read_matconvnet

READERS = {CAFFE: read_caffe, MATLAB: read_matconvnet, HDF5: read_keras}
MAX_MEMORY = 4 << 30  # bytes of address space; a genuine file takes 1.6 GB, 2.8 GB where its numbers are float64
MAX_SECONDS = 600  # of processor time; a genuine file takes 3
MAX_REASON = 160  # libraries quote whole stretches of a damaged file
_BLOCK = 64  # outputs turned at once: three times faster than a kernel at once, since what is read stays in the cache


def read_vggface_weights(path: str | os.PathLike, architecture: VGGArchitecture | None = None) -> VGGFaceWeights:
    """Reads VGG-Face weights; the content tells the format, the name does not matter.

    Args:
        path: a .caffemodel, MatConvNet .mat (-v6, -v7), keras-vggface or deepface .h5.
        architecture: widths that the file must have. None: the genuine ones.

    Returns:
        The canonical weights (float32, HWIO, RGB, fc6 rows H, W, C).

    Raises:
        UserError: missing, damaged, of another format or architecture, not finite, or contradicting itself.
    """
    path = Path(path)
    return _read_apart(path, kind_of(path), architecture or GENUINE)


@contextmanager
def damage_in_one_sentence(path: Path, kind: str) -> Iterator[None]:
    """Turns what a library raises about the file, which should be a ``kind``, into a short ``UserError``.

    Any exception: damaged bytes make h5py, scipy and protobuf raise far more types than they document.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason[:MAX_REASON] + " ..." if len(reason) > MAX_REASON else reason.rstrip(".")
        raise UserError(f"{path} is not a readable {kind}: {reason}.") from error


def _read_apart(path: Path, kind: str, architecture: VGGArchitecture) -> VGGFaceWeights:
    """Starts the process that reads the file, and takes the arrays from the memory shared with it."""
    size = 4 * sum(map(math.prod, architecture.canonical_shapes().values()))
    # Modules from where this process has them (-P: nowhere else), and nothing of its environment. One thread: OpenBLAS
    # reserves memory for each, which would count.
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
    code = f"import sys; from {__name__} import main; sys.exit(main(sys.argv[1]))"
    with _memory_file() as file:
        file.truncate(size)
        job = [str(path), kind, dataclasses.asdict(architecture), file.fileno(), MAX_MEMORY, MAX_SECONDS]
        done = subprocess.run(
            [sys.executable, "-P", "-X", "utf8", "-c", code, json.dumps(job)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            pass_fds=[file.fileno()],
        )
        if done.returncode:
            raise _why(path, kind, done.returncode, done.stderr.strip())
        values = mmap.mmap(file.fileno(), size)
    head = json.loads(done.stdout)
    arrays = arrays_in(values, architecture, head["has_top"])
    return checked_weights(path, arrays, head["mean_rgb"], head["source_format"])


def _memory_file() -> BinaryIO:
    return open(os.memfd_create("weights"), "r+b") if hasattr(os, "memfd_create") else tempfile.TemporaryFile()


def arrays_in(values: mmap.mmap, architecture: VGGArchitecture, has_top: bool) -> dict[str, np.ndarray]:
    """The canonical arrays that lie in ``values``, one after another."""
    arrays, start = {}, 0
    for name, shape in architecture.canonical_shapes(has_top).items():
        arrays[name] = np.frombuffer(values, "<f4", math.prod(shape), start).reshape(shape)
        start += arrays[name].nbytes
    return arrays


def put_arrays(path: Path, kind: str, architecture: VGGArchitecture, values: mmap.mmap) -> dict:
    """Reads a foreign file into ``values``; returns what else is known of it.

    Raises:
        UserError: damaged, or of another architecture. Whether its numbers are finite is not checked here.
    """
    with damage_in_one_sentence(path, kind), np.errstate(over="ignore"):  # beyond float32: infinity
        network = READERS[kind](path, architecture)
        has_top = network.layers[-1].is_top
        arrays = arrays_in(values, architecture, has_top)
        for layer in network.layers:
            kernel, bias = next(network.arrays)
            require_floats(path, f"{layer.name} kernel", kernel)
            require_floats(path, f"{layer.name} bias", bias)
            if layer.name == "conv1_1" and FILE_CHANNEL_ORDER[network.source_format] == "BGR":
                kernel = kernel[:, :, ::-1]
            target = arrays[f"{layer.name}/kernel"].reshape(layer.kernel)
            for start in range(0, layer.outputs, _BLOCK):
                target[..., start : start + _BLOCK] = kernel[..., start : start + _BLOCK]
            arrays[f"{layer.name}/bias"][:] = bias.reshape(-1)
        return {"source_format": network.source_format, "mean_rgb": network.mean_rgb, "has_top": has_top}


def main(job: str) -> int:
    """What the process does: sets its own limits, and puts the file's arrays in place or says why not."""
    path, kind, architecture, descriptor, memory, seconds = json.loads(job)
    for which, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    try:
        print(json.dumps(put_arrays(Path(path), kind, VGGArchitecture(**architecture), mmap.mmap(descriptor, 0))))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _why(path: Path, kind: str, code: int, said: str) -> UserError:
    if code == 2:
        return UserError(said)
    if code == -signal.SIGXCPU:
        return UserError(f"{path} is not a readable {kind}: reading it took more than {MAX_SECONDS} s.")
    end = signal.Signals(-code).name if code < 0 else f"code {code}"
    last = said.splitlines()[-1][-160:] if said else "without a word"
    return UserError(f"{path} is not a readable {kind}: the process that read it ended with {end} ({last}).")
