"""What a run will cost here: a few steps of each phase, through the very objects that the run trains with."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.common.peak_memory import peak_memory_gb
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.face_pairs import FacePairs, Faces
from iacyclegan_tf.evaluation.round_metrics import evaluate_round
from iacyclegan_tf.models.build import learns_from_pairs
from iacyclegan_tf.training.context import RunContext
from iacyclegan_tf.training.distributed.workers import Workers
from iacyclegan_tf.training.engine.phase import Phase
from iacyclegan_tf.training.engine.stops_and_warnings import NonFinite, StopOnNonFinite
from iacyclegan_tf.training.recognizer_phases import match_pairs
from iacyclegan_tf.training.rounds import Rounds
from iacyclegan_tf.training.run_folder import RunFolder

MATCHING, SYNTHESIS, TRIPLETS = "matching", "synthesis", "triplets"
SECONDS, FEWEST, MOST = 5.0, 4, 25  # of timed steps: as many as these allow
_WARM_UP = 3  # steps before them: tracing, first buffers
_JUDGED = 8  # people who go through evaluation, whose memory counts too


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
            cost.get(MATCHING, 0.0)
            + step * config.recognizer.pretrain.triplet_steps
            + config.rounds.count * (cost[SYNTHESIS] + tuned * cost.get(TRIPLETS, 0.0))
        )


def measured(config: Config, faces: Faces, workers: Workers) -> RunCost:
    """Times a few steps of each phase on the run's own images, in a temporary folder; memory is this process's peak."""
    with tempfile.TemporaryDirectory(prefix="iacyclegan_timing_") as folder:
        phases = rehearse(replace(config, runs_dir=folder, savedmodels_dir=f"{folder}/exports"), faces, workers)
    return RunCost(tuple(phases), peak_memory_gb())


class RehearsalContext(RunContext):
    """Trains a few steps where a run trains a phase, and remembers what they cost."""

    def train(self, phase: Phase, watched, callbacks=()) -> None:
        with self.faces.fitting.reading():
            self.costs = [*getattr(self, "costs", []), timed(phase, self.workers)]


def timed(phase: Phase, workers: Workers) -> PhaseCost:
    """The mean of as many steps as ``SECONDS`` allow, after some to warm up.

    Not the median: on a machine that others use too, the slow steps are part of what a run will take.
    """
    stream, check, clock = workers.fed(phase.stream(0)), StopOnNonFinite(), StepTimes()
    check.enter(phase.name, 0, phase.steps)

    def fit(steps: int) -> np.ndarray:
        try:
            phase.model.fit(stream, steps_per_epoch=steps, callbacks=[check, clock], verbose=0)
        except NonFinite as fault:
            raise UserError(str(fault)) from None
        return np.diff(clock.times)

    fit(_WARM_UP)
    guess = float(np.median(fit(_WARM_UP)))
    seconds = float(np.mean(fit(int(np.clip(SECONDS / max(guess, 1e-6), FEWEST, MOST)))))
    return PhaseCost(phase.name, seconds, phase.steps, phase.epoch_steps)


class StepTimes(keras.callbacks.Callback):
    """When each step of the last ``fit`` ended."""

    def on_train_begin(self, logs=None):
        self.times = []

    def on_train_batch_end(self, batch, logs=None):
        self.times.append(time.perf_counter())


def rehearse(config: Config, faces: Faces, workers: Workers) -> list[PhaseCost]:
    """Pre-training where Φ0 is trained from nothing, synthesis, triplets; then a few people through evaluation."""
    context = RehearsalContext(config, RunFolder(config), faces, workers, Console(quiet=True))
    rounds, fitting, names = Rounds(context), faces.fitting, []
    if learns_from_pairs(config) and config.recognizer.pretrain.epochs:
        names.append(MATCHING)
        match_pairs(context, rounds.initial)
    names.append(SYNTHESIS)
    rounds.synthesis.train(1)
    if config.recognizer.finetune.steps:
        names.append(TRIPLETS)
        sources = [(fitting.photos, fitting.labels), (fitting.sketches, fitting.labels)]
        triplets = rounds.tuning["photo"].phase(TRIPLETS, sources, config.recognizer.finetune.steps, seed=0)
        context.train(triplets, ())
    evaluate_round(1, config, replace(faces, test=_first(faces.test, _JUDGED)), rounds.matcher())
    return [replace(cost, name=name) for name, cost in zip(names, context.costs, strict=True)]


def _first(pairs: FacePairs, count: int) -> FacePairs:
    parts = pairs.photos, pairs.sketches, pairs.identities, pairs.original_photos, pairs.original_sketches
    return FacePairs(*(part[:count] for part in parts))
