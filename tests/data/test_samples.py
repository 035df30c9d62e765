"""The samples that a user's first commands work on."""

import in_process
import numpy as np

from iacyclegan_tf.data.images.files import read_image


def test_samples_are_written_and_written_again(tmp_path):
    for _ in range(2):  # the second time over its own
        done = in_process.run("samples", tmp_path / "faces")
        assert done.returncode == 0, done.stderr
    files = sorted(path.relative_to(tmp_path / "faces").as_posix() for path in (tmp_path / "faces").rglob("*.png"))
    assert files == sorted(
        ["scene.png", *(f"{side}/person_{i}.png" for side in ("photos", "sketches") for i in range(1, 7))]
    )
    assert read_image(tmp_path / "faces/scene.png").shape == (480, 640, 3)
    photos = [read_image(tmp_path / f"faces/photos/person_{i}.png") for i in (1, 2)]
    assert photos[0].shape == (250, 200, 3) and np.abs(photos[0].astype(int) - photos[1]).mean() > 5


def test_what_is_not_theirs_is_kept(tmp_path):
    (tmp_path / "scene.png").write_text("mine")
    in_process.refused(in_process.run("samples", tmp_path), "scene.png is there already")
    assert (tmp_path / "scene.png").read_text() == "mine" and not (tmp_path / "photos").exists()
    assert in_process.run("samples", tmp_path, "--overwrite").returncode == 0
    in_process.refused(in_process.run("samples", tmp_path / "no/where"), "no is not there")
