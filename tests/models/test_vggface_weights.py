"""VGG-Face files in every format: the right values and the right embedding."""

import dataclasses
import hashlib
import json
import os
from functools import partial

import cv2
import numpy as np
import pytest
import vggface_files as files
from vggface_forward import FORWARDS
from vggface_reading import read_here

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights import MEAN_RGB, VGGArchitecture, read_vggface_weights, weights_fingerprint

FORMATS = list(files.WRITERS)
# The widths of Recognizer(width=1/16), so that its own code is what the files are compared with.
THIN = VGGArchitecture(files.BLOCKS_THIN, (256, 256), 10, 7)
TINY = VGGArchitecture(files.BLOCKS_TINY, (3, 3), 2, 1)


@pytest.fixture(scope="module")
def thin_network():
    return files.random_network(files.BLOCKS_THIN, (256, 256), 10, 7)


@pytest.fixture
def tiny_network():
    return files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1)


@pytest.fixture(scope="module")
def thin_files(tmp_path_factory, thin_network):
    """One file per format with the same network; the names tell nothing."""
    folder = tmp_path_factory.mktemp("thin")
    return {name: write(folder / f"file{i}", thin_network) for i, (name, write) in enumerate(files.WRITERS.items())}


@pytest.fixture(scope="module")
def picture():
    """A smooth RGB picture, different in every channel and not symmetric."""
    coarse = np.random.default_rng(3).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return cv2.resize(coarse, (224, 224), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def thin_embeddings(thin_files, thin_network, picture):
    """Of the same network in every file, as others run it."""
    outputs = {name: bias.size for name, (_, bias) in thin_network.items()}
    return {name: forward(thin_files[name], picture, outputs) for name, forward in FORWARDS.items()}


@pytest.fixture(scope="module")
def recognizer():
    from iacyclegan_tf.models.vggface import Recognizer

    return Recognizer(width=1 / 16)


def embedding(recognizer, weights, picture):
    recognizer.load_vggface(weights)
    return recognizer(picture[None].astype(np.float32) / 127.5 - 1).numpy()[0]


def canonical_truth(network):
    """What the canonical arrays must be, written down a second time."""
    truth = {}
    for name, (kernel, bias) in network.items():
        truth[f"{name}/kernel"] = kernel if name.startswith("conv") else kernel.reshape(-1, kernel.shape[-1])
        truth[f"{name}/bias"] = bias
    return truth


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_canonical_arrays(name, thin_files, thin_network):
    weights = read_vggface_weights(thin_files[name], THIN)
    truth = canonical_truth(thin_network)
    assert list(weights.arrays) == list(truth)
    digest = hashlib.sha256()
    for key, values in truth.items():
        assert weights.arrays[key].dtype == np.float32 and not weights.arrays[key].flags.writeable
        np.testing.assert_array_equal(weights.arrays[key], values, err_msg=key)
    for key in sorted(truth):
        digest.update(f"{key}{truth[key].shape}".encode() + truth[key].astype("<f4").tobytes())
    assert (weights.source_format, weights.has_top, weights_fingerprint(weights.arrays)) == (
        name,
        True,
        digest.hexdigest(),
    )
    np.testing.assert_allclose(weights.mean_rgb, MEAN_RGB, rtol=0, atol=1e-4)  # .mat keeps it as float32


# ---------------------------------------------------------------- embeddings


def test_embedding_equals_independent_runs_of_the_files(thin_files, thin_embeddings, recognizer, picture):
    """All files give the same arrays (above), so that one reading stands for all."""
    found = embedding(recognizer, read_here(thin_files["deepface"], THIN), picture)
    for expected in thin_embeddings.values():
        assert np.linalg.norm(found - expected) < 1e-4  # both of length 1


@pytest.fixture
def thin_exports(monkeypatch):
    from iacyclegan_tf.serving import vggface_export

    monkeypatch.setattr(vggface_export, "Recognizer", partial(vggface_export.Recognizer, width=1 / 16))
    monkeypatch.setattr(
        "iacyclegan_tf.models.vggface_weights.read_vggface_weights", partial(read_here, architecture=THIN)
    )


def test_a_savedmodel_of_the_weights_equals_it_too(
    thin_exports, thin_files, thin_embeddings, picture, tmp_path, monkeypatch
):
    """In a folder whose name TensorFlow would take for a pattern of file names."""
    import tensorflow as tf

    from iacyclegan_tf import weights

    out, file = tmp_path / "vgg[f]*a?c{e}" / "1", thin_files["keras-vggface"]
    assert weights.main([str(file), "--write", str(out)]) == 0
    assert os.listdir(tmp_path) == [out.parent.name] and os.listdir(out.parent) == ["1"]
    assert (out / "assets.extra/tf_serving_warmup_requests").is_file()
    origin = json.loads((out / "assets.extra/origin.json").read_text())
    assert (origin["format"], origin["fingerprint"]) == (
        "keras-vggface",
        weights_fingerprint(read_here(file, THIN).arrays),
    )
    monkeypatch.chdir(out)  # TensorFlow cannot open it by its whole name
    served = tf.saved_model.load(".")
    found = served.signatures["serving_default"](image_bytes=tf.io.encode_png(picture)[None])["embedding"].numpy()[0]
    assert np.linalg.norm(found - thin_embeddings["caffe"]) < 1e-4


@pytest.mark.slow
def test_a_savedmodel_without_top_holds_no_random_numbers(thin_exports, tmp_path):
    import tensorflow as tf

    from iacyclegan_tf.serving import vggface_export

    network = files.random_network(files.BLOCKS_THIN, (256, 256), 10, 7, has_top=False)
    weights = read_here(files.write_keras_vggface(tmp_path / "notop", network), THIN)
    vggface_export.export_vggface(weights, tmp_path / "1", {})
    saved = [
        shape
        for name, shape in tf.train.list_variables(str(tmp_path / "1/variables/variables"))
        if "VARIABLE_VALUE" in name
    ]
    assert sorted(map(tuple, saved)) == sorted([*(array.shape for array in weights.arrays.values()), (3,)])
    with pytest.raises(UserError, match="exists already"):
        vggface_export.export_vggface(weights, tmp_path / "1", {})


def swap_channels(weights):
    return {"conv1_1/kernel": weights.arrays["conv1_1/kernel"][:, :, ::-1]}


def flatten_channels_first(weights):
    hwc = weights.arrays["fc6/kernel"].reshape(7, 7, 32, -1)
    return {"fc6/kernel": hwc.transpose(2, 0, 1, 3).reshape(7 * 7 * 32, -1)}


def transpose_rows_and_columns(weights):
    return {key: values.transpose(1, 0, 2, 3) for key, values in weights.arrays.items() if values.ndim == 4}


def flip_kernels(weights):
    """Convolution in place of correlation."""
    return {key: values[::-1, ::-1] for key, values in weights.arrays.items() if values.ndim == 4}


ARRAY_MISTAKES = [swap_channels, flatten_channels_first, transpose_rows_and_columns, flip_kernels]


@pytest.mark.parametrize("mistake", [*ARRAY_MISTAKES, None], ids=lambda m: m.__name__ if m else "swap_mean")
def test_every_mistake_of_convention_moves_the_embedding(mistake, thin_files, thin_embeddings, recognizer, picture):
    """The comparison above can fail: each wrong reading is 20 times over its tolerance or more."""
    weights = read_here(thin_files["keras-vggface"], THIN)
    if mistake is None:
        wrong = dataclasses.replace(weights, mean_rgb=weights.mean_rgb[::-1])
    else:
        wrong = dataclasses.replace(weights, arrays={**weights.arrays, **mistake(weights)})
    found = embedding(recognizer, wrong, picture)
    assert all(np.linalg.norm(found - expected) > 2e-3 for expected in thin_embeddings.values())


def keras_network(name):
    """The published networks, thin: keras-vggface's named functional one, deepface's unnamed Sequential."""

    from iacyclegan_tf.common.keras_door import keras

    layers = keras.layers
    keras.backend.clear_session()
    steps = [layers.Input((224, 224, 3))]
    for block, widths in enumerate(files.BLOCKS_THIN, 1):
        for position, width in enumerate(widths, 1):
            if name == "deepface":
                steps += [layers.ZeroPadding2D(), layers.Conv2D(width, 3, activation="relu")]
            else:
                steps.append(layers.Conv2D(width, 3, activation="relu", padding="same", name=f"conv{block}_{position}"))
        steps.append(layers.MaxPooling2D())
    if name == "deepface":
        steps += [
            layers.Conv2D(256, 7, activation="relu"),
            layers.Dropout(0.5),
            layers.Conv2D(256, 1, activation="relu"),
            layers.Dropout(0.5),
            layers.Conv2D(10, 1),
            layers.Flatten(),
            layers.Activation("softmax"),
        ]
        return keras.Sequential(steps), -5
    steps.append(layers.Flatten(name="flatten"))
    for fc, width in (("fc6", 256), ("fc7", 256), ("fc8", 10)):
        steps += [layers.Dense(width, name=fc), layers.Activation("relu", name=f"{fc}/relu")]
    hidden = steps[0]
    for step in steps[1:]:
        hidden = step(hidden)
    return keras.Model(steps[0], hidden), -3


@pytest.mark.parametrize("name, whole_model", [("keras-vggface", True), ("deepface", False)])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_file_written_by_keras_itself(name, whole_model, tmp_path, recognizer, picture):
    """Keras writes the file and Keras runs it, on B, G, R pixels minus the mean."""

    from iacyclegan_tf.common.keras_door import keras

    model, fc7 = keras_network(name)
    rng = np.random.default_rng(5)
    model.set_weights(
        [rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])) if w.ndim > 1 else 0.5, w.shape) for w in model.get_weights()]
    )
    path = tmp_path / "weights.h5"
    model.save(path) if whole_model else model.save_weights(path)
    feature = keras.Model(model.inputs, model.layers[fc7].output)
    pixels = picture[None, ..., ::-1].astype(np.float32) - np.float32(files.MEAN_BGR)
    expected = feature(pixels).numpy().reshape(-1)
    weights = read_here(path, THIN)
    assert weights.source_format == name
    found = embedding(recognizer, weights, picture)
    assert np.linalg.norm(found - expected / np.linalg.norm(expected)) < 1e-4


