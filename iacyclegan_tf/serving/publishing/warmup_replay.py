"""Replays the warm-up requests of SavedModels, as a server does when it loads them. A program, not a module to import.

    python -P warmup_replay.py ANSWERS FOLDER …

Of this project nothing is imported, and no Keras layer is rebuilt: a SavedModel that needs either fails here as it
would in a server. The answers to the n-th folder's requests become ``ANSWERS/<n>``, a TFRecord file of
``PredictResponse``, which appears whole or not at all. The first failure ends the process; its reason is on stderr.
"""

import os
import sys

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog


def replay(folder: str, answers: str) -> None:
    model = tf.saved_model.load(folder)  # kept: its variables live as long as it does
    with tf.io.TFRecordWriter(f"{answers}.partial") as writer:
        for record in tf.data.TFRecordDataset(f"{folder}/assets.extra/tf_serving_warmup_requests").as_numpy_iterator():
            request = PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
            response = PredictResponse()
            for name, value in model.signatures[request.model_spec.signature_name](**inputs).items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
            writer.write(response.SerializeToString())
    os.rename(f"{answers}.partial", answers)


if __name__ == "__main__":
    for number, path in enumerate(sys.argv[2:]):
        replay(path, f"{sys.argv[1]}/{number}")
