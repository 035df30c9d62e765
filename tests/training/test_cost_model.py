"""The dry run's rehearsal: its arithmetic, and what it says."""

import re

import pytest
import tiny

from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.training.cost.rehearsal import PhaseCost, RunCost

PHASES = (PhaseCost("matching", 0.01, 100, 10), PhaseCost("synthesis", 0.5, 40, 20), PhaseCost("triplets", 0.1, 30, 30))


def test_an_epoch_and_the_whole_training():
    config = load_config(None, ["rounds.count=3", "recognizer.pretrain.triplet_steps=5"])
    found = RunCost(PHASES, 1.0)
    assert found.epoch_seconds == 10.0
    assert found.total(config) == pytest.approx(1.0 + 5 * 0.1 + 3 * (20.0 + 2 * 3.0))
    frozen = load_config(None, ["rounds.count=3", "recognizer.pretrain.triplet_steps=5", "rounds.finetune=false"])
    assert found.total(frozen) == pytest.approx(1.5 + 60.0)
    assert RunCost(PHASES[1:2], 1.0).total(config) == pytest.approx(60.0)  # weights from a file, nothing fine-tuned


@pytest.mark.slow
def test_the_command_predicts_time_and_memory_and_leaves_nothing(tmp_path):
    result = tiny.train(tmp_path, "--dry-run")
    assert result.returncode == 0, result.stderr
    rows = {
        name: float(re.search(rf"{name}\D+[\d,]+\D+([\d.]+)", result.stdout)[1])
        for name in ("matching", "synthesis", "triplets")
    }
    assert all(0.1 < milliseconds < 60_000 for milliseconds in rows.values())
    memory = float(
        re.search(
            r"Predicted: [\d:]+ for an epoch of synthesis, [\d:]+ for all training .*peak memory ([\d.]+) GB",
            result.stdout,
        )[1]
    )
    assert 0.4 < memory < 4  # TensorFlow alone takes 0.4
    assert list(tmp_path.iterdir()) == []
