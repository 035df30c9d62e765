"""Warm-up requests that a server replays before a version takes traffic: ``assets.extra/tf_serving_warmup_requests``.

An uncompressed TFRecord file of ``PredictionLog`` protos, one for each signature. A server that cannot answer one
refuses the version, so they are canaries too.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from iacyclegan_tf.serving.samples import sample_requests

FILE = "tf_serving_warmup_requests"


def write_warmup(servable: str, extra: Path) -> None:
    """Writes the file into ``extra``, the version's ``assets.extra``."""
    with tf.io.TFRecordWriter(str(extra / FILE)) as writer:
        for signature, inputs in sample_requests(servable).items():
            request = PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = servable, signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())
