"""The real commands on pairs that are read from their files: the same run as in memory, also when killed; a dry run."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import tiny
from in_process import refused, run
from same_run import tensors

from iacyclegan_tf.config.settings import DrawnConfig
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import write_png


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The people of the run ``tiny_run``, as image files."""
    root = tmp_path_factory.mktemp("pairs")
    lines = ["identity,photo,sketch,split"]
    for number in range(12):
        names = [f"{kind}/{number:02d}.png" for kind in ("photos", "sketches")]
        for name, image in zip(names, draw_pair(number, 0, seed=DrawnConfig().seed, height=32, width=32)):
            write_png(root / name, image)
        lines.append(",".join([f"drawn-{number:04d}", *names, "train" if number < 8 else "test"]))
    (root / "manifest.csv").write_text("\n".join(lines))
    return root


def from_files(root: Path) -> list[str]:
    once = ["rounds.count=1", "export.infra_validation=false"]
    return ["data.source=pairs", f"data.root={root}", "data.in_memory=false", *once]


@pytest.mark.slow
def test_a_run_from_files_killed_in_fine_tuning_ends_as_the_run_from_memory(tiny_run, made, tmp_path):
    folder = tmp_path / "runs/tiny"
    process = subprocess.Popen(
        tiny.command(tmp_path, *from_files(made)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while process.poll() is None and not any(folder.glob("checkpoints/round_1/photo_recognizer/0*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, output
    assert any((folder / "checkpoints/round_1/photo_recognizer/synthesized").glob("*.png"))
    result = tiny.train(tmp_path, *from_files(made))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "round_1/photo_recognizer: goes on from step" in result.stdout
    assert not (folder / "checkpoints/round_1/photo_recognizer").exists()
    one = {name: value for name, value in tensors(tiny_run / "runs/tiny").items() if not name.startswith("round_2")}
    two = tensors(folder)
    assert one.keys() == two.keys() and len(one) > 100
    # partners on the disk were translated in other batches than in memory, which may round differently on some machines
    exact = [name for name in one if not name.startswith(("round_1/photo_recognizer", "round_1/sketch_recognizer"))]
    assert {name.split(":")[0] for name in exact} == {"recognizer_0", "round_1/networks"}
    assert not [name for name in exact if not np.array_equal(one[name], two[name])]
    for name in set(one) - set(exact):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3, atol=1e-4, err_msg=name)
    before, after = (json.loads((at / "round_1/metrics.json").read_text()) for at in (tiny_run / "runs/tiny", folder))
    for key in ("photo_to_sketch", "sketch_to_photo", "trivial_baselines"):
        assert before[key] == after[key]


def test_a_dry_run_says_what_is_read_and_names_a_bad_file(made, tmp_path):
    settings = [*tiny.RUN, *from_files(made), "--dry-run", "--no-timing"]
    done = run("train", *settings)
    assert done.returncode == 0, done.stderr
    assert "train 8 = 6 fit + 2 validation" in done.stdout and "6 pairs are read from their files" in done.stdout
    refused(run("train", *settings, f"data.root={tmp_path}"), str(tmp_path), "must hold manifest.csv")
