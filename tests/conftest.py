"""Shared by all tests: quiet TensorFlow, repeatable operations, and tiny versions of everything."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_pairs() -> Path:
    """The CUHK student pairs that lie beside the project; not part of it."""
    folder = ROOT.parent / "shared" / "data" / "cufs-student"
    if not folder.is_dir():
        pytest.skip("the real pairs (../shared/data/cufs-student) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> Path:
    """A folder with the finished run ``tiny`` of two rounds in ``runs/`` and ``savedmodels/``; not to be changed."""
    import tiny

    folder = tmp_path_factory.mktemp("tiny_run")
    result = tiny.train(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    (folder / "output.txt").write_text(result.stdout)
    return folder


@pytest.fixture(scope="session")
def c_program(tmp_path_factory) -> Path:
    """``run_saved_model.c``, compiled against the TensorFlow wheel."""
    import c_runtime

    return c_runtime.build(tmp_path_factory.mktemp("c"))


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            pytest.skip("needs a CUDA GPU")
