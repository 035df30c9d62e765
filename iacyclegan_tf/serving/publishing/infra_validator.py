"""Infra validation: each export is loaded and called on TensorFlow's C library alone, before it may be pushed.

One process (``stock_runtime.py``) takes all servables of a round in turn: it has no Python TensorFlow, no Keras, no
tensorflow-addons and nothing of this project, and XLA is off, as in a server. What crashes it is refused, and the rest
goes on in a new one. Every signature answers drawn canary images, and the answers are looked at.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.atomic_files import write_bytes, write_text
from iacyclegan_tf.common.plain_paths import plain_path
from iacyclegan_tf.data.images.headers import HeaderError, read_header
from iacyclegan_tf.serving.publishing.graph_check import faults, read_meta_graph
from iacyclegan_tf.serving.publishing.sample_requests import sample_requests
from iacyclegan_tf.serving.signatures import signatures

INFRA_BLESSED, INFRA_NOT_BLESSED = "INFRA_BLESSED", "INFRA_NOT_BLESSED"
FILE = "infra_validation.json"
_RUNTIME = Path(__file__).with_name("stock_runtime.py")
TIMEOUT_S = 600  # for one process; a full-size VGG-Face takes seconds


def validate(exports: dict[str, Path], wanted: bool = True) -> dict[str, list[str]]:
    """For each servable the reasons against its export, empty where it may be served.

    First the files are read for what no server could run (``graph_check.py``); what passes is loaded and called.
    ``wanted`` False: nothing is tried, and that is the reason.
    """
    if not wanted:
        return {servable: ["not validated: export.infra_validation is off"] for servable in exports}
    reasons = {servable: faults(servable, folder) for servable, folder in exports.items()}
    return reasons | _tried({servable: exports[servable] for servable, found in reasons.items() if not found})


def write_verdict(reasons: list[str], blessing: Path) -> None:
    """``infra_validation.json`` and then the mark, in ``blessing``, the folder of one version."""
    write_text(
        blessing / FILE,
        json.dumps(
            {
                "reasons": reasons,
                "tensorflow": tf.__version__,
                "runtime": "TensorFlow's C library, XLA off, on the CPU",
            },
            indent=2,
        )
        + "\n",
    )
    write_bytes(blessing / (INFRA_NOT_BLESSED if reasons else INFRA_BLESSED), b"")


def _tried(exports: dict[str, Path]) -> dict[str, list[str]]:
    reasons, waiting = {}, list(exports)
    while waiting:
        with ExitStack() as stack:  # the runtime takes [ ] * ? in a path for a pattern
            places = [stack.enter_context(plain_path(exports[servable].resolve())) for servable in waiting]
            jobs = [_job(place, sample_requests(servable)) for servable, place in zip(waiting, places)]
            answers = _run(jobs)
        for servable, answer in zip(waiting, answers):
            reasons[servable] = _look(servable, answer)
        waiting = waiting[len(answers) :]
    return reasons


def _job(folder: Path, asked: dict[str, dict[str, np.ndarray]]) -> dict:
    """The calls of signatures by the names of their SignatureDef, whose nodes have names of their own."""
    defined, calls = read_meta_graph(folder).signature_def, []
    for name, inputs in asked.items():
        calls.append(
            {
                "inputs": {defined[name].inputs[key].name: _tensor(value) for key, value in inputs.items()},
                "outputs": [defined[name].outputs[key].name for key in sorted(defined[name].outputs)],
            }
        )
    return {"folder": str(folder), "calls": calls}


def _run(models: list[dict]) -> list[dict]:
    """One answer for each model up to the first that ends the process."""
    job = {"library": os.path.join(tf.sysconfig.get_lib(), "libtensorflow_cc.so.2"), "models": models}
    environment = {"PATH": os.environ.get("PATH", ""), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_RUNTIME)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    except OSError as error:  # no memory, no processes: a reason against the export, none to end the run
        return [{"error": f"the process could not be started: {error}"}]
    try:
        output, errors = process.communicate(json.dumps(job), timeout=TIMEOUT_S)
        end = f"the process ended with {_exit(process.returncode)}: {errors.strip()[-500:]}"
    except subprocess.TimeoutExpired:
        process.kill()
        output, end = process.communicate()[0], f"no answer within {TIMEOUT_S} s"
    whole = output[: output.rfind("\n") + 1].splitlines()  # a crash may cut the last line
    answers = [answer for answer in map(json.loads, whole) if "begun" not in answer]
    return answers if len(answers) == len(models) else [*answers, {"error": end}]


def _exit(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"code {code}"


def _look(servable: str, answer: dict) -> list[str]:
    """Whether the answers are what each signature promises."""
    if "error" in answer:
        return [f"it cannot be run: {' '.join(answer['error'].split())[:600]}"]
    reasons = []
    for (name, inputs), results in zip(sample_requests(servable).items(), answer["results"]):
        for key, result in zip(signatures(servable)[name].outputs, results):
            wrong = _fault(key, _array(result), inputs)
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


def _tensor(value: np.ndarray) -> dict:
    if value.dtype == object:
        return {"dtype": "string", "shape": list(value.shape), "data": [_base64(one) for one in value.flat]}
    return {"dtype": "float32", "shape": list(value.shape), "data": _base64(value.astype("<f4").tobytes())}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _array(value: dict) -> np.ndarray:
    if value["dtype"] == "string":
        return np.array([base64.b64decode(text) for text in value["data"]], object).reshape(value["shape"])
    return np.frombuffer(base64.b64decode(value["data"]), "<f4").reshape(value["shape"])
