"""Pre-training of Φ0 on people with several photos each, before it sees the first photo-sketch pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from iacyclegan_tf.config import Config
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.people_folder import PeoplePhotos, read_people
from iacyclegan_tf.data.streams import Worker
from iacyclegan_tf.data.virtual_people import Portrait, virtual_people_stream
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.recognition import IdentityContrast
from iacyclegan_tf.run_context import RunContext, adam
from iacyclegan_tf.training import Phase

PHASE = "recognizer_0/people"
WATCHED = ("loss", "accuracy")


def pretrain_on_people(context: RunContext, recognizer: Recognizer) -> dict:
    """Trains Φ0 on ``recognizer.pretrain_root``, resuming; returns what it was trained on."""
    context.say(f"reading the people of {context.config.recognizer.pretrain_root}")
    people = read_training_people(context.config, people_fit(context.config, context.faces.image_shape))
    for line in people.notes:
        context.say(line)
    context.train(people_phase(context.config, people, recognizer, context.strategy, context.phase_seed(203), context.worker), WATCHED)
    return origin(context.config, people)


def people_fit(config: Config, image_shape: tuple[int, int, int]) -> Fit:
    """How the photos are brought to the network: as the run's pairs, but photos need not have the pairs' own size."""
    return Fit("squeeze" if config.data.fit == "native" else config.data.fit, *image_shape[:2])


def read_training_people(config: Config, fit: Fit, progress: Callable = lambda items, words, total: items) -> PeoplePhotos:
    """The people that ``recognizer.pretrain_people`` names, at the network's size."""
    settings = config.recognizer
    return read_people(settings.pretrain_root, settings.pretrain_people, skip_bad=config.data.skip_bad, progress=progress,
                       then=fit.apply)


def people_phase(config: Config, people: PeoplePhotos, recognizer: Recognizer, strategy: tf.distribute.Strategy,
                 seed: int, worker: Worker = Worker()) -> Phase:
    """``recognizer.people.steps`` steps of ``IdentityContrast`` on batches of real and virtual people."""
    settings, images, labels = config.recognizer.people, np.stack(people.photos), people.labels
    portrait = Portrait(settings.rotation, settings.zoom, settings.shift, settings.warp, config.data.flip)
    with strategy.scope():
        model = IdentityContrast(recognizer, settings.scale)
        model.compile(adam(tf.keras.optimizers.schedules.CosineDecay(settings.learning_rate, max(1, settings.steps))))
        model.optimizer.build(model.trained_variables)
    batch = min(settings.people, people.people) * settings.variants * settings.photos
    return Phase(PHASE, model, tf.train.Checkpoint(model=model, optimizer=model.optimizer),
                 lambda start: virtual_people_stream(images, labels, people=settings.people, variants=settings.variants,
                                                     photos=settings.photos, seed=seed, portrait=portrait, start_step=start,
                                                     worker=worker),
                 settings.steps, settings.steps, batch)


def origin(config: Config, people: PeoplePhotos) -> dict:
    """From what a recognizer was trained, to stand beside it."""
    return {"people": people.people, "photos": len(people), "photos_sha256": people.sha256, "seed": config.seed,
            "settings": vars(config.recognizer.people)}
