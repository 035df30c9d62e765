"""Runs SavedModels on TensorFlow's C library alone, as a server does. A program of its own, not a module to import.

    python -I -S stock_runtime.py < job.json > results.jsonl

It imports the standard library only: no TensorFlow for Python, no Keras, no tensorflow-addons, nothing of this
project. So whatever lives in Python (a ``py_function``) or in an op library of its own is missing here as it is missing
in a server. XLA compilation is switched off as TensorFlow Serving's ``main.cc`` does by default.

Job: ``{"library": "…/libtensorflow_cc.so.2", "models": [{"folder": …, "calls": [{"inputs": {"node:0": TENSOR},
"outputs": ["node:0", …]}]}]}``. TENSOR: ``{"dtype": "float32"|"string", "shape": […], "data": …}`` with base64 of the
little-endian floats, or a flat list of base64 strings.
Results, one JSON line each, flushed at once, so that a crash shows where it was: ``{"model": 0, "begun": true}``, then
``{"model": 0, "results": [[TENSOR, …], …]}`` or ``{"model": 0, "error": "…"}``.
"""

import argparse
import base64
import ctypes
import json
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p

DTYPES = {"float32": 1, "string": 7}  # TF_DataType
TSTRING_BYTES = 24  # sizeof(TF_TString)
DISABLE_XLA = "_ZN10tensorflow21DisableXlaCompilationEv"  # tensorflow::DisableXlaCompilation()


class Output(ctypes.Structure):
    """TF_Output."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


class Failure(Exception):
    """What the library's status says."""


# Of each function the result and the arguments: p pointer, P pointer to pointers or outputs, s text, S texts, i int,
# l int64, L int64s, z size, v nothing (tensorflow/c/c_api.h, tf_tensor.h).
TYPES = {"p": c_void_p, "P": c_void_p, "s": c_char_p, "S": POINTER(c_char_p), "i": c_int, "l": c_int64, "v": None}
TYPES |= {"L": POINTER(c_int64), "z": c_size_t}
SIGNATURES = {
    "TF_NewStatus": "p",
    "TF_GetCode": "ip",
    "TF_Message": "sp",
    "TF_NewGraph": "p",
    "TF_NewSessionOptions": "p",
    "TF_DeleteGraph": "vp",
    "TF_LoadSessionFromSavedModel": "pppsSippp",
    "TF_CloseSession": "vpp",
    "TF_DeleteSession": "vpp",
    "TF_GraphOperationByName": "pps",
    "TF_SessionRun": "vppPPiPPipipp",
    "TF_AllocateTensor": "piLiz",
    "TF_DeleteTensor": "vp",
    "TF_TensorType": "ip",
    "TF_NumDims": "ip",
    "TF_Dim": "lpi",
    "TF_TensorData": "pp",
    "TF_TensorByteSize": "zp",
    "TF_TensorElementCount": "lp",
    "TF_StringInit": "vp",
    "TF_StringCopy": "vpsz",
    "TF_StringGetDataPointer": "pp",
    "TF_StringGetSize": "zp",
}


