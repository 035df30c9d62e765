"""VGG-Face files that are wrong, damaged or made with ill intent: each gives one UserError sentence."""

import io
import re
import struct
import subprocess
import sys
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import vggface_files as files

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights import (
    GENUINE,
    MEAN_RGB,
    VGGArchitecture,
    read_vggface_weights,
    write_vggface_npz,
)

FORMATS = list(files.WRITERS)
TINY = VGGArchitecture(files.BLOCKS_TINY, (3, 3), 2, 1)


@pytest.fixture
def tiny_network():
    return files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1)


def refused(path, architecture=TINY):
    with pytest.raises(UserError) as caught:
        read_vggface_weights(path, architecture)
    text = str(caught.value)
    assert str(path) in text and text.endswith(".") and "\n" not in text and len(text) < 500
    return text


# ---------------------------------------------------------------- wrong files


@pytest.mark.parametrize("name", FORMATS)
class TestWrongNetworks:
    def write(self, name, path, network):
        return files.WRITERS[name](path, network)

    def test_other_architecture(self, name, tmp_path, tiny_network):
        kernel, bias = tiny_network["conv3_2"]
        tiny_network["conv3_2"] = (np.concatenate([kernel] * 2, axis=3), np.concatenate([bias] * 2))
        text = refused(self.write(name, tmp_path / "w", tiny_network))
        assert "conv3_2 kernel" in text and "architecture" in text

    def test_other_number_of_classes(self, name, tmp_path):
        """A fine-tuned network, or ImageNet's with its 1000 classes."""
        network = files.random_network(files.BLOCKS_TINY, (3, 3), 5, 1)
        assert "fc8 kernel" in refused(self.write(name, tmp_path / "w", network))

    def test_thin_network_is_not_genuine(self, name, tmp_path, tiny_network):
        path = self.write(name, tmp_path / "w", tiny_network)
        expected = "(64, 3, 3, 3)" if name == "caffe" else "(3, 3, 3, 64)"
        assert expected in refused(path, None)
        assert refused(path, GENUINE) == refused(path, None)

    def test_layer_missing(self, name, tmp_path, tiny_network):
        del tiny_network["conv4_2"]
        text = refused(self.write(name, tmp_path / "w", tiny_network))
        assert ("conv4_2" in text) or (name == "deepface" and "15 layers" in text)

    def test_half_a_top(self, name, tmp_path, tiny_network):
        del tiny_network["fc8"]
        text = refused(self.write(name, tmp_path / "w", tiny_network))
        assert "fc8" in text

    def test_layer_too_many(self, name, tmp_path, tiny_network):
        tiny_network["conv5_4"] = tiny_network["conv5_3"]
        text = refused(self.write(name, tmp_path / "w", tiny_network))
        assert ("conv5_4" in text) or (name == "deepface" and "17 layers" in text)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("layer, part", [("conv2_1", 0), ("fc6", 0), ("fc8", 1)])
    def test_not_finite(self, name, value, layer, part, tmp_path, tiny_network):
        tiny_network[layer][part].reshape(-1)[-1] = value
        text = refused(self.write(name, tmp_path / "w", tiny_network))
        assert "not finite" in text and layer in text

    def test_only_zeros(self, name, tmp_path, tiny_network):
        tiny_network["fc7"][0][:] = 0
        assert "only zeros for the fc7 kernel" in refused(self.write(name, tmp_path / "w", tiny_network))

    def test_half_a_file(self, name, tmp_path, tiny_network):
        path = self.write(name, tmp_path / "w", tiny_network)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        refused(path)


def raw(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "0 bytes"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"\x80\x04\x95\x10\x00", "pickle"),
        (b"\x1f\x8b\x08\x00" + bytes(50), "archive"),
        (b'name: "VGG_FACE_16_layers"\ninput: "data"', "text description"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n", "-v7"),
        (b"\x04\x00\x00\x00torch7", "none of the known kinds"),
        (b"PK\x03\x04" + bytes(100), ".npz"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"\x0a\x05hello", "no weights for 'conv1_1'"),
        (b"\x12" + b"\xff" * 20, "protobuf number"),
    ],
)
def test_files_of_another_kind(data, words, tmp_path):
    assert words in refused(raw(tmp_path / "weights.h5", data))


