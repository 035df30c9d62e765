"""``python -m iacyclegan_tf.weights``: the table, the written file, and one sentence for a user's mistake."""

import numpy as np
import pytest
import vggface_files as files
from in_process import refused, run
from vggface_reading import read_here

from iacyclegan_tf.models.vggface_weights import VGGArchitecture, read_vggface_weights, write_vggface_npz


@pytest.fixture
def tiny_npz(tmp_path):
    network = files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1)
    path = files.write_matconvnet(tmp_path / "m", network, mean=(120, 110, 100))
    weights = read_here(path, VGGArchitecture(files.BLOCKS_TINY, (3, 3), 2, 1))
    write_vggface_npz(weights, tmp_path / "tiny.npz")
    return tmp_path / "tiny.npz", weights


def test_table_of_a_genuine_size_file_and_written_npz(tmp_path):
    """The genuine widths without the top, 59 MB; names that are patterns are only names."""
    network = files.random_network(files.BLOCKS_FULL, (1, 1), 1, 7, has_top=False)
    file = files.write_keras_vggface(tmp_path / "[w]*?.h5", network)
    done = run("weights", file, "--write", tmp_path / "out[1].npz")
    assert done.returncode == 0, done.stderr
    for expected in ("keras-vggface", "3 x 3 x 512 x 512", "14,714,688", "129.1863, 104.7624, 93.5940", "BGR", "none"):
        assert expected in done.stdout
    written = read_vggface_weights(tmp_path / "out[1].npz")
    assert written.fingerprint in done.stdout and str(tmp_path / "out[1].npz") in done.stdout
    np.testing.assert_array_equal(written.arrays["conv5_3/kernel"], network["conv5_3"][0])


def test_table_shows_top_layers_and_the_mean_of_the_file(tiny_npz):
    path, weights = tiny_npz
    done = run("weights", path, "--write", path)  # over the file that is read
    assert done.returncode == 0 and read_vggface_weights(path).fingerprint == weights.fingerprint
    out = done.stdout
    assert "npz from matconvnet" in out and "120.0000, 110.0000, 100.0000" in out and "fc6, fc7, fc8" in out
    total = sum(array.size for array in weights.arrays.values())
    assert f"{total:,}" in out and weights.fingerprint in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("│")] == [
        key.removesuffix("/kernel") for key in weights.arrays if key.endswith("kernel")
    ]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["absent.h5"], "No such file"),
        (["tiny.npz", "--write", "out.h5"], "must end in .npz"),
        (["tiny.npz", "--write", "nowhere/out.npz"], "in a folder that exists"),
        (["tiny.npz", "--write", "folder"], "folder, which exists"),
        (["junk"], "none of the known kinds"),
        (["m"], "architecture"),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(arguments, words, tiny_npz, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "junk").write_bytes(np.arange(5, 200, dtype=np.uint8).tobytes())
    done = run("weights", *arguments, cwd=tmp_path)
    refused(done, words)
    assert done.stderr.count("\n") == 1 and done.stdout == "" and not (tmp_path / "out.h5").exists()
