"""What a run will cost on this machine: a few steps of each of its phases, timed in a process that then is gone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.config.reading import dump_config
from iacyclegan_tf.config.settings import Config

SYNTHESIS, TRIPLETS = "synthesis", "triplets"
_PROCESS = "import sys; from iacyclegan_tf.training.cost.rehearsal import main; sys.exit(main(sys.argv[1]))"


@dataclass(frozen=True)
class PhaseCost:
    """``seconds`` a step; ``steps`` of the whole phase, ``epoch_steps`` of an epoch."""

    name: str
    seconds: float
    steps: int
    epoch_steps: int


@dataclass(frozen=True)
class RunCost:
    phases: tuple[PhaseCost, ...]
    memory_gb: float

    @property
    def epoch_seconds(self) -> float:
        """Of synthesis."""
        return next(phase.epoch_steps * phase.seconds for phase in self.phases if phase.name == SYNTHESIS)

    def total(self, config: Config) -> float:
        """Seconds of all training: before the first round, and in every round."""
        cost = {phase.name: phase.steps * phase.seconds for phase in self.phases}
        step = next((phase.seconds for phase in self.phases if phase.name == TRIPLETS), 0.0)
        tuned = 2 if config.rounds.finetune else 0
        return (
            cost.get(config.recognizer.pretrain.task, 0.0)
            + step * config.recognizer.pretrain.triplet_steps
            + config.rounds.count * (cost[SYNTHESIS] + tuned * cost.get(TRIPLETS, 0.0))
        )


def measured(config: Config) -> RunCost:
    """Times a few steps of each phase on the run's own images; ``UserError`` where the process ends before its time."""
    with tempfile.TemporaryDirectory(prefix="iacyclegan_timing_") as folder:
        (Path(folder) / "config.yaml").write_text(dump_config(config), encoding="utf-8")
        done = subprocess.run([sys.executable, "-c", _PROCESS, folder], capture_output=True, text=True)
        if done.returncode:
            why = (
                "it was killed, as a rule for want of memory"
                if done.returncode < 0
                else (done.stderr.strip().splitlines() or ["it gave no reason"])[-1].removeprefix("error: ")
            )
            raise UserError(f"The timing did not come to its end: {why}. --no-timing leaves it out.")
        found = read_object(Path(folder) / "found.json")
    return RunCost(tuple(PhaseCost(**phase) for phase in found["phases"]), found["memory_gb"])
