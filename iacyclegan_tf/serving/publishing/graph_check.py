"""What a SavedModel must not hold, read from its files without running it: reasons that a server would fail on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.dtypes import as_dtype

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.signatures import Signature, signatures
from iacyclegan_tf.serving.version_folders import check_files

_PYTHON_OPS = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
_XLA_OPS = ("XlaLaunch", "XlaLaunchV2", "_XlaCompile", "_XlaRun")
_COMPILED = "_XlaMustCompile"  # what jit_compile=True leaves on a function and on its calls


def read_meta_graph(folder: Path) -> MetaGraphDef:
    """The graph tagged ``serve`` of the SavedModel in ``folder``. Raises ``UserError`` where there is none."""
    saved = SavedModel()
    try:
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise UserError(f"saved_model.pb cannot be read: {error}") from None
    for graph in saved.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return graph
    raise UserError("saved_model.pb holds no graph with the tag serve")


def faults(servable: str, folder: Path) -> list[str]:
    """Reasons, one clause each, why no server could serve ``folder`` as ``servable``; empty where nothing is found."""
    try:
        check_files(folder)
        graph = read_meta_graph(folder)
    except UserError as error:
        return [str(error)]
    return [*_missing_files(folder), *_foreign_nodes(graph), *_wrong_signatures(servable, graph)]


def _missing_files(folder: Path) -> Iterator[str]:
    variables = folder / "variables"
    if not (variables / "variables.index").is_file():
        yield "variables/variables.index is missing: it would load and then fail every request"
    elif not list(variables.glob("variables.data-*")):
        yield "variables/variables.data-* is missing: it would load and then fail every request"


def _foreign_nodes(graph: MetaGraphDef) -> Iterator[str]:
    nodes = list(_nodes(graph))
    namespaced = sorted({node.op for node in nodes if ">" in node.op})
    if namespaced:
        yield f"operations outside stock TensorFlow, which no server has registered: {', '.join(namespaced)}"
    python = sorted({node.op for node in nodes if node.op in _PYTHON_OPS})
    if python:
        yield f"operations that call into Python (py_function, numpy_function), which servers lack: {', '.join(python)}"
    attributes = [owner.attr for owner in (*nodes, *graph.graph_def.library.function)]
    if any(node.op in _XLA_OPS for node in nodes) or any(_COMPILED in a and a[_COMPILED].b for a in attributes):
        yield "a function compiled by XLA (jit_compile=True), which a default server refuses to run"


def _nodes(graph: MetaGraphDef) -> Iterator[NodeDef]:
    yield from graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield from function.node_def


def _wrong_signatures(servable: str, graph: MetaGraphDef) -> Iterator[str]:
    for name, wanted in signatures(servable).items():
        if name not in graph.signature_def:
            yield f"the signature {name} is missing"
        else:
            yield from _differences(name, wanted, graph.signature_def[name])


def _differences(name: str, wanted: Signature, found: SignatureDef) -> Iterator[str]:
    for side, expected, infos in (("input", wanted.inputs, found.inputs), ("output", wanted.outputs, found.outputs)):
        types = {key: as_dtype(info.dtype).name for key, info in infos.items()}
        if types != expected:
            yield f"the signature {name} has the {side}s {types}, not {expected}"
        for key, info in infos.items():
            if not info.tensor_shape.unknown_rank and info.tensor_shape.dim and info.tensor_shape.dim[0].size != -1:
                yield (
                    f"the signature {name} fixes the batch of its {side} {key} at {info.tensor_shape.dim[0].size}; "
                    "a server batches any number"
                )
