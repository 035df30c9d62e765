"""The exports of a tiny run, replayed by a fresh process of TensorFlow, answer as the live Keras models do."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.serving.contract import SERVABLES, is_recognizer, signatures
from iacyclegan_tf.serving.modules_of_run import ServedNetworks
from iacyclegan_tf.serving.publishing import infra_validator
from iacyclegan_tf.serving.publishing.graph_check import read_meta_graph
from iacyclegan_tf.serving.publishing.sample_requests import sample_requests

FIT = Fit("squeeze", 32, 32)


@pytest.fixture(scope="module")
def exports(tiny_run) -> dict[str, Path]:
    return {name: tiny_run / f"savedmodels/tiny/{name}/2" for name in SERVABLES}


@pytest.fixture(scope="module")
def live(tiny_run) -> dict[str, keras.Model]:
    """The Keras models of the second round, from the run's checkpoints."""
    networks = ServedNetworks(load_config(tiny_run / "runs/tiny/config.yaml"), (32, 32, 3), FIT)
    networks.read_round(tiny_run / "runs/tiny", 2)
    return {
        name: module.generator if hasattr(module, "generator") else module.recognizer
        for name, module in networks.modules.items()
    }


@pytest.mark.parametrize("name", SERVABLES)
def test_an_export_holds_what_its_signatures_read_and_no_more(name, exports, live):
    """No weights above the recognizers' embedding, and none of the functions that Keras adds for each layer."""
    network = live[name]
    needed = network.variables
    if is_recognizer(name):
        layers = network.layers_up_to(network.embedding)
        assert network.embedding == "pool4" and network.fc7 not in layers
        needed = [network.mean_rgb, *(variable for layer in layers for variable in layer.variables)]
    saved = {
        key: shape
        for key, shape in tf.train.list_variables(str(exports[name] / "variables/variables"))
        if "VARIABLE_VALUE" in key
    }
    assert sorted(map(tuple, saved.values())) == sorted(tuple(variable.shape) for variable in needed)
    program = SavedModel.FromString((exports[name] / "saved_model.pb").read_bytes())
    functions = [function.signature.name for function in program.meta_graphs[0].graph_def.library.function]
    assert functions and not [function for function in functions if "layer_call" in function]


def by_live_model(model: keras.Model, image: np.ndarray) -> np.ndarray:
    """uint8 or whole-number ``[h, w, 3]`` -> what the network makes of it, without ``served_modules.py``."""
    answer = model(FIT.apply(image)[None].astype(np.float32) / 127.5 - 1.0).numpy()[0]
    return answer if answer.ndim == 1 else FIT.undo((answer + 1.0) * 127.5, image.shape[:2])


def compare(model: keras.Model, inputs: dict[str, np.ndarray], outputs: dict[str, np.ndarray]) -> None:
    ((key, found),) = outputs.items()
    wanted = [
        [by_live_model(model, decode_image(one, "sample") if isinstance(one, bytes) else one) for one in value]
        for value in inputs.values()
    ]
    if key == "scores":
        np.testing.assert_allclose(found, np.stack(wanted[0]) @ np.stack(wanted[1]).T, atol=1e-4)
    elif key == "embedding":
        np.testing.assert_allclose(found, np.stack(wanted[0]), atol=1e-4)
    else:
        for one, image in zip(found, wanted[0], strict=True):
            pixels = decode_image(one, "answer") if isinstance(one, bytes) else one
            assert pixels.shape == image.shape and np.abs(pixels - image.astype(np.float32)).max() <= 1.0
            assert np.ptp(pixels) > 10, "an image of one color proves nothing"


@pytest.fixture(scope="module")
def answers(exports, tmp_path_factory) -> dict[str, list[dict[str, np.ndarray]]]:
    """What the process of infra validation gets of each export, by signature in order."""
    place = tmp_path_factory.mktemp("answers")
    ended = infra_validator.replay(list(exports.values()), str(place))
    assert sorted(path.name for path in place.iterdir()) == ["0", "1", "2", "3"], ended
    return {name: infra_validator.read_answers(place / str(number)) for number, name in enumerate(exports)}


@pytest.mark.parametrize("name", SERVABLES)
def test_every_signature_answers_as_the_live_models(name, answers, live):
    requests = sample_requests(name)
    assert list(requests) == list(signatures(name))
    for inputs, outputs in zip(requests.values(), answers[name], strict=True):
        compare(live[name], inputs, outputs)


@pytest.mark.parametrize("name", SERVABLES)
def test_warm_up_requests_are_those_samples(name, exports):
    records = tf.data.TFRecordDataset(str(exports[name] / "assets.extra/tf_serving_warmup_requests"))
    requests = [PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    assert [request.model_spec.signature_name for request in requests] == list(signatures(name))
    for request, inputs in zip(requests, sample_requests(name).values()):
        assert request.model_spec.name == name and request.inputs.keys() == inputs.keys()
        for key, value in inputs.items():
            np.testing.assert_array_equal(tf.make_ndarray(request.inputs[key]), value)


def test_one_undecodable_image_fails_its_request_with_the_reason(exports):
    good = sample_requests("photo_to_sketch")["serving_default"]["image_bytes"]
    images = np.array([good[0], b"GIF89a" + bytes(100)], object)
    model = tf.saved_model.load(str(exports["photo_to_sketch"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="an image is neither JPEG, PNG nor BMP"):
        model.signatures["serving_default"](image_bytes=tf.constant(images))


@pytest.mark.parametrize("name", SERVABLES)
def test_the_model_card_says_what_is_served(name, exports, tiny_run):
    card = json.loads((exports[name] / "assets.extra/model_card.json").read_text())
    metrics = json.loads((tiny_run / "runs/tiny/round_2/metrics.json").read_text())
    assert card["servable"] == name and card["run"] == "tiny" and card["round"] == card["version"] == 2
    assert card["data"]["split_sha256"] == metrics["protocol"]["split_sha256"]
    assert "do not exist" in card["data"]["source"]
    if is_recognizer(name):
        assert card["measures"]["retrieval"] == metrics["retrieval"][name.removesuffix("_recognizer")]
    else:
        assert card["measures"]["ssim"] == metrics[name]["ssim"]
    found = read_meta_graph(exports[name]).signature_def
    for signature, sides in card["signatures"].items():
        assert set(sides["inputs"]) == set(found[signature].inputs)
        assert set(sides["outputs"]) == set(found[signature].outputs)
    assert "Apache-2.0" in card["licence_of_weights"] and "no evidence of identity" in card["danger_of_false_matches"]
    assert len(card["limits"]) >= 2
