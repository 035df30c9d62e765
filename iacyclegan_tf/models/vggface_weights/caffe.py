"""Caffe's ``VGG_FACE.caffemodel``: a binary NetParameter, kernels OIHW, fc6 flattened C, H, W, first BGR.

Field numbers from caffe.proto (BVLC/caffe, src/caffe/proto): the old ``layers`` (V1LayerParameter) and the
newer ``layer`` (LayerParameter) are both read. The file does not hold the pixel mean, nor its channel order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import Layer, VGGArchitecture, expected_layers, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, ForeignNetwork

# The few fields that are needed. ``data``, "repeated float" in caffe.proto, is declared as bytes: packed, as Caffe
# writes it, it has the same form in the file, and protobuf would give fc6 as 103 million Python numbers.
_INT, _BYTES, _MESSAGE = 3, 12, 11  # FieldDescriptorProto.Type
_SCHEMA = {
    "Shape": [("dim", 1, _INT, True, "")],
    "Blob": [
        ("num", 1, _INT, False, ""),
        ("channels", 2, _INT, False, ""),
        ("height", 3, _INT, False, ""),
        ("width", 4, _INT, False, ""),
        ("data", 5, _BYTES, False, ""),
        ("shape", 7, _MESSAGE, False, "Shape"),
        ("double_data", 8, _BYTES, False, ""),
    ],
    "V1LayerParameter": [("name", 4, _BYTES, False, ""), ("blobs", 6, _MESSAGE, True, "Blob")],
    "LayerParameter": [("name", 1, _BYTES, False, ""), ("blobs", 7, _MESSAGE, True, "Blob")],
}
_LAYER_FIELDS = {2: "V1LayerParameter", 100: "LayerParameter"}  # of NetParameter
_VARINT, _LENGTH, _FIXED_BYTES = 0, 2, {1: 8, 5: 4}  # wire types


def read_caffe(path: Path, architecture: VGGArchitecture) -> ForeignNetwork:
    """Reads a .caffemodel; raises UserError for another architecture, other exceptions for a damaged file."""
    with open(path, "rb") as file:
        found = [(name, blobs) for name, blobs in _layers(file, path.stat().st_size) if blobs]
    layers, blobs_of = expected_layers(path, [name for name, _ in found], architecture), dict(found)
    del found
    for layer in layers:
        _check(path, layer, blobs_of[layer.name])

    def arrays() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for layer in layers:
            height, width, inputs, outputs = layer.kernel
            blobs = blobs_of.pop(layer.name)
            blobs[0] = blobs[0].reshape(outputs, inputs, height, width).transpose(2, 3, 1, 0)
            yield blobs.pop(0), blobs.pop()  # popped, so that fc6 goes before the next layer comes

    return ForeignNetwork("caffe", MEAN_RGB, layers, arrays())


def _check(path: Path, layer: Layer, blobs: list[np.ndarray]) -> None:
    if len(blobs) != 2:
        raise UserError(f"{path} has {len(blobs)} arrays for {layer.name}; expected are kernel and bias.")
    height, width, inputs, outputs = layer.kernel
    flat = (outputs, inputs * height * width)
    # The old message pads every shape to four numbers: (1, 1, out, in) for dense, (1, 1, 1, out) for a bias.
    allowed = (flat, (1, 1, *flat)) if layer.is_top else ((outputs, inputs, height, width),)
    require_shape(path, f"{layer.name} kernel", blobs[0].shape, *allowed)
    require_shape(path, f"{layer.name} bias", blobs[1].shape, (outputs,), (1, 1, 1, outputs))


def _layers(file: BinaryIO, size: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Name and arrays of every layer. Each is parsed alone: as one message, the file would be in memory twice."""
    messages = _message_classes()
    while file.tell() < size:
        tag = _varint(file)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            _varint(file)
            continue
        if wire_type != _LENGTH and wire_type not in _FIXED_BYTES:
            raise ValueError(f"the bytes before {file.tell()} are not a protobuf field")
        length = _varint(file) if wire_type == _LENGTH else _FIXED_BYTES[wire_type]
        if length > size - file.tell():
            raise ValueError(f"it is cut short: byte {file.tell() + length} is promised, and it ends at {size}")
        if wire_type == _LENGTH and number in _LAYER_FIELDS:
            layer = messages[_LAYER_FIELDS[number]].FromString(file.read(length))
            yield layer.name[:100].decode("utf-8", "replace"), [_array(blob) for blob in layer.blobs]
        else:
            file.seek(length, 1)


def _message_classes() -> dict[str, type]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe")
    for message, fields in _SCHEMA.items():
        described = file.message_type.add(name=message)
        for name, number, kind, repeated, of in fields:
            described.field.add(name=name, number=number, type=kind, label=3 if repeated else 1)
            if of:
                described.field[-1].type_name = f".caffe.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in _SCHEMA}


def _varint(file: BinaryIO) -> int:
    """A base-128 number of protobuf's wire format, at most 64 bits long."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is cut short")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError(f"the bytes before {file.tell()} are not a protobuf number")


def _array(blob) -> np.ndarray:
    """One BlobProto, in the shape that it claims."""
    if blob.HasField("data") == blob.HasField("double_data"):
        raise ValueError("an array of it does not hold its numbers in one packed piece, as Caffe writes them")
    # Asked for once: each time is another copy.
    data = np.frombuffer(blob.double_data, "<f8") if blob.HasField("double_data") else np.frombuffer(blob.data, "<f4")
    legacy = (blob.num, blob.channels, blob.height, blob.width)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else legacy
    if min(shape, default=0) < 1 or math.prod(shape) != data.size or len(shape) > 8:
        raise ValueError(f"an array of it says shape {shape[:8]} and holds {data.size} numbers")
    return data.reshape(shape)