@pytest.mark.slow
def test_full_size_caffe_file(tmp_path, picture):
    """The genuine widths, 580 MB: OpenCV and Recognizer agree."""
    from iacyclegan_tf.models.vggface import Recognizer

    network = files.random_network(files.BLOCKS_FULL, (4096, 4096), 2622, 7, seed=1)
    outputs = {name: bias.size for name, (_, bias) in network.items()}
    path = files.write_caffe(tmp_path / "full", network)
    del network
    expected = FORWARDS["caffe"](path, picture, outputs)
    weights = read_vggface_weights(path)
    path.unlink()
    # 14,714,688 below fc6, 130,288,190 in fc6 to fc8
    assert sum(array.nbytes for array in weights.arrays.values()) == 4 * 145_002_878
    assert np.linalg.norm(embedding(Recognizer(), weights, picture) - expected) < 1e-4


@pytest.mark.slow
def test_genuine_widths_fit_the_limits_of_memory_in_float64(tmp_path):
    """The largest that a .mat file can be: 1.2 GB."""
    network = files.random_network(files.BLOCKS_FULL, (4096, 4096), 2622, 7, seed=1)
    doubles = {name: (kernel.astype(np.float64), bias) for name, (kernel, bias) in network.items()}
    path = files.write_matconvnet(tmp_path / "m", doubles)
    del doubles
    weights = read_vggface_weights(path)
    np.testing.assert_array_equal(weights.arrays["fc6/kernel"], network["fc6"][0].reshape(25088, 4096))