class Library:
    """TensorFlow's C API."""

    def __init__(self, path: str):
        self.c = ctypes.CDLL(path)
        for name, letters in SIGNATURES.items():
            function = getattr(self.c, name)
            function.restype, *function.argtypes = (TYPES[letter] for letter in letters)
        self.status = self.c.TF_NewStatus()
        if hasattr(self.c, DISABLE_XLA):
            getattr(self.c, DISABLE_XLA)()

    def check(self) -> None:
        if self.c.TF_GetCode(self.status):
            raise Failure(self.c.TF_Message(self.status).decode(errors="replace"))

    def tensor(self, value: dict) -> int:
        shape, dtype = value["shape"], DTYPES[value["dtype"]]
        dims = (c_int64 * len(shape))(*shape)
        if value["dtype"] == "string":
            texts = [base64.b64decode(text) for text in value["data"]]
            tensor = self.c.TF_AllocateTensor(dtype, dims, len(shape), TSTRING_BYTES * len(texts))
            for place, text in zip(self._strings(tensor, len(texts)), texts):
                self.c.TF_StringInit(place)
                self.c.TF_StringCopy(place, text, len(text))
            return tensor
        data = base64.b64decode(value["data"])
        tensor = self.c.TF_AllocateTensor(dtype, dims, len(shape), len(data))
        ctypes.memmove(self.c.TF_TensorData(tensor), data, len(data))
        return tensor

    def value(self, tensor: int) -> dict:
        names = {number: name for name, number in DTYPES.items()}
        dtype = names.get(self.c.TF_TensorType(tensor))
        if dtype is None:
            raise Failure(f"an output has the type {self.c.TF_TensorType(tensor)}; only float32 and string are served")
        shape = [self.c.TF_Dim(tensor, i) for i in range(self.c.TF_NumDims(tensor))]
        if dtype == "string":
            data = [
                _base64(ctypes.string_at(self.c.TF_StringGetDataPointer(place), self.c.TF_StringGetSize(place)))
                for place in self._strings(tensor, self.c.TF_TensorElementCount(tensor))
            ]
        else:
            data = _base64(ctypes.string_at(self.c.TF_TensorData(tensor), self.c.TF_TensorByteSize(tensor)))
        return {"dtype": dtype, "shape": shape, "data": data}

    def _strings(self, tensor: int, count: int) -> list[int]:
        start = self.c.TF_TensorData(tensor)
        return [start + TSTRING_BYTES * i for i in range(count)]


class Model:
    """A loaded SavedModel."""

    def __init__(self, library: Library, folder: str):
        self.library, c = library, library.c
        self.graph = c.TF_NewGraph()
        self.session = c.TF_LoadSessionFromSavedModel(
            c.TF_NewSessionOptions(),
            None,
            folder.encode(),
            (c_char_p * 1)(b"serve"),
            1,
            self.graph,
            None,
            library.status,
        )
        library.check()

    def run(self, inputs: dict, outputs: list) -> list[dict]:
        library, c = self.library, self.library.c
        feeds = [library.tensor(value) for value in inputs.values()]
        fetched = (c_void_p * len(outputs))()
        c.TF_SessionRun(
            self.session,
            None,
            self._places(inputs),
            (c_void_p * len(feeds))(*feeds),
            len(feeds),
            self._places(outputs),
            fetched,
            len(outputs),
            None,
            0,
            None,
            library.status,
        )
        for tensor in feeds:
            c.TF_DeleteTensor(tensor)
        library.check()
        values = [library.value(tensor) for tensor in fetched]
        for tensor in fetched:
            c.TF_DeleteTensor(tensor)
        return values

    def close(self) -> None:
        self.library.c.TF_CloseSession(self.session, self.library.status)
        self.library.c.TF_DeleteSession(self.session, self.library.status)
        self.library.c.TF_DeleteGraph(self.graph)

    def _places(self, names) -> ctypes.Array:
        places = []
        for name in names:
            node, _, index = name.rpartition(":")
            operation = self.library.c.TF_GraphOperationByName(self.graph, node.encode())
            if not operation:
                raise Failure(f"its signature names {name}, which is not in its graph")
            places.append(Output(operation, int(index)))
        return (Output * len(places))(*places)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    job = json.load(sys.stdin)
    library = Library(job["library"])
    for number, model in enumerate(job["models"]):
        print(json.dumps({"model": number, "begun": True}), flush=True)
        try:
            loaded = Model(library, model["folder"])
            answer = {"results": [loaded.run(call["inputs"], call["outputs"]) for call in model["calls"]]}
            loaded.close()
        except Failure as failure:
            answer = {"error": str(failure)}
        print(json.dumps({"model": number, **answer}), flush=True)


if __name__ == "__main__":
    main()
