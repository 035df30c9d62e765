"""The built wheel, alone in an empty folder, is a whole program: its defaults are the quickstart."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_works_from_an_empty_folder(tmp_path):
    source, wheels, site, empty = (tmp_path / name for name in ("source", "wheels", "site", "empty"))
    empty.mkdir()
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "iacyclegan_tf"):
        (source / name).symlink_to(ROOT / name)  # apart from the checkout, which a build would litter
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source], check=True)
    (wheel,) = wheels.glob("iacyclegan_tf-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    result = subprocess.run(
        [sys.executable, "-m", "iacyclegan_tf.train", "--dry-run", "--no-timing"],
        cwd=empty,
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(site)},
        check=True,
    )
    assert "name: quickstart" in result.stdout and "test 48" in result.stdout
    code = "import iacyclegan_tf; print(iacyclegan_tf.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code],
        cwd=empty,
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(site)},
        check=True,
    )
    assert where.stdout.startswith(str(site))
    assert (site / "iacyclegan_tf/web/page.css").is_file() and (site / "bin/iacyclegan-translate").is_file()
    assert (site / "iacyclegan_tf/configs/cufs.yaml").is_file()
    assert list(empty.iterdir()) == []
