"""Caffe's ``VGG_FACE.caffemodel``: a binary NetParameter, kernels OIHW, fc6 flattened C, H, W, first BGR.

Field numbers from caffe.proto (BVLC/caffe, src/caffe/proto): the old ``layers`` (V1LayerParameter) and the
newer ``layer`` (LayerParameter) are both read. The file does not hold the pixel mean, nor its channel order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import Layer, VGGArchitecture, expected_layers, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, VGGFaceWeights, add_layer, finished, unreadable
from iacyclegan_tf.models.vggface_weights.protobuf_wire import LENGTH, VARINT, WireError, fields, varint

NET_LAYERS_V1, NET_LAYER = 2, 100
V1_NAME, V1_BLOBS = 4, 6
LAYER_NAME, LAYER_BLOBS = 1, 7
BLOB_LEGACY_DIMS = (1, 2, 3, 4)  # num, channels, height, width
BLOB_DATA, BLOB_SHAPE, BLOB_DOUBLE_DATA = 5, 7, 8
SHAPE_DIM = 1


def read_caffe(path: Path, architecture: VGGArchitecture) -> VGGFaceWeights:
    """Reads a .caffemodel; raises UserError for a damaged file or another architecture."""
    buffer = np.memmap(path, dtype=np.uint8, mode="r")
    try:
        named_blobs = _layers_with_blobs(buffer)
    except WireError as error:
        raise unreadable(path, "Caffe file", error) from error
    layers = expected_layers(path, [name for name, _ in named_blobs], architecture)
    blobs_of = dict(named_blobs)
    arrays: dict[str, np.ndarray] = {}
    for layer in layers:
        _add(arrays, path, layer, blobs_of[layer.name])
    return finished(arrays, MEAN_RGB, "caffe")


def _add(arrays: dict, path: Path, layer: Layer, blobs: list[np.ndarray]) -> None:
    if len(blobs) != 2:
        raise UserError(f"{path} has {len(blobs)} arrays for {layer.name}; expected are kernel and bias.")
    kernel, bias = blobs
    height, width, inputs, outputs = layer.kernel
    oihw = (outputs, inputs, height, width)
    flat = (outputs, inputs * height * width)
    # The old message pads every shape to four numbers: (1, 1, out, in) for dense, (1, 1, 1, out) for a bias.
    allowed = (flat, (1, 1, *flat)) if layer.is_top else (oihw,)
    require_shape(path, f"{layer.name} kernel", kernel.shape, *allowed)
    require_shape(path, f"{layer.name} bias", bias.shape, (outputs,), (1, 1, 1, outputs))
    add_layer(arrays, path, layer, kernel.reshape(oihw).transpose(2, 3, 1, 0), bias, "BGR")


def _layers_with_blobs(buffer: np.ndarray) -> list[tuple[str, list[np.ndarray]]]:
    found = []
    for number, wire_type, start, end in fields(buffer, 0, buffer.size):
        if wire_type != LENGTH or number not in (NET_LAYERS_V1, NET_LAYER):
            continue
        name, blobs = _layer(buffer, start, end, old=number == NET_LAYERS_V1)
        if blobs:
            found.append((name, blobs))
    return found


def _layer(buffer: np.ndarray, start: int, end: int, old: bool) -> tuple[str, list[np.ndarray]]:
    name_field, blobs_field = (V1_NAME, V1_BLOBS) if old else (LAYER_NAME, LAYER_BLOBS)
    name, blobs = "", []
    for number, wire_type, first, last in fields(buffer, start, end):
        if wire_type != LENGTH:
            continue
        if number == name_field:
            name = buffer[first : min(last, first + 100)].tobytes().decode("utf-8", "replace")
        elif number == blobs_field:
            blobs.append(_blob(buffer, first, last))
    return name, blobs


def _blob(buffer: np.ndarray, start: int, end: int) -> np.ndarray:
    """One BlobProto as a view of the mapped file."""
    legacy, shape, data = {}, None, None
    for number, wire_type, first, last in fields(buffer, start, end):
        if wire_type == VARINT and number in BLOB_LEGACY_DIMS:
            legacy[number] = first
        elif wire_type == LENGTH and number == BLOB_SHAPE:
            shape = _blob_shape(buffer, first, last)
        elif number in (BLOB_DATA, BLOB_DOUBLE_DATA):
            if wire_type != LENGTH or data is not None:
                raise WireError("its numbers are not stored in one packed piece, as Caffe writes them")
            data = _floats(buffer, first, last, "<f4" if number == BLOB_DATA else "<f8")
    if data is None:
        raise WireError("an array of it holds no numbers")
    if shape is None:
        shape = tuple(legacy.get(number, 0) for number in BLOB_LEGACY_DIMS)
    size = 1
    for dimension in shape:  # Python integers: no overflow, whatever the file claims
        size *= dimension
    if not shape or size != data.size:
        raise WireError(f"an array of it says shape {shape} and holds {data.size} numbers")
    return data.reshape(shape)


def _floats(buffer: np.ndarray, first: int, last: int, dtype: str) -> np.ndarray:
    if (last - first) % np.dtype(dtype).itemsize:
        raise WireError("an array of it ends in the middle of a number")
    return np.frombuffer(buffer[first:last], dtype=dtype)


def _blob_shape(buffer: np.ndarray, start: int, end: int) -> tuple[int, ...]:
    dimensions: list[int] = []
    for number, wire_type, first, last in fields(buffer, start, end):
        if number != SHAPE_DIM:
            continue
        if wire_type == VARINT:
            dimensions.append(first)
            continue
        position = first
        while position < last and len(dimensions) <= 8:
            value, position = varint(buffer, position, last)
            dimensions.append(value)
    if len(dimensions) > 8:
        raise WireError("an array of it has more than 8 dimensions")
    return tuple(dimensions)
