"""From settings to a finished run: folder, data, strategy, rounds and the final table."""

from __future__ import annotations

import os

from iacyclegan_tf.common.terminal import progress_bar, say
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.training.final_summary import say_next, show
from iacyclegan_tf.training.run_folder import RunFolder


def start(config: Config, console, workers=None) -> None:
    """Trains ``config``'s run, or goes on with it, or says that it is finished.

    ``workers``: ``Workers`` where several processes train it (``start_worker.py``); by default this one alone.
    """
    folder = RunFolder(config)  # its mistakes are told before TensorFlow is loaded
    from iacyclegan_tf.inference.runs import finished_rounds
    from iacyclegan_tf.serving.publishing.export import published

    done = finished_rounds(folder, config)
    finished = len(done) == config.rounds.count and published(folder, config, done)
    if workers is not None:
        done, finished = workers.agree([done, finished])
    if finished:
        say(
            console, f"The run {folder.path} is finished; its {len(done)} rounds are below and in {folder.savedmodels}."
        )
        show(done, console)
        say_next(config, folder.path, console)
        return
    of = f", {len(done)} of {config.rounds.count} rounds done" if done else ""
    say(console, f"{'Going on with' if folder.resumed else 'Starting'} the run {folder.path}{of}")
    from iacyclegan_tf.training.rounds import Rounds

    show(Rounds(prepare(config, folder, console, workers or alone(config))).run(), console)
    say(console, f"SavedModels: {folder.savedmodels}; curves: tensorboard --logdir {folder.path / 'tensorboard'}")
    say_next(config, folder.path, console)


def prepare(config: Config, folder: RunFolder, console, workers):
    """Data and memory check: the ``RunContext`` of everything that training needs, checked before it starts."""
    from iacyclegan_tf.data.alignment.chips import landmarks_for
    from iacyclegan_tf.data.load_faces import load_faces
    from iacyclegan_tf.training.context import RunContext
    from iacyclegan_tf.training.memory_estimate import check_memory

    landmarks = landmarks_for(config.recognizer, folder.path)
    faces = load_faces(config.data, config.seed, progress_bar(console), landmarks)
    for line in [*faces.notes, *faces.counts()]:
        say(console, line)
    workers.refuse_other(faces.split_hash, f"data under data.root (split {faces.split_hash[:12]})")
    check_memory(config, faces.image_shape)
    say(console, devices(config, workers))
    folder.keep_data({"counts": faces.counts(), "split_sha256": faces.split_hash})
    return RunContext(config, folder, faces, workers, console)


def alone(config: Config):
    """The one process of a run, on its one device or several."""
    settle(config)
    from iacyclegan_tf.training.distributed.strategy import make_strategy
    from iacyclegan_tf.training.distributed.workers import Workers

    return Workers(make_strategy(config.distribute.devices))


def devices(config: Config, workers) -> str:
    """What trains, and how the batch is divided."""
    replicas = workers.strategy.num_replicas_in_sync
    of = f" of {workers.count} workers" if workers.count > 1 else ""
    return (
        f"{replicas} device{'s' if replicas > 1 else ''}{of}, global batch {config.train.batch}, "
        f"{config.train.batch / replicas:g} per device, {config.train.precision}"
    )


def settle(config: Config) -> None:
    """Threads, seeds and determinism: before the first operation."""
    import tensorflow as tf

    from iacyclegan_tf.common.keras_door import keras

    set_threads(config.train.intra_op_threads)
    keras.utils.set_random_seed(config.seed)
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()


def set_threads(intra: int) -> None:
    """``intra`` threads inside an operation, operations side by side as cores remain; 0: TensorFlow's choice.

    The two generators (and the two discriminators and recognizers) are independent of each other, so small networks
    run nearly twice as fast with whole operations side by side as with each operation split (docs/performance.md).
    """
    import tensorflow as tf

    if intra > 0:
        tf.config.threading.set_intra_op_parallelism_threads(intra)
        tf.config.threading.set_inter_op_parallelism_threads(max(1, (os.cpu_count() or 1) // intra))
