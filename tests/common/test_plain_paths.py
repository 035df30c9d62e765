"""Folders whose names are patterns to TensorFlow."""

import pytest
import tensorflow as tf

from iacyclegan_tf.common.plain_paths import plain_path
from iacyclegan_tf.models.saved_state import read_folder, write_folder


@pytest.mark.parametrize("name", ["lr[1e-4]", "a*", "b?c", "back\\slash", "[x", "plain"])
def test_a_state_is_written_and_read_wherever_it_lies(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    for folder in (tmp_path / name / "state", tmp_path / name / name):
        variable = tf.Variable(3.0)
        write_folder(folder, tf.train.Checkpoint(v=variable), {"step": 1})
        variable.assign(0.0)
        assert read_folder(folder, tf.train.Checkpoint(v=variable)) == {"step": 1} and variable.numpy() == 3.0


def test_a_plain_path_stays_as_it_is(tmp_path):
    with plain_path(tmp_path) as place:
        assert place == tmp_path
