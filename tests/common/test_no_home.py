"""A process without a home folder, as in many containers, leaves nothing but its results."""

import os
import subprocess
import sys
from pathlib import Path


def test_no_folder_named_tilde(tmp_path):
    """``~`` stays as it is where nobody knows the home folder."""
    env = os.environ | {"HOME": "~", "PYTHONPATH": str(Path(__file__).parents[2])}
    env.pop("KERAS_HOME", None)
    code = "import iacyclegan_tf.common.run_command; from iacyclegan_tf.common.keras_door import keras; "
    code += "print(keras.backend.floatx())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == "float32\n" and os.listdir(tmp_path) == [], done.stderr
