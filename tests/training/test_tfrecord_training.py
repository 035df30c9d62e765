"""The commands on shards: the same run as on images, also when killed; clear refusals; a dry run from the index."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import in_process
import numpy as np
import pytest
import tiny
from in_process import refused
from same_run import tensors

from iacyclegan_tf.config.settings import DrawnConfig
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.images.files import write_png


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The people of the run ``tiny_run``, as image files and in shards."""
    root = tmp_path_factory.mktemp("pairs")
    lines = ["identity,photo,sketch,split"]
    for number in range(12):
        names = [f"{kind}/{number:02d}.png" for kind in ("photos", "sketches")]
        for name, image in zip(names, draw_pair(number, 0, seed=DrawnConfig().seed, height=32, width=32)):
            write_png(root / name, image)
        lines.append(",".join([f"drawn-{number:04d}", *names, "train" if number < 8 else "test"]))
    (root / "manifest.csv").write_text("\n".join(lines))
    done = in_process.run("prepare", "pairs", root, root, "--shards", 2)
    assert done.returncode == 0, done.stderr
    return root


def on_shards(root: Path, *more: str) -> list[str]:
    return [
        "data.source=pairs",
        f"data.root={root}",
        "data.format=tfrecord",
        "rounds.count=1",
        "export.infra_validation=false",
        *more,
    ]


@pytest.mark.slow
def test_a_run_on_shards_killed_in_fine_tuning_ends_as_the_run_from_memory(tiny_run, made, tmp_path):
    run = tmp_path / "runs/tiny"
    process = subprocess.Popen(
        tiny.command(tmp_path, *on_shards(made)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while process.poll() is None and not any(run.glob("checkpoints/round_1/photo_recognizer/0*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, output
    assert (run / "checkpoints/round_1/photo_recognizer/synthesised/images.tfrecord").is_file()
    result = tiny.train(tmp_path, *on_shards(made))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "round_1/photo_recognizer: goes on from step" in result.stdout
    assert not (run / "checkpoints/round_1/photo_recognizer").exists()
    one = {name: value for name, value in tensors(tiny_run / "runs/tiny").items() if not name.startswith("round_2")}
    two = tensors(run)
    assert one.keys() == two.keys() and len(one) > 100
    # partners on the disk were translated in other batches than in memory, which may round differently on some machines
    exact = [name for name in one if not name.startswith(("round_1/photo_recognizer", "round_1/sketch_recognizer"))]
    assert {name.split(":")[0] for name in exact} == {"recognizer_0", "round_1/networks"}
    assert not [name for name in exact if not np.array_equal(one[name], two[name])]
    for name in set(one) - set(exact):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3, atol=1e-4, err_msg=name)
    before, after = (
        json.loads((folder / "round_1/metrics.json").read_text()) for folder in (tiny_run / "runs/tiny", run)
    )
    for key in ("photo_to_sketch", "sketch_to_photo", "trivial_baselines"):
        assert before[key] == after[key]


def train(folder: Path, *more: str) -> subprocess.CompletedProcess:
    return in_process.run(
        "train", *tiny.arguments(folder, "train.intra_op_threads=0", "train.deterministic=false", *more)
    )


def test_a_damaged_record_stops_training_with_the_name_of_its_shard(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    shards = sorted((copy / "tfrecords").glob("train-*.tfrecord"))
    for shard in shards:
        data = bytearray(shard.read_bytes())
        data[-40] ^= 1
        shard.write_bytes(data)
    refused(train(tmp_path, *on_shards(copy)), "train-0000", "is damaged: its SHA-256")


def test_a_dry_run_counts_from_the_index_and_missing_shards_are_named(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    for folder in ("photos", "sketches"):
        shutil.rmtree(copy / folder)  # images are not needed beside shards
    result = train(tmp_path, *on_shards(copy), "--dry-run", "--no-timing")
    assert result.returncode == 0, result.stderr
    assert "12 pairs (test 4, train 8)" in result.stdout and "train 8 = 6 fit + 2 validation" in result.stdout
    assert "streamed from 4 shards" in result.stdout
    (copy / "tfrecords/train-00001-of-00002.tfrecord").unlink()
    refused(
        train(tmp_path, *on_shards(copy), "--dry-run", "--no-timing"),
        "train-00001-of-00002.tfrecord",
        "missing",
        "4 pairs",
    )


def test_a_folder_that_is_not_there_is_named(made, tmp_path):
    refused(train(tmp_path, *on_shards(made), "data.root=/no/such/folder"), "/no/such/folder", "--shards")
