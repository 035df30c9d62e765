"""Pre-training of Φ0 on people with several photos each, before it sees the first photo-sketch pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.people.folder import PeoplePhotos, read_people
from iacyclegan_tf.data.same_pictures import refuse_same_pictures
from iacyclegan_tf.data.streams.batches import Worker, batch_labels
from iacyclegan_tf.data.streams.virtual_people import Portrait, virtual_people_stream
from iacyclegan_tf.method.contrast import IdentityContrast
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.training.context import RunContext
from iacyclegan_tf.training.distributed.workers import Workers
from iacyclegan_tf.training.engine.optimizers import adam
from iacyclegan_tf.training.engine.phase import Phase
from iacyclegan_tf.training.run_folder import RunFolder

PHASE = "recognizer_0/people"
WATCHED = ("loss", "accuracy")


def pretrain_on_people(context: RunContext, recognizer: Recognizer) -> dict:
    """Trains Φ0 on ``recognizer.pretrain_root``, resuming; returns what it was trained on."""
    context.say(f"reading the people of {context.config.recognizer.pretrain_root}")
    fit = people_fit(context.config, context.faces.image_shape)
    people = read_training_people(context.config, fit)
    for line in people.notes:
        context.say(line)
    refuse_same_pictures(context.faces.test.pictures(), people.pictures)
    made_from = origin(context.config, people, fit)
    same_photos(context.folder, made_from)
    context.workers.refuse_other(made_from, "photos of people under recognizer.pretrain_root")
    phase = people_phase(context.config, people, recognizer, context.workers, context.phase_seed(203))
    context.train(phase, WATCHED)
    return made_from


def same_photos(folder: RunFolder, made_from: dict) -> None:
    """A run goes on with the photos with which it began, else ``UserError``: notes them, or compares."""
    about = folder.path / "people.json"
    if about.exists() and read_object(about) != made_from:
        raise UserError(f"{folder.path} was begun with other photos of people; put them back. {folder.other}")
    folder.write_json(about, made_from)


def people_fit(config: Config, image_shape: tuple[int, int, int]) -> Fit:
    """How the photos are brought to the network: as the run's pairs, but photos need not have the pairs' own size."""
    return Fit("squeeze" if config.data.fit == "native" else config.data.fit, *image_shape[:2])


def read_training_people(
    config: Config, fit: Fit, progress: Callable = lambda items, words, total: items
) -> PeoplePhotos:
    """The people that ``recognizer.pretrain_people`` names, at the network's size."""
    settings = config.recognizer
    return read_people(
        settings.pretrain_root,
        settings.pretrain_people,
        skip_bad=config.data.skip_bad,
        progress=progress,
        then=fit.apply,
    )


def people_phase(config: Config, people: PeoplePhotos, recognizer: Recognizer, workers: Workers, seed: int) -> Phase:
    """``recognizer.people.steps`` steps of ``IdentityContrast`` on batches of real and virtual people."""
    settings, images, labels = config.recognizer.people, np.stack(people.photos), people.labels
    portrait = Portrait(settings.rotation, settings.zoom, settings.shift, settings.warp, config.data.flip)
    with workers.strategy.scope():
        model = IdentityContrast(recognizer, settings.scale)
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, max(1, settings.steps))
        model.compile(adam(rate, epsilon=config.train.epsilon))
        model.optimizer.build(model.trained_variables)
    batch = min(settings.people, people.people) * settings.variants * settings.photos
    names = sorted(set(people.identities))  # labels number the people in this order

    def stream(start: int, worker: Worker):
        return virtual_people_stream(
            images,
            labels,
            people=settings.people,
            variants=settings.variants,
            photos=settings.photos,
            seed=seed,
            portrait=portrait,
            start_step=start,
            worker=worker,
        )

    return Phase(
        PHASE,
        model,
        tf.train.Checkpoint(model=model, optimizer=model.optimizer),
        lambda start: stream(start, workers.stream_worker),
        settings.steps,
        settings.steps,
        batch,
        lambda step: [
            f"photos of {names[label // settings.variants]}" for label in batch_labels(stream(step, Worker()))
        ],
    )


def origin(config: Config, people: PeoplePhotos, fit: Fit) -> dict:
    """From what a recognizer was trained, to stand beside it; ``fit``: how images were brought to it."""
    return {
        "people": people.people,
        "photos": len(people),
        "photos_sha256": people.sha256,
        "seed": config.seed,
        "fit": asdict(fit),
        "settings": asdict(config.recognizer.people),
    }
