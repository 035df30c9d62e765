"""Training of the recognizers: Φ0 before the first round, Φp and Φs after each synthesis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.data.streams.batches import Worker, batch_labels, identity_stream
from iacyclegan_tf.data.streams.image_sources import ImageSource
from iacyclegan_tf.method.pair_matching import PairMatching
from iacyclegan_tf.method.recognizer_training import TripletTrainer
from iacyclegan_tf.metrics.image_pairs import face_part
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.serving.calling import embed
from iacyclegan_tf.serving.served_modules import Embedder
from iacyclegan_tf.training.centring import set_centres
from iacyclegan_tf.training.context import RunContext
from iacyclegan_tf.training.engine.adam import adam
from iacyclegan_tf.training.engine.phase import Phase, Restart
from iacyclegan_tf.training.keep_if_better import Judgment, is_better, judge, supported

_WATCHED = ("loss", "accuracy", "active_triplets")
CANDIDATES = 4  # states of one fine-tuning that are judged; the best of them is held against the recognizer before

Sources = list[tuple[np.ndarray | ImageSource, np.ndarray]]  # (images uint8 [N, H, W, 3], labels int [N])


@dataclass(frozen=True)
class Held:
    """Validation people: uint8 ``[N, H, W, 3]``, paired by index; a probe is what stands in for the sketch."""

    probes: np.ndarray
    gallery: np.ndarray
    people: Sequence[str]


def match_pairs(context: RunContext, recognizer: Recognizer) -> None:
    """Pre-trains Φ0 to find the sketch to a photo and the photo to a sketch, among the people of a batch.

    An adapter, which mixes the channels of each place alone, is shown photo and sketch in one view
    (``_identity_phase``); a whole network, which learns a few dozen people by heart, each in its own.
    """
    settings, fitting = context.config.recognizer.pretrain, context.faces.fitting
    devices = context.strategy.num_replicas_in_sync
    people = min(settings.batch // 2, fitting.people) // devices * devices  # each device gets whole pairs
    if people < 2:
        raise UserError(
            f"recognizer.pretrain.batch is {settings.batch}, and {fitting.people} people are fitted to, which is less "
            f"than a photo and a sketch of one person for each of the {devices} devices; give a larger batch or more "
            "people."
        )
    epoch_steps = max(1, fitting.people // people)
    steps = settings.epochs * epoch_steps
    seed = context.phase_seed(201)
    with context.strategy.scope():
        model = PairMatching(recognizer, settings.scale)
        model.compile(
            adam(warmed_up_cosine(settings.learning_rate, steps, settings.warmup), epsilon=context.config.train.epsilon)
        )
        model.optimizer.build(model.trained_variables)
    context.train(
        _identity_phase(
            context,
            "recognizer_0/matching",
            model,
            tf.train.Checkpoint(model=model, optimizer=model.optimizer),
            [(images, fitting.labels) for images in fitting.shown],
            people,
            2,
            seed,
            steps,
            epoch_steps,
            one_view=recognizer.adapter is not None,
        ),
        _WATCHED,
    )


def warmed_up_cosine(rate: float, steps: int, warmup: int = 0) -> keras.optimizers.schedules.CosineDecay:
    """Linearly from 0 to ``rate`` in ``warmup`` of the ``steps``, then along a cosine to 0."""
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, max(1, steps))
    return keras.optimizers.schedules.CosineDecay(0.0, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup)


def _identity_phase(
    context: RunContext,
    name: str,
    model: keras.Model,
    state: tf.train.Checkpoint,
    sources: Sources,
    people: int,
    images: int,
    seed: int,
    steps: int,
    epoch_steps: int,
    one_view: bool,
) -> Phase:
    """Batches of ``people`` × ``images`` taken from ``sources`` in turn; fewer people where fewer are fitted to.

    The triplet loss sees all images of a step in one view: an embedding is a map of places, and what two crops of
    one face differ in by their shift alone was most of the loss, which the few layers of a recognizer cannot unlearn.
    """
    names = sorted(set(context.faces.fitting.identities))  # labels number the people in this order

    def stream(start: int, worker: Worker):
        return identity_stream(
            sources,
            people=people,
            images=images,
            seed=seed,
            augmentation=context.views,
            one_view=one_view,
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


class TripletTraining:
    """Fine-tuning of one recognizer, built once; each use starts the optimizer anew by assignment.

    ``trainer``: another loss, or other variables, to be compared with the method's (``benchmarks/finetuning.py``).
    """

    def __init__(self, context: RunContext, recognizer: Recognizer, trainer: type[TripletTrainer] = TripletTrainer):
        self.context, self.recognizer = context, recognizer
        self.embedder = Embedder(recognizer, context.faces.fit)  # judged as it would be served
        settings = context.config.recognizer.finetune
        with context.strategy.scope():
            self.trainer = trainer(recognizer, settings.margin)
            self.trainer.compile(adam(settings.learning_rate, epsilon=context.config.train.epsilon))
            self.trainer.optimizer.build(self.trainer.trained_variables)
        self._restart = Restart(self.trainer.optimizer.variables)

    def phase(self, name: str, sources: Sources, steps: int, seed: int) -> Phase:
        """``steps`` batches of P people × K images taken from ``sources`` in turn."""
        settings = self.context.config.recognizer.finetune
        state = tf.train.Checkpoint(recognizer=self.recognizer, optimizer=self.trainer.optimizer)
        return _identity_phase(
            self.context, name, self.trainer, state, sources, settings.people, settings.images, seed, steps, steps, True
        )

    def candidates(self, name: str, sources: Sources, steps: int, seed: int) -> Iterator[int]:
        """Trains ``steps`` steps, and stops ``CANDIDATES`` times on the way with the recognizer ready to be judged.

        Yields the steps taken. Each candidate is written to the checkpoints of the phase ``name``, so that a run killed
        between two of them goes on with the same ones.
        """
        context = self.context
        recognizer, whole = tf.train.Checkpoint(recognizer=self.recognizer), self.phase(name, sources, steps, seed)
        self._restart()
        begins = 0
        for taken in sorted({-(-steps * part // CANDIDATES) for part in range(1, CANDIDATES + 1)}):
            place = context.folder.checkpoints(name) / f"candidate_{taken}"
            if not context.restore(place, recognizer):
                context.train(replace(whole, steps=taken, begins=begins), _WATCHED)
                set_centres(self.recognizer, [images for images, _ in sources])
                context.keep(place, recognizer, {})
            begins = taken
            yield taken


def train_if_better(training: TripletTraining, name: str, sources: Sources, steps: int, seed: int, held: Held) -> dict:
    """Fine-tunes, judges several candidates on people held out of training, and keeps the best only if it is better
    (``keep_if_better.py``).

    Returns what was measured: ``{"before": …, "after": …, "steps": of the best candidate, "supported": …, "kept":
    bool}``.
    """
    # first the embedding alone, which is never undone: what is then kept or not is the training
    set_centres(training.recognizer, [images for images, _ in sources])
    old, before = Restart(training.recognizer.variables), _judged(training, held)
    if not steps:
        return {"before": before.as_dict(), "kept": False, "why": "no steps of triplet training"}
    best, after, taken = None, None, 0
    for step in training.candidates(name, sources, steps, seed):
        judgment = _judged(training, held)
        if after is None or np.mean(judgment.separation) > np.mean(after.separation):
            best, after, taken = Restart(training.recognizer.variables), judgment, step
    share = supported(before, after, held.people, seed)
    kept = training.context.workers.agree(is_better(before, after, share))  # the chief's word for all
    (best if kept else old)()
    verdict = "the new recognizer is kept" if kept else "the old recognizer stays, the new one is not clearly better"
    training.context.say(
        f"{name}: on {len(set(held.people))} validation people, after {taken} steps: "
        f"separation {_pair(before.separation, '.2f')} -> {_pair(after.separation, '.2f')}, better in "
        f"{100 * share:.0f} % of resamples, rank-1 {_shares(before.rank1)} -> {_shares(after.rank1)}: {verdict}"
    )
    measured = {"before": before.as_dict(), "after": after.as_dict()}
    return measured | {"steps": taken, "supported": share, "kept": kept}


def _judged(training: TripletTraining, held: Held) -> Judgment:
    """Judges on the whole image and on the face alone; only the whole where the recognizer cuts out the face itself."""
    crops = [lambda images: images, _face_alone][: len(training.recognizer.crops)]
    return judge(
        [
            embed(training.embedder, crop(held.probes)) @ embed(training.embedder, crop(held.gallery)).T
            for crop in crops
        ],
        held.people,
    )


def _face_alone(images: np.ndarray) -> np.ndarray:
    """The face-only crop (``metrics.face_crop``) of ``[N, H, W, 3]``, also of images squeezed to other proportions."""
    return images[(slice(None), *face_part(*images.shape[1:3]))]


def _shares(values: tuple[float, ...]) -> str:
    return f"{_pair(tuple(100 * value for value in values), '.0f')} %"


def _pair(values: tuple[float, ...], form: str) -> str:
    return " / ".join(format(value, form) for value in values)
