"""Exports asked as infra validation asks them: on TensorFlow's C library alone, without Python's TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iacyclegan_tf.serving.publishing import infra_validator
from iacyclegan_tf.serving.publishing.graph_check import read_meta_graph


def ask(export: Path, requests: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    """One process for requests by signature; the outputs by signature and name. ``RuntimeError`` with its reason."""
    (answer,) = infra_validator._run([infra_validator._job(export.resolve(), requests)])
    if "error" in answer:
        raise RuntimeError(answer["error"])
    defined = read_meta_graph(export).signature_def
    return {
        name: {key: infra_validator._array(value) for key, value in zip(sorted(defined[name].outputs), results)}
        for name, results in zip(requests, answer["results"])
    }
