"""``python -m iacyclegan_tf.weights``: the table, and one sentence for a user's mistake."""

import numpy as np
import pytest
import vggface_files as files
from in_process import refused, run

from iacyclegan_tf.models.vggface_weights import read_vggface_weights, weights_fingerprint


def test_table_of_a_genuine_size_file(tmp_path):
    """The genuine widths without the top, 59 MB; names that are patterns are only names."""
    network = files.random_network(files.BLOCKS_FULL, (1, 1), 1, 7, has_top=False)
    file = files.write_keras_vggface(tmp_path / "[w]*?.h5", network)
    done = run("weights", file)
    assert done.returncode == 0, done.stderr
    for expected in ("keras-vggface", "3 x 3 x 512 x 512", "14,714,688", "129.1863, 104.7624, 93.5940", "BGR", "none"):
        assert expected in done.stdout
    assert weights_fingerprint(read_vggface_weights(file).arrays) in done.stdout
    rows = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("│")]
    assert rows == list(network)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["absent.h5"], "No such file"),
        (["m", "--write", "out.npz"], "name a new folder"),
        (["m", "--write", "folder"], "name a new folder"),
        (["junk"], "none of the known kinds"),
        (["m"], "architecture"),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(arguments, words, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "junk").write_bytes(np.arange(5, 200, dtype=np.uint8).tobytes())
    files.write_matconvnet(tmp_path / "m", files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1))
    done = run("weights", *arguments, cwd=tmp_path)
    refused(done, words)
    assert done.stderr.count("\n") == 1 and done.stdout == "" and not (tmp_path / "out.npz").exists()
