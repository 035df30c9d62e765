"""``--dry-run``: what a run would be, without starting it or writing anything."""

from __future__ import annotations

from iacyclegan_tf.config import Config
from iacyclegan_tf.config_file import dump_config


def dry_run(config: Config, console) -> None:
    """Prints settings, pairs per split, parameters per network, steps and the memory estimate."""
    from rich.table import Table

    from iacyclegan_tf.data.faces import load_faces
    from iacyclegan_tf.memory import check_memory
    from iacyclegan_tf.networks import build_recognizer, build_synthesis
    from iacyclegan_tf.start import progress_bar

    console.print(dump_config(config), markup=False)
    faces = load_faces(config.data, config.seed, progress_bar(console))
    for line in [*faces.notes, *faces.counts()]:
        console.print(line, soft_wrap=True, markup=False)
    if config.recognizer.pretrain_root:
        from iacyclegan_tf.people_training import people_fit, read_training_people

        people = read_training_people(config, people_fit(config, faces.image_shape), progress_bar(console))
        for line in people.notes:
            console.print(line, soft_wrap=True, markup=False)
    needed = check_memory(config, faces.image_shape)
    table = Table("network", "parameters", title="Networks", title_justify="left")
    networks = [*build_synthesis(config, faces.image_shape, config.seed).all(), build_recognizer(config, "recognizer")]
    for network in networks:
        table.add_row(network.name, f"{sum(v.shape.num_elements() for v in network.trainable_variables):,}")
    console.print(table)
    epochs = config.train.epochs + config.train.decay_epochs
    steps = -(-len(faces.fitting) // config.train.batch) * epochs
    console.print(f"{config.rounds.count} rounds of {epochs} epochs = {steps} steps of synthesis each, images "
                  f"{faces.image_shape[1]}×{faces.image_shape[0]}; estimated peak memory {needed:.1f} GB", soft_wrap=True)
