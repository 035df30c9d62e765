"""Shared by all tests: quiet TensorFlow, repeatable operations, and tiny versions of everything."""

import fcntl
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The longest files: they begin first, or one core would be alone with the last of them.
LONG = [
    *("train", "workers", "ablations", "synthesis", "replicas", "checkpoint", "readme", "app", "evaluate"),
    *("training_from_files", "train_dlib", "export_command"),
]


def pytest_collection_modifyitems(items):
    place = {f"test_{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def real_pairs() -> Path:
    """The CUHK student pairs that lie beside the project; not part of it."""
    folder = ROOT.parent / "shared" / "data" / "cufs-student"
    if not folder.is_dir():
        pytest.skip("the real pairs (../shared/data/cufs-student) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> Path:
    """A folder with the finished run ``tiny`` of two rounds in ``runs/`` and ``savedmodels/``; not to be changed.

    One for all workers of pytest-xdist: the first that needs it trains, others that come meanwhile wait.
    """
    import tiny

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = shared / "tiny_run"
    with open(shared / "tiny_run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "output.txt").exists():
            result = tiny.train(folder)
            assert result.returncode == 0, result.stdout + result.stderr
            (folder / "output.txt").write_text(result.stdout)
    return folder


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            pytest.skip("needs a CUDA GPU")
