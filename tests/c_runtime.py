"""The C program ``run_saved_model.c``: building it against the TensorFlow wheel, asking it, reading its answers."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_TYPES = {"float32": 1, "object": 7}


def build(folder: Path) -> Path:
    """Compiles with the C compiler at hand; fails where there is none, since nothing else proves what this proves."""
    program, library = folder / "run_saved_model", tf.sysconfig.get_lib()
    subprocess.run(
        [
            "cc",
            "-O1",
            "-Wall",
            "-Werror",
            f"-I{tf.sysconfig.get_include()}",
            str(Path(__file__).with_name("run_saved_model.c")),
            "-o",
            str(program),
            f"-L{library}",
            "-l:libtensorflow_cc.so.2",
            "-l:libtensorflow_framework.so.2",
            f"-Wl,-rpath,{library}",
        ],
        check=True,
        timeout=120,
    )
    return program


def run(program: Path, export: Path, requests: list[tuple[str, dict[str, np.ndarray]]]) -> list[dict[str, np.ndarray]]:
    """Asks one fresh process; each request is a signature's name and its inputs, each answer its outputs by name."""
    signatures, asked, outputs = signature_defs(export), struct.pack("=q", len(requests)), []
    for name, inputs in requests:
        asked += struct.pack("=q", len(inputs))
        for key, value in inputs.items():
            asked += _text(signatures[name].inputs[key].name.encode()) + _tensor(value)
        outputs.append(sorted(signatures[name].outputs))
        asked += struct.pack("=q", len(outputs[-1]))
        asked += b"".join(_text(signatures[name].outputs[key].name.encode()) for key in outputs[-1])
    question, answer = program.parent / "requests", program.parent / "answers"
    question.write_bytes(asked)
    done = subprocess.run(
        [program, export, question, answer],
        capture_output=True,
        text=True,
        timeout=300,
        env={"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()[-1000:]}")
    assert done.stdout == f"TensorFlow {tf.__version__}, XLA off\n"
    data, results = memoryview(answer.read_bytes()), []
    for keys in outputs:
        results.append({})
        for key in keys:
            results[-1][key], data = _read_tensor(data)
    assert not data
    return results


def signature_defs(export: Path) -> dict:
    saved = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].signature_def


def _text(text: bytes) -> bytes:
    return struct.pack("=q", len(text)) + text


def _tensor(value: np.ndarray) -> bytes:
    head = struct.pack(f"={2 + value.ndim}q", _TYPES[value.dtype.name], value.ndim, *value.shape)
    return head + (b"".join(map(_text, value.flat)) if value.dtype == object else value.tobytes())


def _read_tensor(data: memoryview) -> tuple[np.ndarray, memoryview]:
    kind, rank = struct.unpack_from("=2q", data)
    shape = struct.unpack_from(f"={rank}q", data, 16)
    data, count = data[16 + 8 * rank :], int(np.prod(shape))
    if kind == _TYPES["float32"]:
        return np.frombuffer(data[: 4 * count], np.float32).reshape(shape), data[4 * count :]
    texts = []
    for _ in range(count):
        (length,) = struct.unpack_from("=q", data)
        texts.append(bytes(data[8 : 8 + length]))
        data = data[8 + length :]
    return np.array(texts, object).reshape(shape), data
