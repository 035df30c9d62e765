"""Caffe's ``VGG_FACE.caffemodel``: a binary NetParameter, kernels OIHW, fc6 flattened C, H, W, first BGR.

Field numbers from caffe.proto (BVLC/caffe, src/caffe/proto): the old ``layers`` (V1LayerParameter) and the
newer ``layer`` (LayerParameter) are both read. The file does not hold the pixel mean, nor its channel order.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights.architecture import Layer, VGGArchitecture, expected_layers, require_shape
from iacyclegan_tf.models.vggface_weights.canonical import MEAN_RGB, ForeignNetwork

_LAYERS = {2: (4, 6), 100: (1, 7)}  # fields of NetParameter that hold a layer, and in it those of name and arrays
_LEGACY_SHAPE, _DATA, _SHAPE, _DOUBLE_DATA = (1, 2, 3, 4), 5, 7, 8  # of BlobProto
_VARINT, _LENGTH, _FIXED_BYTES = 0, 2, {1: 8, 5: 4}  # wire types


def read_caffe(path: Path, architecture: VGGArchitecture) -> ForeignNetwork:
    """Reads a .caffemodel; raises UserError for another architecture, other exceptions for a damaged file."""
    with open(path, "rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))  # no array is copied
    found = [_layer(message, *_LAYERS[number]) for number, message in _fields(content) if number in _LAYERS and message]
    found = [(name, blobs) for name, blobs in found if blobs]
    layers, blobs_of = expected_layers(path, [name for name, _ in found], architecture), dict(found)
    for layer in layers:
        _check(path, layer, blobs_of[layer.name])

    def arrays() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for layer in layers:
            height, width, inputs, outputs = layer.kernel
            kernel, bias = blobs_of[layer.name]
            yield kernel.reshape(outputs, inputs, height, width).transpose(2, 3, 1, 0), bias

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


def _layer(message: memoryview, name_field: int, blobs_field: int) -> tuple[str, list[np.ndarray]]:
    name, blobs = "", []
    for number, value in _fields(message):
        if number == name_field:
            name = bytes(value[:100]).decode("utf-8", "replace")
        elif number == blobs_field:
            blobs.append(_array(value))
    return name, blobs


def _array(message: memoryview) -> np.ndarray:
    """One BlobProto, in the shape that it claims."""
    fields = list(_fields(message))
    numbers = [
        np.frombuffer(value, "<f4" if number == _DATA else "<f8")
        for number, value in fields
        if number in (_DATA, _DOUBLE_DATA)
    ]
    if len(numbers) != 1:
        raise ValueError("an array of it does not hold its numbers in one packed piece, as Caffe writes them")
    shapes = [value for number, value in fields if number == _SHAPE]
    legacy = dict(fields)
    shape = tuple(_dimensions(shapes[-1]) if shapes else [legacy.get(number, 0) for number in _LEGACY_SHAPE])
    if min(shape, default=0) < 1 or math.prod(shape) != numbers[0].size or len(shape) > 8:
        raise ValueError(f"an array of it says shape {shape[:8]} and holds {numbers[0].size} numbers")
    return numbers[0].reshape(shape)


def _dimensions(message: memoryview) -> Iterator[int]:
    """Of a BlobShape, packed or one by one."""
    for _, value in _fields(message):
        if isinstance(value, int):
            yield value
            continue
        at = 0
        while at < len(value):
            dimension, at = _varint(value, at)
            yield dimension


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field in protobuf's wire format: an int, or the bytes in their place."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind == _LENGTH or kind in _FIXED_BYTES:
            length, at = _varint(message, at) if kind == _LENGTH else (_FIXED_BYTES[kind], at)
            value, at = message[at : at + length], at + length
            if at > len(message):
                raise ValueError(f"it is cut short: byte {at} is promised, and it ends at {len(message)}")
        else:
            raise ValueError(f"the bytes before {at} are not a protobuf field")
        yield tag >> 3, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A base-128 number at ``at``, at most 64 bits long, and where the next begins."""
    value = 0
    for place in range(10):
        if at + place >= len(message):
            raise ValueError("it is cut short")
        value |= (message[at + place] & 0x7F) << 7 * place
        if message[at + place] < 0x80:
            return value, at + place + 1
    raise ValueError(f"the bytes before {at + 10} are not a protobuf number")
