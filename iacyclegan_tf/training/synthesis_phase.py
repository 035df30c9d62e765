"""The synthesis phase of a round: IACycleGAN trained from its start to its end with frozen recognizers."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.streams.batches import batch_places, paired_stream
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.method.synthesis import IACycleGAN
from iacyclegan_tf.models.build import build_synthesis, copy_weights
from iacyclegan_tf.training.context import RunContext
from iacyclegan_tf.training.engine.adam import adam
from iacyclegan_tf.training.engine.learning_rate import ConstantThenLinear
from iacyclegan_tf.training.engine.phase import Phase, Restart
from iacyclegan_tf.training.engine.sample_grid import Snapshots
from iacyclegan_tf.training.engine.stops_and_warnings import DiscriminatorAtZero, PerceptionLimit


class SynthesisTraining:
    """Built once for a whole run; each round starts it anew (or goes on) by assignment."""

    def __init__(self, context: RunContext, photo_recognizer, sketch_recognizer):
        config, shape = context.config, context.faces.image_shape
        self.context = context
        replicas = context.strategy.num_replicas_in_sync
        if config.train.batch % replicas:
            raise UserError(
                f"train.batch is {config.train.batch}, the batch over all replicas; it must be divisible by the "
                f"{replicas} devices that train."
            )
        self.epoch_steps = -(-len(context.faces.fitting) // config.train.batch)
        self.steps = self.epoch_steps * (config.train.epochs + config.train.decay_epochs)
        # Outside the scope: one plain variable for all replicas, see ImagePool.
        self.pools = pools = tuple(
            ImagePool(config.discriminator.pool_size, shape, replicas, seed=context.phase_seed(i)) for i in (100, 500)
        )
        with context.strategy.scope():
            self.networks = build_synthesis(config, shape, context.phase_seed(1), config.train.precision)
            self.gan = IACycleGAN(
                *self.networks.all(),
                *((photo_recognizer, sketch_recognizer) if config.rounds.perception else (None, None)),
                config.loss,
                *pools,
            )
            rate = ConstantThenLinear(
                config.train.learning_rate,
                self.epoch_steps * config.train.epochs,
                self.epoch_steps * config.train.decay_epochs,
            )
            scaling = config.train.precision == "mixed_float16"
            self.gan.compile(
                adam(rate, config.train.beta_1, config.generator.ema, scaling, config.train.epsilon),
                adam(rate, config.train.beta_1, 0.0, scaling, config.train.epsilon),
                jit_compile=config.train.jit_compile,
            )
            self.gan.generator_optimizer.build(self.gan.generator_variables)
            self.gan.discriminator_optimizer.build(self.gan.discriminator_variables)
        begun = {
            name: getattr(self.gan, name)
            for name in (
                "generator_optimizer",
                "discriminator_optimizer",
                "photo_pool",
                "sketch_pool",
                "perception_weight",
                "first_cycle",
                "first_perception",
            )
        }
        self.state = tf.train.Checkpoint(**{network.name: network for network in self.networks.all()}, **begun)
        self._restart = Restart([variable for one in begun.values() for variable in getattr(one, "variables", [one])])

    def train(self, number: int, perception_weight: float | None = None) -> None:
        """Round ``number``, to its end; afterwards the generators hold the moving average where that is on.

        ``perception_weight``: λ_ip from the first step on, instead of one that ``auto`` finds.
        """
        config, faces = self.context.config, self.context.faces
        self._begin(number)
        if perception_weight is not None:
            self.gan.kept_weight.assign(perception_weight)
        seed = self.context.phase_seed(number)
        phase = Phase(
            f"round_{number}/synthesis",
            self.gan,
            self.state,
            lambda start: paired_stream(
                faces.fitting.photos,
                faces.fitting.sketches,
                batch=config.train.batch,
                seed=seed,
                augmentation=self.context.augmentation,
                start_step=start,
                together=config.data.augment == "together",
                worker=self.context.worker,
            ),
            self.steps,
            self.epoch_steps,
            2 * config.train.batch,
            lambda step: [
                faces.fitting.identities[place]
                for place in batch_places(step, config.train.batch, len(faces.fitting), seed)
            ],
            self.pools,
        )
        self.context.train(
            phase,
            ("loss/cycle", "loss/adversarial", "loss/identity_perception"),
            [
                PerceptionLimit(config.loss.perception_limit),
                DiscriminatorAtZero(self.context.say),
                Snapshots(
                    self.gan,
                    faces.test,
                    self.context.history,
                    self.context.folder.round(number) / "grid.png",
                    config.rounds.snapshots,
                    config.rounds.snapshot_epochs * self.epoch_steps,
                    self.context.say,
                ),
            ],
        )
        if config.generator.ema > 0:
            self.gan.generator_optimizer.finalize_variable_values(self.gan.generator_variables)

    def _begin(self, number: int) -> None:
        rounds = self.context.config.rounds
        self._restart()
        # generator_first: round 1 is CycleGAN (λ_ip = 0), the recognizers join from round 2 on [P]
        self.gan.perceiving.assign(rounds.perception and not (rounds.schedule == "generator_first" and number == 1))
        # "continue" keeps the networks of the round before, which are in place
        if number == 1 or rounds.init == "scratch":
            fresh = build_synthesis(
                self.context.config, self.context.faces.image_shape, self.context.phase_seed(number)
            )
            for source, target in zip(fresh.all(), self.networks.all()):
                copy_weights(source, target)
        if self.context.config.generator.ema > 0:  # from these weights on, not from those of the first build
            optimizer = self.gan.generator_optimizer
            getattr(optimizer, "inner_optimizer", optimizer).begin_average(self.gan.generator_variables)
