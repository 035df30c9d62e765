"""TensorFlow Serving's gRPC API: PredictionService and ModelService."""

from __future__ import annotations

import grpc
import tensorflow as tf
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.connection import (
    Connection,
    Model,
    NotFound,
    Refused,
    Server,
    Unavailable,
    VersionState,
)


class GrpcConnection(Connection):
    hint = "Is it running, and is this its gRPC port (usually 8500)?"

    def __init__(self, server: Server):
        super().__init__(server)
        limit = server.max_message_mb * 2**20  # gRPC's own limit for what a client takes is 4 MB
        self._channel = grpc.insecure_channel(
            server.name,
            [
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                ("grpc.enable_retries", 0),
            ],
        )
        self._predictions, self._models = PredictionServiceStub(self._channel), ModelServiceStub(self._channel)

    def _predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]]) -> dict[str, list]:
        request = PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model.name, signature
        if model.version is not None:
            request.model_spec.version.value = model.version
        elif model.label:
            request.model_spec.version_label = model.label
        for name, images in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(images, tf.string, [len(images)]))
        answer = self._ask(self._predictions.Predict, request)
        return {name: tf.make_ndarray(value).tolist() for name, value in answer.outputs.items()}

    def _status(self, name: str) -> list[VersionState]:
        request = GetModelStatusRequest()
        request.model_spec.name = name
        answer = self._ask(self._models.GetModelStatus, request)
        return [
            VersionState(one.version, ModelVersionStatus.State.Name(one.state), one.status.error_message)
            for one in answer.model_version_status
        ]

    def _ask(self, method, request):
        try:
            return method(request, timeout=self.server.timeout_s)
        except grpc.RpcError as error:
            raise self._understood(error) from None

    def _understood(self, error: grpc.RpcError) -> Exception:
        code, reason = error.code(), error.details() or ""
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._too_slow()
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in reason:
            return UserError(
                f"A message to or from {self.server.name} is too large ({reason}); send fewer images at a "
                "time (--batch) or raise --max-message-mb."
            )
        kind = {
            grpc.StatusCode.UNAVAILABLE: Unavailable,
            grpc.StatusCode.RESOURCE_EXHAUSTED: Unavailable,
            grpc.StatusCode.INVALID_ARGUMENT: Refused,
            grpc.StatusCode.NOT_FOUND: NotFound,
        }.get(code)
        return kind(reason) if kind else UserError(f"The server at {self.server.name} failed: {code.name}, {reason}")
