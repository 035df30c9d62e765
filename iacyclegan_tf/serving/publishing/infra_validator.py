"""Infra validation: each export is loaded and called in a fresh process of TensorFlow, before it may be pushed.

One process (``warmup_replay.py``) takes all servables of a round in turn and replays their warm-up requests, drawn
faces for every signature. What ends it is refused, and the rest goes on in a new one. The answers are looked at.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from iacyclegan_tf.common.atomic_files import write_bytes, write_text
from iacyclegan_tf.common.plain_paths import plain_path
from iacyclegan_tf.data.images.headers import HeaderError, read_header
from iacyclegan_tf.serving.publishing.graph_check import faults
from iacyclegan_tf.serving.publishing.sample_requests import sample_requests

INFRA_BLESSED, INFRA_NOT_BLESSED = "INFRA_BLESSED", "INFRA_NOT_BLESSED"
FILE = "infra_validation.json"
_PROGRAM = Path(__file__).with_name("warmup_replay.py")
TIMEOUT_S = 600  # for one process; a full-size VGG-Face takes seconds


def validate(exports: dict[str, Path], wanted: bool = True) -> dict[str, list[str]]:
    """For each servable the reasons against its export, empty where it may be served.

    First the files are read for what no server could run (``graph_check.py``); what passes is loaded and called.
    ``wanted`` False: nothing is tried, and that is the reason.
    """
    if not wanted:
        return {servable: ["not validated: export.infra_validation is off"] for servable in exports}
    reasons = {servable: faults(servable, folder) for servable, folder in exports.items()}
    waiting = [servable for servable, found in reasons.items() if not found]
    while waiting:
        with tempfile.TemporaryDirectory() as answers:
            failed = replay([exports[servable] for servable in waiting], answers)
            done = [servable for number, servable in enumerate(waiting) if Path(answers, str(number)).exists()]
            for number, servable in enumerate(done):
                reasons[servable] = look(servable, read_answers(Path(answers, str(number))))
        waiting = waiting[len(done) :]
        if waiting:
            reasons[waiting.pop(0)] = [f"it cannot be run: {failed}"]
    return reasons


def write_verdict(reasons: list[str], blessing: Path) -> None:
    """``infra_validation.json`` and then the mark, in ``blessing``, the folder of one version."""
    content = {"reasons": reasons, "tensorflow": tf.__version__, "runtime": "a fresh process, on the CPU"}
    write_text(blessing / FILE, json.dumps(content, indent=2) + "\n")
    write_bytes(blessing / (INFRA_NOT_BLESSED if reasons else INFRA_BLESSED), b"")


def replay(folders: list[Path], answers: str) -> str:
    """Fills the folder ``answers``; returns why the process ended, for the first export that got none."""
    # modules from where this process has them (-P: nowhere else), and nothing of its environment
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "KERAS_HOME": os.devnull}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with ExitStack() as stack:  # TensorFlow takes [ ] * ? in a path for a pattern
        places = [str(stack.enter_context(plain_path(folder.resolve()))) for folder in folders]
        try:
            done = subprocess.run(
                [sys.executable, "-P", str(_PROGRAM), answers, *places],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {TIMEOUT_S} s"
        except OSError as error:  # no memory, no processes: a reason against the export, none to end the run
            return f"the process could not be started: {error}"
    code = done.returncode
    ended = signal.Signals(-code).name if code < 0 else f"code {code}"
    return f"the process ended with {ended}: {' '.join(done.stderr.split())[-500:]}"


def read_answers(path: Path) -> list[dict[str, np.ndarray]]:
    """What a file of ``warmup_replay.py`` holds: of each request the outputs by name."""
    responses = map(PredictResponse.FromString, tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    return [{name: tf.make_ndarray(value) for name, value in one.outputs.items()} for one in responses]


def look(servable: str, answers: list[dict[str, np.ndarray]]) -> list[str]:
    """Whether the answers to its sample requests are what each signature promises."""
    reasons = []
    for (name, inputs), outputs in zip(sample_requests(servable).items(), answers, strict=True):
        for key, value in outputs.items():
            wrong = _fault(key, value, inputs)
            if wrong:
                reasons.append(f"the signature {name} answers {key} {wrong}")
    return reasons


def _fault(output: str, value: np.ndarray, inputs: dict[str, np.ndarray]) -> str | None:
    first = next(iter(inputs.values()))
    if len(value) != len(first):
        return f"for {len(value)} of {len(first)} images"
    if output == "image_bytes":
        wrong = [i for i, (a, b) in enumerate(zip(value, first)) if _png_size(a) != _size(b)]
        return f"that are not PNG of their inputs' sizes (image {wrong[0]})" if wrong else None
    if not np.isfinite(value).all():
        return "that are not finite"
    if output == "images":
        right = value.shape == first.shape and np.array_equal(value, np.clip(np.round(value), 0, 255))
        return None if right else "that are not whole numbers in 0..255 of their inputs' size"
    if output == "embedding":
        return None if np.allclose(np.linalg.norm(value, axis=1), 1.0, atol=1e-3) else "that are not of length 1"
    right = value.shape == tuple(map(len, inputs.values())) and np.abs(value).max() <= 1.001
    return None if right else "that are not cosines, a row a probe and a column a gallery image"


def _size(encoded: bytes) -> tuple[int, int]:
    header = read_header(encoded)
    return header.height, header.width


def _png_size(encoded: bytes) -> tuple[int, int] | None:
    try:
        return _size(encoded) if encoded.startswith(b"\x89PNG") else None
    except HeaderError:
        return None