def test_missing_file_and_folder(tmp_path):
    assert "No such file" in refused(tmp_path / "absent.mat")
    assert "not a file" in refused(tmp_path)


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
    linked = files.write_keras_vggface(tmp_path / "linked.h5", tiny_network)
    with h5py.File(linked, "a") as file:
        del file["conv1_1"]
        file["conv1_1"] = h5py.ExternalLink(str(secret), "conv1_1")
    assert "does not hold" in refused(linked)
    outside = files.write_keras_vggface(tmp_path / "outside.h5", tiny_network)
    with h5py.File(outside, "a") as file:
        del file["fc7/fc7/bias:0"]
        raw(tmp_path / "values.bin", np.ones(3, np.float32).tobytes())
        file["fc7/fc7"].create_dataset("bias:0", (3,), np.float32, external=str(tmp_path / "values.bin"))
    assert "another file" in refused(outside)
    virtual = files.write_keras_vggface(tmp_path / "virtual.h5", tiny_network)
    layout = h5py.VirtualLayout((3,), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "fc7/fc7/bias:0", (3,))
    with h5py.File(virtual, "a") as file:
        del file["fc7/fc7/bias:0"]
        file["fc7/fc7"].create_virtual_dataset("bias:0", layout)
    assert "another file" in refused(virtual)


def test_hdf5_group_that_holds_itself(tmp_path, tiny_network):
    path = files.write_keras_vggface(tmp_path / "k", tiny_network)
    with h5py.File(path, "a") as file:
        file["conv3_1/loop"] = file["conv3_1"]
    assert "nested deeper" in refused(path)


READ_ALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from iacyclegan_tf.errors import UserError
from iacyclegan_tf.models.vggface_weights import VGGArchitecture, read_vggface_weights
tiny = VGGArchitecture(((2, 2), (2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)), (3, 3), 2, 1)
for path in sys.argv[1:]:
    try:
        read_vggface_weights(path, tiny)
    except UserError:
        pass
# Not ru_maxrss: a child inherits its parent's peak.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_hdf5_damaged_heaps_take_no_memory(tmp_path, tiny_network):
    """One changed byte in the address of a group's heap made h5py's visititems take 24 GB."""
    data = files.write_deepface(tmp_path / "d", tiny_network).read_bytes()
    heaps = [match.start() for match in re.finditer(b"HEAP", data)]
    assert len(heaps) > 30
    paths = []
    for at in heaps:
        changed = bytearray(data)
        changed[at + 25] = 123
        paths.append(str(raw(tmp_path / f"heap{at}", bytes(changed))))
    command = [sys.executable, "-c", READ_ALL, *paths]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 1 << 20  # KiB


def small_mat(path, network, **variables):
    scipy.io.savemat(path, {**files.mat_content(network), **variables})
    return path.read_bytes()


