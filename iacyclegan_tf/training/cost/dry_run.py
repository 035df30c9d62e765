"""``--dry-run``: what a run would be, without starting it or writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iacyclegan_tf.common.tables import Table, print_table
from iacyclegan_tf.common.terminal import progress_bar, say
from iacyclegan_tf.config.reading import dump_config
from iacyclegan_tf.config.settings import Config

if TYPE_CHECKING:
    from iacyclegan_tf.training.cost.rehearsal import RunCost


def dry_run(config: Config, console, timing: bool = True) -> None:
    """Prints settings, pairs per split, parameters per network, steps and the memory estimate.

    ``timing``: also how long the run will take here and how much memory it will need, from a few steps of each phase.
    """
    from iacyclegan_tf.data.load_faces import load_faces
    from iacyclegan_tf.models.build import build_recognizer, build_synthesis
    from iacyclegan_tf.training.memory_estimate import check_memory
    from iacyclegan_tf.training.start import alone

    say(console, dump_config(config))
    workers = alone(config) if timing else None  # sets threads: before TensorFlow's first operation
    faces = load_faces(config.data, config.seed, progress_bar(console))
    for line in [*faces.notes, *faces.counts()]:
        say(console, line)
    needed = check_memory(config, faces.image_shape)
    networks = *build_synthesis(config, faces.image_shape, config.seed).all(), build_recognizer(config, "recognizer")
    rows = tuple((one.name, f"{sum(v.shape.num_elements() for v in one.trainable_variables):,}") for one in networks)
    print_table(Table("Networks", ("network", "parameters"), rows), console)
    epochs = config.train.epochs + config.train.decay_epochs
    steps = -(-len(faces.fitting) // config.train.batch) * epochs
    say(
        console,
        f"{config.rounds.count} rounds of {epochs} epochs = {steps} steps of synthesis each, images "
        f"{faces.image_shape[1]}×{faces.image_shape[0]}; estimated peak memory {needed:.1f} GB",
    )
    if timing:
        from iacyclegan_tf.training.cost.rehearsal import measured

        say(console, "Timing: a few steps of each phase")
        show_cost(measured(config, faces, workers), config, console)


def show_cost(found: RunCost, config: Config, console) -> None:
    """A row a phase, and the two sums that a user plans with."""
    from iacyclegan_tf.training.engine.progress import clock

    columns = ("phase", "steps", "ms a step", "an epoch", "all of it")
    rows = tuple(
        (one.name, f"{one.steps:,}", f"{1000 * one.seconds:.1f}")
        + tuple(clock(steps * one.seconds) for steps in (one.epoch_steps, one.steps))
        for one in found.phases
    )
    print_table(Table("Predicted for this machine as busy as it is now", columns, rows), console)
    say(
        console,
        f"Predicted: {clock(found.epoch_seconds)} for an epoch of synthesis, {clock(found.total(config))} for all "
        f"training of the run, evaluation and export aside; peak memory {found.memory_gb:.1f} GB",
    )
