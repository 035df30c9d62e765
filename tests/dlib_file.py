"""Writes networks as dlib's own serialization has them, so that no test of the reader needs the genuine file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

START = b"\x01\x01\x01\x0dloss_metric_2" + bytes(range(60))  # what stands between has no meaning for the reader
TINY = [("conv1", 3, 4, 7, 2), ("level4_1_1", 4, 4, 3, 1), ("level4_1_2", 4, 6, 3, 2)]


def random_arrays(layers, seed: int = 0) -> dict[str, np.ndarray]:
    """What ``read_dlib`` is to find in a file of these ``layers``; activations keep their size through them."""
    random, arrays = np.random.default_rng(seed), {}
    for name, before, after, side, _ in layers:
        deviation = np.sqrt(1.0 / (before * side * side))
        arrays[f"{name}/kernel"] = random.normal(0, deviation, (side, side, before, after))
        arrays[f"{name}/bias"], arrays[f"{name}/beta"] = random.normal(0, 0.1, (2, after))
        arrays[f"{name}/gamma"] = random.uniform(0.5, 1.5, after)
    arrays["descriptor/kernel"] = random.normal(0, 0.1, (layers[-1][2], 128))
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def integer(value: int) -> bytes:
    digits = abs(value).to_bytes(max(1, (abs(value).bit_length() + 7) // 8), "little")
    return bytes([len(digits) | (128 if value < 0 else 0)]) + digits


def text(value: bytes) -> bytes:
    return integer(len(value)) + value


def tensor(values: np.ndarray, *shape: int) -> bytes:
    return b"".join(map(integer, (2, *shape))) + np.ascontiguousarray(values, "<f4").tobytes()


def write_dlib(path: Path, arrays: dict[str, np.ndarray], layers) -> None:
    parts = [START]
    for name, _, after, side, stride in layers:
        weights = np.concatenate([arrays[f"{name}/kernel"].transpose(3, 2, 0, 1).ravel(), arrays[f"{name}/bias"]])
        parts += [text(b"con_4"), tensor(weights, len(weights), 1, 1, 1)]
        parts += map(integer, (after, side, side, stride, stride, 0, 0))
        affine = np.concatenate([arrays[f"{name}/gamma"], arrays[f"{name}/beta"]])
        parts += [text(b"affine_"), tensor(affine, 2 * after, 1, 1, 1), bytes(40), text(b"relu_")]
    inputs = layers[-1][2]
    parts += [text(b"avg_pool_2"), text(b"fc_2"), integer(128), integer(inputs)]
    parts += [tensor(arrays["descriptor/kernel"], inputs, 128, 1, 1), bytes(30)]
    path.write_bytes(b"".join(parts))