@pytest.mark.parametrize("compress", [False, True])
def test_mat_cell_array_that_claims_more_than_the_file(compress, tmp_path):
    """Two thousand million cells would take 16 GB before the first is read."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"layers": files.cell([np.zeros(1)])})
    data = bytearray(buffer.getvalue())
    at = data.index(struct.pack("<ii", 1, 1), 136)
    data[at : at + 8] = struct.pack("<ii", 1, 2**31 - 1)
    if compress:
        packed = zlib.compress(bytes(data[128:]))
        data[128:] = struct.pack("<II", 15, len(packed)) + packed
    assert "2147483647" in refused(raw(tmp_path / "m", bytes(data)))


def test_mat_that_inflates_without_end(tmp_path, monkeypatch):
    from iacyclegan_tf.models.vggface_weights import mat_bounds

    monkeypatch.setattr(mat_bounds, "MAX_BYTES", 1 << 20)
    with open(tmp_path / "m", "wb") as file:
        scipy.io.savemat(file, {"layers": np.zeros(1 << 20)}, do_compression=True)
    assert (tmp_path / "m").stat().st_size < 20_000
    assert "hold more than" in refused(tmp_path / "m")


def test_mat_with_deep_nesting(tmp_path):
    value = np.zeros(1)
    for _ in range(40):
        value = files.cell([value])
    with open(tmp_path / "m", "wb") as file:
        scipy.io.savemat(file, {"layers": value})
    assert "nested" in refused(tmp_path / "m")


def test_mat_number_type_that_does_not_exist(tmp_path, tiny_network):
    """scipy 1.17 ends the process on this one."""
    data = bytearray(small_mat(tmp_path / "m", tiny_network))
    at = data.index(struct.pack("<II", 7, tiny_network["conv1_1"][0].nbytes))
    data[at] = 19
    assert "type 19" in refused(raw(tmp_path / "m", bytes(data)))


def test_mat_with_other_variables_beside(tmp_path, tiny_network):
    small_mat(tmp_path / "m", tiny_network, note="anything", sparse=scipy.sparse.eye(3).tocsc())
    assert read_vggface_weights(tmp_path / "m", TINY).has_top


def npz_members(path, network):
    write_vggface_npz(read_vggface_weights(files.write_caffe(path, network), TINY), path.with_suffix(".npz"))
    with np.load(path.with_suffix(".npz")) as archive:
        return dict(archive)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"conv1_2/bias": None}, "conv1_2/bias"),
        ({"fc7/kernel": None}, "fc7/kernel"),
        ({"extra": np.zeros(1)}, "extra"),
        ({"fc6/kernel": np.ones((3, 3), np.float32)}, "fc6/kernel"),
        ({"mean_rgb": np.array([1.0, 2.0])}, "mean"),
        ({"origin": np.array("x" * 99)}, "from which kind"),
        ({"iacyclegan_tf_vggface": np.array(2)}, "version 2"),
        ({"iacyclegan_tf_vggface": None}, "not VGG-Face weights written by this program"),
        ({"conv1_1/kernel": np.full((3, 3, 3, 2), np.nan, np.float32)}, "not finite"),
        ({"origin": np.array([{"a": 1}], dtype=object)}, "npz"),
    ],
)
def test_npz_that_does_not_fit(change, words, tmp_path, tiny_network):
    members = npz_members(tmp_path / "c", tiny_network)
    members = {key: value for key, value in {**members, **change}.items() if value is not None}
    np.savez(tmp_path / "wrong.npz", **members)
    assert words in refused(tmp_path / "wrong.npz", None)


# ---------------------------------------------------------------- damaged files


def damaged(data, rng):
    """A truncation, or one to five bytes changed; half of the changes in the first quarter (headers)."""
    if rng.random() < 0.3:
        return data[: rng.integers(len(data))]
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        changed[rng.integers(len(data) // (4 if rng.random() < 0.5 else 1))] = rng.integers(256)
    return bytes(changed)


@pytest.mark.parametrize("name", [*FORMATS, "mat compressed", "npz"])
def test_damage_gives_weights_or_one_sentence(name, tmp_path, tiny_network):
    if name == "npz":
        npz_members(tmp_path / "c", tiny_network)
        data = (tmp_path / "c.npz").read_bytes()
    elif name == "mat compressed":
        data = files.write_matconvnet(tmp_path / "m", tiny_network, compress=True).read_bytes()
    else:
        data = files.WRITERS[name](tmp_path / "w", tiny_network).read_bytes()
    rng, refusals = np.random.default_rng(7), 0
    for _ in range(120):
        path = raw(tmp_path / "damaged", damaged(data, rng))
        try:
            weights = read_vggface_weights(path, TINY)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error) and len(str(error)) < 500
            refusals += 1
        else:
            assert all(np.isfinite(array).all() for array in weights.arrays.values())
    assert refusals > 40
