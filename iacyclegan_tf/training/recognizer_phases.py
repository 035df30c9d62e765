"""Training of the recognizers: Φ0 before the first round, Φp and Φs after each synthesis."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.streams.batches import Worker, batch_labels, batch_places, identity_stream, labelled_stream
from iacyclegan_tf.data.streams.image_sources import ImageSource, joined
from iacyclegan_tf.evaluation.round import Separation, separation
from iacyclegan_tf.method.centring import set_centres, set_nuisance
from iacyclegan_tf.method.contrast import PairMatching
from iacyclegan_tf.method.recognition import IdentityClassifier, TripletTrainer
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.serving.calling import embed
from iacyclegan_tf.serving.servables import Embedder
from iacyclegan_tf.training.context import RunContext
from iacyclegan_tf.training.engine.optimizers import Restart, adam
from iacyclegan_tf.training.engine.phase import Phase

_WATCHED = ("loss", "accuracy", "active_triplets")


def pretrain_on_pairs(context: RunContext, recognizer: Recognizer) -> None:
    """Trains Φ0 on the fitting pairs by the task that ``recognizer.pretrain`` names."""
    tasks = {"classification": classify_identities, "matching": match_pairs}
    tasks[context.config.recognizer.pretrain.task](context, recognizer)


def classify_identities(context: RunContext, recognizer: Recognizer) -> None:
    """Pre-trains Φ0 to name the fitting people from either modality, so that both share one embedding."""
    settings, fitting = context.config.recognizer.pretrain, context.faces.fitting
    images, labels = joined([fitting.photos, fitting.sketches]), np.tile(fitting.labels, 2)
    batch = min(settings.batch, len(images))
    epoch_steps = max(1, len(images) // batch)
    steps = settings.epochs * epoch_steps
    seed = context.phase_seed(201)
    with context.strategy.scope():
        model = IdentityClassifier(recognizer, fitting.people, seed=seed)
        model.compile(adam(tf.keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)))
        model.optimizer.build(model.trained_variables)
    phase = Phase(
        "recognizer_0/classification",
        model,
        tf.train.Checkpoint(model=model, optimizer=model.optimizer),
        lambda start: labelled_stream(
            images, labels, batch=batch, seed=seed, augmentation=context.views, start_step=start, worker=context.worker
        ),
        steps,
        epoch_steps,
        batch,
        lambda step: [_named(fitting, place) for place in batch_places(step, batch, len(labels), seed)],
    )
    context.train(phase, _WATCHED)


def adapt_embedding(context: RunContext, recognizer: Recognizer, sources: list[np.ndarray | ImageSource]) -> None:
    """``set_centres``, then ``set_nuisance``, with images of the training set, or made from them; two sources, paired by index."""
    with context.faces.fitting.reading():
        set_centres(recognizer, sources)
        set_nuisance(recognizer, sources)


def match_pairs(context: RunContext, recognizer: Recognizer) -> None:
    """Pre-trains Φ0 to find the sketch to a photo and the photo to a sketch, among the people of a batch."""
    settings, fitting = context.config.recognizer.pretrain, context.faces.fitting
    devices = context.strategy.num_replicas_in_sync
    people = min(settings.batch // 2, fitting.people) // devices * devices  # each device gets whole pairs
    if people < 2:
        raise UserError(
            f"recognizer.pretrain.batch is {settings.batch}, and {fitting.people} people are fitted to, which is less than a "
            f"photo and a sketch of one person for each of the {devices} devices; give a larger batch or more people."
        )
    epoch_steps = max(1, fitting.people // people)
    steps = settings.epochs * epoch_steps
    seed = context.phase_seed(201)
    with context.strategy.scope():
        model = PairMatching(recognizer, settings.scale)
        model.compile(adam(warmed_up_cosine(settings.learning_rate, steps, settings.warmup)))
        model.optimizer.build(model.trained_variables)
    context.train(
        _identity_phase(
            context,
            "recognizer_0/matching",
            model,
            tf.train.Checkpoint(model=model, optimizer=model.optimizer),
            [(fitting.photos, fitting.labels), (fitting.sketches, fitting.labels)],
            people,
            2,
            seed,
            steps,
            epoch_steps,
        ),
        _WATCHED,
    )


def warmed_up_cosine(rate: float, steps: int, warmup: int) -> tf.keras.optimizers.schedules.CosineDecay:
    """Linearly from 0 to ``rate`` in ``warmup`` of the ``steps``, then along a cosine to 0."""
    if not warmup:
        return tf.keras.optimizers.schedules.CosineDecay(rate, max(1, steps))
    return tf.keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup
    )


def _identity_phase(
    context: RunContext,
    name: str,
    model: tf.keras.Model,
    state: tf.train.Checkpoint,
    sources: list[tuple[np.ndarray | ImageSource, np.ndarray]],
    people: int,
    images: int,
    seed: int,
    steps: int,
    epoch_steps: int,
) -> Phase:
    """Batches of ``people`` × ``images`` taken from ``sources`` in turn; fewer people where fewer are fitted to."""
    names = sorted(set(context.faces.fitting.identities))  # labels number the people in this order

    def stream(start: int, worker: Worker):
        return identity_stream(
            sources,
            people=people,
            images=images,
            seed=seed,
            augmentation=context.views,
            start_step=start,
            worker=worker,
        )

    return Phase(
        name,
        model,
        state,
        lambda start: stream(start, context.worker),
        steps,
        epoch_steps,
        min(people, int(sources[0][1].max()) + 1) * images,
        lambda step: [f"both of {names[label]}" for label in batch_labels(stream(step, Worker()))],
    )


def _named(pairs, place: int) -> str:
    """Of all photos, then all sketches."""
    return f"{'photo' if place < len(pairs) else 'sketch'} of {pairs.identities[place % len(pairs)]}"


class TripletTraining:
    """Fine-tuning of one recognizer, built once; each use starts the optimizer anew by assignment."""

    def __init__(self, context: RunContext, recognizer: Recognizer):
        self.context, self.recognizer = context, recognizer
        self.embedder = Embedder(recognizer, context.faces.fit)  # judged as it would be served
        settings = context.config.recognizer.finetune
        with context.strategy.scope():
            self.trainer = TripletTrainer(recognizer, settings.margin)
            self.trainer.compile(adam(settings.learning_rate))
            self.trainer.optimizer.build(self.trainer.trained_variables)
        self._restart = Restart(self.trainer.optimizer.variables)

    def train(
        self, name: str, sources: list[tuple[np.ndarray | ImageSource, np.ndarray]], steps: int, seed: int
    ) -> None:
        """``steps`` batches of P people × K images taken from ``sources`` in turn; resumes under ``name``."""
        settings, context = self.context.config.recognizer.finetune, self.context
        self._restart()
        state = tf.train.Checkpoint(recognizer=self.recognizer, optimizer=self.trainer.optimizer)
        context.train(
            _identity_phase(
                context, name, self.trainer, state, sources, settings.people, settings.images, seed, steps, steps
            ),
            _WATCHED,
        )
        adapt_embedding(context, self.recognizer, [images for images, _ in sources])


def train_if_better(
    training: TripletTraining,
    name: str,
    sources,
    steps: int,
    seed: int,
    probes: np.ndarray,
    gallery: np.ndarray,
    identities,
) -> dict:
    """Fine-tunes, judges on people held out of training, and keeps the new weights only if they are better.

    ``probes`` and ``gallery``: uint8 ``[N, H, W, 3]`` of the validation people, paired by index. Returns what
    was measured: ``{"before": …, "after": …, "kept": bool}``.
    """
    # first the embedding alone, which is never undone: what is then kept or not is the training
    adapt_embedding(training.context, training.recognizer, [images for images, _ in sources])
    old = Restart(training.recognizer.variables)
    before = _judged(training, probes, gallery, identities)
    if not steps:
        return {"before": vars(before), "kept": False, "why": "no steps of triplet training"}
    training.train(name, sources, steps, seed)
    after = _judged(training, probes, gallery, identities)
    kept = after.better_than(before)
    if not kept:
        old()
    training.context.say(
        f"{name}: validation separation {before.separation:.2f} -> {after.separation:.2f}, rank-1 {before.rank1:.0%} -> "
        f"{after.rank1:.0%}: {'the new recognizer is kept' if kept else 'the old recognizer stays, the new one is not better'}"
    )
    return {"before": vars(before), "after": vars(after), "kept": kept}


def _judged(training: TripletTraining, probes, gallery, identities) -> Separation:
    return separation(embed(training.embedder, probes), embed(training.embedder, gallery), identities, identities)
