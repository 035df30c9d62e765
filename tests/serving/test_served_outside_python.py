"""The exports of a tiny run, loaded and run outside Python, answer as the live Keras models do.

The process of infra validation, on TensorFlow's C library alone, is the nearest thing to TensorFlow Serving that is at
hand; ``saved_model_cli`` is the loader of a fresh TensorFlow process.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import outside_python
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.serving.modules_of_run import ServedNetworks
from iacyclegan_tf.serving.publishing.graph_check import read_meta_graph
from iacyclegan_tf.serving.publishing.sample_requests import sample_requests
from iacyclegan_tf.serving.signatures import SERVABLES, is_recognizer, signatures

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
        assert network.embedding == "pool3" and network.fc7 not in layers
        needed = [network.mean_rgb, network.centres, *(variable for layer in layers for variable in layer.variables)]
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


@pytest.mark.parametrize("name", SERVABLES)
def test_every_signature_answers_as_the_live_models(name, exports, live):
    requests = sample_requests(name)
    answers = outside_python.ask(exports[name], requests)
    assert list(requests) == list(answers) == list(signatures(name))
    for signature, inputs in requests.items():
        compare(live[name], inputs, answers[signature])


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
    with pytest.raises(RuntimeError, match="an image is neither JPEG, PNG nor BMP"):
        outside_python.ask(exports["photo_to_sketch"], {"serving_default": {"image_bytes": images}})


@pytest.mark.slow
def test_saved_model_cli_answers_as_the_live_models(exports, live, tmp_path):
    """``saved_model_cli run`` on every signature of every export, all in one fresh process to start TensorFlow once."""
    commands, expected = [], []
    for name, folder in exports.items():
        for signature, inputs in sample_requests(name).items():
            for key, value in inputs.items():
                np.save(tmp_path / f"{name}.{signature}.{key}.npy", value)
            out = tmp_path / name / signature
            files = ";".join(f"{key}={tmp_path}/{name}.{signature}.{key}.npy" for key in inputs)
            commands.append(
                [
                    "run",
                    "--dir",
                    str(folder),
                    "--tag_set",
                    "serve",
                    "--signature_def",
                    signature,
                    "--outdir",
                    str(out),
                    "--inputs",
                    files,
                ]
            )
            expected.append((name, signature, inputs, out))
    script = """
import json, sys
from tensorflow.python.tools import saved_model_cli

saved_model_cli.app.run = lambda main: main(sys.argv)  # absl's would end the process after the first
for command in json.load(sys.stdin):
    sys.argv = ["saved_model_cli", *command]
    saved_model_cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name, signature, inputs, out in expected:
        (key,) = signatures(name)[signature].outputs
        compare(live[name], inputs, {key: np.load(out / f"{key}.npy", allow_pickle=True)})


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