# ---------------------------------------------------------------- variants of the formats

VARIANTS = {
    "caffe new layer field": lambda path, net: files.write_caffe(path, net, legacy=False),
    "caffe double": lambda path, net: files.write_caffe(path, net, legacy=False, dtype="<f8"),
    "mat compressed": lambda path, net: files.write_matconvnet(path, net, compress=True),
    "mat in net": lambda path, net: files.write_matconvnet(path, net, wrapped=True),
    "mat filters, biases": lambda path, net: files.write_matconvnet(path, net, oldest=True),
    "mat oldest in net": lambda path, net: files.write_matconvnet(path, net, wrapped=True, oldest=True),
    "mat without mean": lambda path, net: files.write_matconvnet(path, net, mean=np.zeros((0, 0))),
    "mat mean picture": lambda path, net: files.write_matconvnet(
        path, net, mean=np.broadcast_to(np.array(MEAN_RGB), (224, 224, 3))
    ),
    "keras 1 names": lambda path, net: files.write_keras_vggface(path, net, keras1=True),
    "deepface keras 1 names": lambda path, net: files.write_deepface(path, net, keras1=True),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_the_layouts(variant, tmp_path, tiny_network):
    weights = read_here(VARIANTS[variant](tmp_path / "weights", tiny_network), TINY)
    for key, values in canonical_truth(tiny_network).items():
        np.testing.assert_array_equal(weights.arrays[key], values, err_msg=key)
    np.testing.assert_allclose(weights.mean_rgb, MEAN_RGB, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["caffe", "matconvnet", "keras-vggface"])
def test_file_without_top(name, tmp_path):
    network = files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1, has_top=False)
    weights = read_here(files.WRITERS[name](tmp_path / "notop", network), TINY)
    assert not weights.has_top and len(weights.arrays) == 26
