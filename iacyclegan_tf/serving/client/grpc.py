"""TensorFlow Serving's gRPC API: PredictionService and ModelService."""

from __future__ import annotations

import math

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.answers import BrokenAnswer
from iacyclegan_tf.serving.client.connection import (
    Connection,
    Failed,
    Model,
    NotFound,
    Refused,
    Server,
    Unavailable,
    VersionState,
)

_KINDS = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Unavailable,
    grpc.StatusCode.INVALID_ARGUMENT: Refused,
    grpc.StatusCode.NOT_FOUND: NotFound,
}


class GrpcConnection(Connection):
    hint = "Is it running, and is this its gRPC port (usually 8500)?"

    def __init__(self, server: Server):
        super().__init__(server)
        limit = server.max_message_mb * 2**20  # gRPC's own limit for what a client takes is 4 MB
        # gRPC would read variables of its own, and for this machine itself too: connecting.proxy_for has decided
        proxy = ("grpc.http_proxy", server.proxy) if server.proxy else ("grpc.enable_http_proxy", 0)
        self._channel = grpc.insecure_channel(
            f"{server.host}:{server.port}",
            [
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                ("grpc.enable_retries", 0),
                proxy,
            ],
        )
        self._predictions, self._models = PredictionServiceStub(self._channel), ModelServiceStub(self._channel)

    def _predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]], output: str) -> object:
        request = PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model.name, signature
        if model.version is not None:
            request.model_spec.version.value = model.version
        elif model.label:
            request.model_spec.version_label = model.label
        for name, images in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(images, tf.string, [len(images)]))
        answer = self._ask(self._predictions.Predict, request)
        if output not in answer.outputs:
            raise BrokenAnswer(f"without the output {output!r}")
        return _values(answer.outputs[output])

    def _status(self, name: str) -> list[VersionState]:
        request = GetModelStatusRequest()
        request.model_spec.name = name
        names = ModelVersionStatus.State.DESCRIPTOR.values_by_number
        return [
            VersionState(one.version, names[one.state].name if one.state in names else "", one.status.error_message)
            for one in self._ask(self._models.GetModelStatus, request).model_version_status
        ]

    def _ask(self, method, request):
        try:
            return method(request, timeout=self.server.timeout_s)
        except grpc.RpcError as error:
            code, reason = error.code(), error.details() or ""
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise TimeoutError
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in reason:
            raise UserError(
                f"A message to or from {self.server.name} is larger than --max-message-mb="
                f"{self.server.max_message_mb}; send fewer images at a time (--batch) or raise it."
            )
        raise _KINDS[code](reason) if code in _KINDS else Failed(f"{code.name}, {reason}")


def _values(proto: TensorProto) -> list[bytes] | np.ndarray:
    """What a tensor holds, if its shape counts just that: TensorFlow's own reader repeats a value up to any shape."""
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.dtype == tf.string.as_datatype_enum and len(shape) == 1:
        values = proto.string_val
    elif proto.dtype == tf.float32.as_datatype_enum and len(proto.tensor_content) % 4 == 0:
        content = proto.tensor_content
        values = np.frombuffer(content, "<f4") if content else np.array(proto.float_val, np.float32)
    else:
        raise BrokenAnswer("a tensor of another type")
    if any(size < 0 for size in shape) or math.prod(shape) != len(values):
        raise BrokenAnswer(f"{len(values)} values in a tensor of another shape")
    return values.reshape(shape) if isinstance(values, np.ndarray) else list(values)
