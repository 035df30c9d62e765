"""VGG-Face files that are wrong, damaged or made with ill intent: each gives one UserError sentence."""

import contextlib
import io
import re
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import vggface_files as files
from vggface_reading import read_here, read_in_fork

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights import MEAN_RGB, VGGArchitecture, read_vggface_weights, reading

FORMATS = list(files.WRITERS)
TINY = VGGArchitecture(files.BLOCKS_TINY, (3, 3), 2, 1)


@pytest.fixture
def tiny_network():
    return files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1)


def refused(path, architecture=TINY, read=read_here):
    with pytest.raises(UserError) as caught:
        read(path, architecture)
    text = str(caught.value)
    assert str(path) in text and text.endswith(".") and "\n" not in text and len(text) < 500
    return text


def raw(path, data):
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------- wrong networks


def wider(network):
    kernel, bias = network["conv3_2"]
    network["conv3_2"] = (np.concatenate([kernel] * 2, axis=3), np.concatenate([bias] * 2))


def set_last(layer, part, value):
    def change(network):
        network[layer][part].reshape(-1)[-1] = value

    return change


def zeroed(network):
    network["fc7"][0][:] = 0


WRONG = {
    "other width": (wider, "architecture of VGG-Face: the conv3_2|architecture .*'conv2d_6'"),
    "other number of classes": (
        lambda network: network.update(files.random_network(files.BLOCKS_TINY, (3, 3), 5, 1)),
        "fc8",
    ),
    "layer missing": (lambda network: network.pop("conv4_2"), "no weights for 'conv4_2'|15 layers"),
    "half a top": (lambda network: network.pop("fc8"), "no weights for 'fc8'|15 layers"),
    "layer too many": (lambda network: network.update(conv5_4=network["conv5_3"]), "holds .*conv5_4|17 layers"),
    "NaN": (set_last("conv2_1", 0, np.nan), "not finite .* conv2_1 kernel"),
    "infinity": (set_last("fc6", 0, np.inf), "not finite .* fc6 kernel"),
    "infinite bias": (set_last("fc8", 1, -np.inf), "not finite .* fc8 bias"),
    "zeros": (zeroed, "only zeros for the fc7 kernel"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_networks(name, mistake, tmp_path, tiny_network):
    change, words = WRONG[mistake]
    change(tiny_network)
    assert re.search(words, refused(files.WRITERS[name](tmp_path / "w", tiny_network)))


@pytest.mark.parametrize("name", FORMATS)
def test_thin_network_is_not_genuine_and_half_a_file_is_damaged(name, tmp_path, tiny_network):
    path = files.WRITERS[name](tmp_path / "w", tiny_network)
    # Through a process, as in use: the sentence comes back from it.
    expected = "(64, 3, 3, 3)" if name == "caffe" else "(3, 3, 3, 64)"
    assert expected in refused(path, None, read_vggface_weights)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "not a readable" in refused(path)


# ---------------------------------------------------------------- files of another kind


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"\x80\x02}q\x00.")
    return buffer.getvalue()


OTHERS = [
    (b"", "0 bytes"),
    (b"\n<!DOCTYPE html><html>404</html>", "web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
    (zipped("archive/data.pkl", "archive/version", "archive/data/0"), "a PyTorch file"),
    (zipped("vgg_face/code/__torch__.py", "vgg_face/data.pkl"), "a PyTorch file"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "PyTorch's old files"),
    (b"\x80\x04\x95\x10\x00", "which is never opened"),
    (b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1\x0d\0\0\0nn.Sequential", "Torch7"),
    (struct.pack("<Q", 60) + b'{"conv1_1.weight":{"dtype":"F32"', "safetensors"),
    (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:\xff\x01", "ONNX"),
    (zipped("metadata.json", "config.json", "model.weights.h5"), "Keras 3"),
    (b"\x1f\x8b\x08\x00" + bytes(50), "archive (tar, gzip"),
    (b"VGG_FACE.caffemodel".ljust(257, b"\0") + b"ustar\0" + bytes(300), "archive (tar, gzip"),
    (zipped("VGG_FACE.caffemodel", "README"), "zip archive"),
    (zipped("a.npy", "b.npy"), "an .npz file"),
    (b'name: "VGG_FACE_16_layers"\ninput: "data"', "text description"),
    (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n", "-v7"),
    (b"\x04\x00\x00\x00torch7", "none of the known kinds"),
    (b"PK\x03\x04" + bytes(100), "a damaged zip archive"),
    (b"\x89HDF\r\n\x1a\n" + bytes(100), "not a readable HDF5"),
    (b"\x0a\x05hello", "no weights for 'conv1_1'"),
    (b"\x12" + b"\xff" * 20, "protobuf number"),
    (b"\x12\x64hello", "cut short"),
]


@pytest.mark.parametrize("data, words", OTHERS, ids=range(len(OTHERS)))
def test_files_of_another_kind(data, words, tmp_path):
    text = refused(raw(tmp_path / "weights.h5", data))
    assert words in text.replace(str(tmp_path), "")


def test_folders_and_missing_files(tmp_path):
    assert "No such file" in refused(tmp_path / "absent.mat")
    assert "is not a file" in refused(tmp_path)


# ---------------------------------------------------------------- MatConvNet


def test_swapped_mean_of_a_mat_file_is_noticed(tmp_path, tiny_network):
    path = files.write_matconvnet(tmp_path / "m", tiny_network, mean=MEAN_RGB[::-1])
    assert "B, G, R order" in refused(path)


@pytest.mark.parametrize("mean", [np.ones(2), np.array([300.0, 1.0, 1.0]), np.array([np.nan, 1, 1])])
def test_mean_that_is_no_mean(mean, tmp_path, tiny_network):
    assert "averageImage" in refused(files.write_matconvnet(tmp_path / "m", tiny_network, mean=mean))


def test_integers_are_refused(tmp_path, tiny_network):
    content = files.mat_content(tiny_network)
    content["layers"][0, 4]["weights"][0, 0] = np.ones((3, 3, 2, 2), np.int32)
    scipy.io.savemat(tmp_path / "m.mat", content)
    assert "floating point" in refused(tmp_path / "m.mat")


def test_float64_beyond_float32_is_refused(tmp_path, tiny_network):
    tiny_network["fc6"] = (tiny_network["fc6"][0].astype(np.float64) * 1e300, tiny_network["fc6"][1])
    assert "not finite" in refused(files.write_matconvnet(tmp_path / "m", tiny_network))


def small_mat(path, network, **variables):
    scipy.io.savemat(path, {**files.mat_content(network), **variables})
    return path.read_bytes()


def test_mat_with_other_variables_beside(tmp_path, tiny_network):
    small_mat(tmp_path / "m", tiny_network, note="anything", sparse=scipy.sparse.eye(3).tocsc())
    assert read_here(tmp_path / "m", TINY).has_top


@pytest.mark.parametrize("compress", [False, True])
def test_mat_cell_array_that_claims_more_than_the_limit(compress, tmp_path):
    """Two thousand million cells would take 16 GB before the first is read."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"layers": files.cell([np.zeros(1)])})
    data = bytearray(buffer.getvalue())
    at = data.index(struct.pack("<ii", 1, 1), 136)
    data[at : at + 8] = struct.pack("<ii", 1, 2**31 - 1)
    if compress:
        packed = zlib.compress(bytes(data[128:]))
        data[128:] = struct.pack("<II", 15, len(packed)) + packed
    assert "Unable to allocate" in refused(raw(tmp_path / "m", bytes(data)), read=read_vggface_weights)


def test_mat_that_ends_the_process_that_reads_it(tmp_path, tiny_network):
    """scipy 1.17 ends it on a number type that does not exist."""
    data = bytearray(small_mat(tmp_path / "m", tiny_network))
    at = data.index(struct.pack("<II", 7, tiny_network["conv1_1"][0].nbytes))
    data[at] = 19
    text = refused(raw(tmp_path / "m", bytes(data)), read=read_vggface_weights)
    assert "the process that read it ended with SIGSEGV" in text


def test_reading_without_end(tmp_path, tiny_network, monkeypatch):
    """A library that hangs, in the process that reads."""
    raw(
        tmp_path / "sitecustomize.py",
        b"import scipy.io\ndef hang(*_, **__):\n    while True: pass\nscipy.io.loadmat=hang",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(reading, "MAX_SECONDS", 1)
    path = files.write_matconvnet(tmp_path / "m", tiny_network)
    assert "took more than 1 s" in refused(path, read=read_vggface_weights)


# ---------------------------------------------------------------- Caffe


def test_same_caffe_layer_twice(tmp_path, tiny_network):
    path = files.write_caffe(tmp_path / "c", tiny_network)
    path.write_bytes(path.read_bytes() + path.read_bytes())
    assert "twice" in refused(path)


def test_caffe_blob_whose_shape_and_numbers_disagree(tmp_path, tiny_network):
    head, data = files.blob(tiny_network["conv1_1"][1])
    wrong = files.number_field(1, 2**62) + files.number_field(2, 4) + head[len(files.number_field(1, 1)) * 2 :]
    path = raw(tmp_path / "c", b"".join(files.caffe_layer("conv1_1", [[wrong, bytes(data)]])))
    assert "says shape" in refused(path)


def test_caffe_numbers_not_packed(tmp_path):
    dimensions = b"".join(files.number_field(i, n) for i, n in enumerate((1, 1, 1, 2), 1))
    loose = dimensions + 2 * (b"\x2d" + bytes(4))
    assert "packed" in refused(raw(tmp_path / "c", b"".join(files.caffe_layer("fc6", [[loose]]))))


# ---------------------------------------------------------------- HDF5


def test_keras_imagenet_file_is_named(tmp_path):
    one = np.ones((3, 3, 1, 1), np.float32)
    layers = [(f"block1_conv{i}", one, np.ones(1, np.float32)) for i in range(13)]
    assert "ImageNet" in refused(files.write_keras_h5(tmp_path / "k", layers))


def test_hdf5_not_from_keras(tmp_path):
    with h5py.File(tmp_path / "k", "w") as file:
        file["layers/conv2d/vars/0"] = np.zeros(3)  # the layout of Keras 3
    assert "layer_names" in refused(tmp_path / "k")


def test_hdf5_that_points_outside_is_refused(tmp_path, tiny_network):
    secret = files.write_keras_vggface(tmp_path / "other.h5", tiny_network)

    def changed(layer, change):
        path = files.write_keras_vggface(tmp_path / "changed.h5", tiny_network)
        with h5py.File(path, "a") as file:
            del file[layer]
            change(file)
        return refused(path)

    def virtual(file):
        layout = h5py.VirtualLayout((3,), np.float32)
        layout[:] = h5py.VirtualSource(str(secret), "fc7/fc7/bias:0", (3,))
        file["fc7/fc7"].create_virtual_dataset("bias:0", layout)

    values = raw(tmp_path / "values.bin", np.ones(3, np.float32).tobytes())
    link = h5py.ExternalLink(str(secret), "conv1_1")
    assert "does not hold" in changed("conv1_1", lambda file: file.update({"conv1_1": link}))
    assert "another file" in changed("fc7/fc7/bias:0", virtual)
    assert "another file" in changed(
        "fc7/fc7/bias:0", lambda file: file["fc7/fc7"].create_dataset("bias:0", (3,), np.float32, external=str(values))
    )
    # A layer's name that leads through a link: "fc6/relu" is a genuine name, "away/conv1_1" is not.
    path = files.write_keras_h5(tmp_path / "through.h5", [("away/conv1_1", np.ones((3, 3, 3, 2)), np.ones(2))])
    with h5py.File(path, "a") as file:
        del file["away"]
        file["away"] = h5py.ExternalLink(str(secret), "/")
    assert "does not hold" in refused(path)


def test_hdf5_group_that_holds_itself(tmp_path, tiny_network):
    path = files.write_keras_vggface(tmp_path / "k", tiny_network)
    with h5py.File(path, "a") as file:
        file["conv3_1/loop"] = file["conv3_1"]
    assert "nested deeper" in refused(path)


def test_hdf5_damaged_heaps_take_no_memory(tmp_path, tiny_network):
    """One changed byte in the address of a group's heap made h5py's visititems take 24 GB."""
    data = files.write_deepface(tmp_path / "d", tiny_network).read_bytes()
    heaps = [match.start() for match in re.finditer(b"HEAP", data)]
    assert len(heaps) > 30
    for at in heaps:
        changed = bytearray(data)
        changed[at + 25] = 123
        with contextlib.suppress(UserError):
            read_in_fork(raw(tmp_path / "heap", bytes(changed)), TINY)


# ---------------------------------------------------------------- damaged files


def damaged(data, rng):
    """A truncation, or one to five bytes changed; half of the changes in the first quarter (headers)."""
    if rng.random() < 0.3:
        return data[: rng.integers(len(data))]
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        changed[rng.integers(len(data) // (4 if rng.random() < 0.5 else 1))] = rng.integers(256)
    return bytes(changed)


@pytest.mark.parametrize("name", [*FORMATS, "mat compressed"])
def test_damage_gives_weights_or_one_sentence(name, tmp_path, tiny_network):
    if name == "mat compressed":
        data = files.write_matconvnet(tmp_path / "m", tiny_network, compress=True).read_bytes()
    else:
        data = files.WRITERS[name](tmp_path / "w", tiny_network).read_bytes()
    read, count = (read_in_fork, 40) if "mat" in name else (read_here, 120)
    rng, refusals = np.random.default_rng(7), 0
    for _ in range(count):
        path = raw(tmp_path / "damaged", damaged(data, rng))
        try:
            weights = read(path, TINY)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error) and len(str(error)) < 500
            refusals += 1
        else:
            assert weights is None or all(np.isfinite(array).all() for array in weights.arrays.values())
    assert refusals > count // 3
