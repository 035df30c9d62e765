"""``python -m iacyclegan_tf.weights``: the table, the written file, and one sentence for a user's mistake."""

import subprocess
import sys
import time

import numpy as np
import pytest
import vggface_files as files

from iacyclegan_tf.models.vggface_weights import VGGArchitecture, read_vggface_weights, write_vggface_npz
from iacyclegan_tf.weights import main


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "iacyclegan_tf.weights", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def notop(tmp_path_factory):
    """The genuine widths without the top: 59 MB."""
    network = files.random_network(files.BLOCKS_FULL, (1, 1), 1, 7, has_top=False)
    return files.write_keras_vggface(tmp_path_factory.mktemp("notop") / "weights.bin", network)


@pytest.fixture
def tiny_npz(tmp_path):
    network = files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1)
    architecture = VGGArchitecture(files.BLOCKS_TINY, (3, 3), 2, 1)
    path = files.write_matconvnet(tmp_path / "m", network, mean=(120, 110, 100))
    weights = read_vggface_weights(path, architecture)
    write_vggface_npz(weights, tmp_path / "tiny.npz")
    return tmp_path / "tiny.npz", weights


def test_help_is_quick_and_imports_nothing_heavy():
    started = time.perf_counter()
    result = run("--help")
    assert result.returncode == 0 and "--write" in result.stdout
    assert time.perf_counter() - started < 1
    code = (
        "import sys, iacyclegan_tf.weights; "
        "print([m for m in ('numpy', 'tensorflow', 'h5py', 'scipy', 'rich') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_table_of_a_genuine_size_file_and_written_npz(notop, tmp_path):
    result = run(notop, "--write", tmp_path / "out.npz")
    assert result.returncode == 0, result.stderr
    words = result.stdout
    for expected in ("keras-vggface", "3 x 3 x 512 x 512", "14,714,688", "129.1863, 104.7624, 93.5940", "BGR", "none"):
        assert expected in words
    written = read_vggface_weights(tmp_path / "out.npz")
    assert written.fingerprint in words
    assert written.fingerprint == read_vggface_weights(notop).fingerprint
    again = run(tmp_path / "out.npz").stdout
    assert "npz from keras-vggface" in again and written.fingerprint in again


def test_table_shows_top_layers_and_the_mean_of_the_file(tiny_npz, capsys):
    path, weights = tiny_npz
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "npz from matconvnet" in out and "120.0000, 110.0000, 100.0000" in out and "fc6, fc7, fc8" in out
    total = sum(array.size for array in weights.arrays.values())
    assert f"{total:,}" in out and weights.fingerprint in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("│")] == [
        key.removesuffix("/kernel") for key in weights.arrays if key.endswith("kernel")
    ]


def test_writing_over_the_file_that_is_read(tiny_npz):
    path, weights = tiny_npz
    assert main([str(path), "--write", str(path)]) == 0
    assert read_vggface_weights(path).fingerprint == weights.fingerprint


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
def test_mistakes_are_one_sentence_and_code_2(arguments, words, tiny_npz, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "junk").write_bytes(np.arange(4, 200, dtype=np.uint8).tobytes())
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.count("\n") == 1 and captured.err.startswith("error: ")
    assert captured.out == "" and not (tmp_path / "out.h5").exists()
