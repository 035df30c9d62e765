"""IACycleGAN: one training step of both generators and both discriminators (Fang et al. 2020, Section 3)."""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import LossConfig
from iacyclegan_tf.method import losses
from iacyclegan_tf.method.finite_step import Descent, descent, replica_share, take
from iacyclegan_tf.method.image_pool import ImagePool


class IACycleGAN(keras.Model):
    """CycleGAN with the identity perception loss: G_X photo → sketch, G_Y sketch → photo, D_X, D_Y, Φp, Φs.

    ``train_step`` is the view of a single replica; losses are divided by the number of replicas, since gradients
    are summed over them. A step costs little more than its convolutions: images that go through the same generator
    or discriminator go together, and features of real images are not differentiated. A step with a loss or gradient
    that is not finite changes no weight (``finite_step.py``); its logs tell which it was.

    Args:
        photo_to_sketch, sketch_to_photo: the generators G_X and G_Y.
        photo_discriminator, sketch_discriminator: D_X and D_Y.
        photo_recognizer, sketch_recognizer: Φp and Φs, never changed here; both ``None`` gives CycleGAN.
        settings: weights and forms of the losses.
        photo_pool, sketch_pool: histories of generated images, made outside any strategy's scope.

    Batches are ``(photos, sketches)``, float ``[N, H, W, 3]`` in [−1, 1], paired by identity.

    >>> from iacyclegan_tf.models.generator import Generator
    >>> from iacyclegan_tf.models.discriminator import Discriminator
    >>> pools = [ImagePool(4, (32, 32, 3)) for _ in range(2)]
    >>> gan = IACycleGAN(Generator(4, 1), Generator(4, 1), Discriminator(4, 1), Discriminator(4, 1),
    ...                  None, None, LossConfig(), *pools)
    >>> gan.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    >>> pairs = tf.data.Dataset.from_tensors((tf.zeros([1, 32, 32, 3]), tf.zeros([1, 32, 32, 3])))
    >>> history = gan.fit(pairs, verbose=0)
    >>> sorted(history.history)[:3]
    ['D_photo/fake', 'D_photo/real', 'D_sketch/fake']
    """

    def __init__(
        self,
        photo_to_sketch,
        sketch_to_photo,
        photo_discriminator,
        sketch_discriminator,
        photo_recognizer,
        sketch_recognizer,
        settings: LossConfig,
        photo_pool: ImagePool,
        sketch_pool: ImagePool,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.photo_to_sketch, self.sketch_to_photo = photo_to_sketch, sketch_to_photo
        self.photo_discriminator, self.sketch_discriminator = photo_discriminator, sketch_discriminator
        self.photo_recognizer, self.sketch_recognizer = photo_recognizer, sketch_recognizer
        self.settings = settings
        self.photo_pool, self.sketch_pool = photo_pool, sketch_pool
        literal = settings.perception_weight
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.perceiving = tf.Variable(photo_recognizer is not None, trainable=False, aggregation=first)
        state = partial(tf.Variable, trainable=False, dtype=tf.float32, aggregation=tf.VariableAggregation.MEAN)
        self.perception_weight = state(0.0 if literal == "auto" else literal)
        self.kept_weight = state(0.0)  # λ_ip of the round before, which then stands for what "auto" finds; 0: none
        self.first_cycle, self.first_perception = state(0.0), state(0.0)  # sums over the first steps, for "auto"
        self.traces = 0

    def compile(self, generator_optimizer, discriminator_optimizer, **kwargs):
        """One optimizer for both generators, one for both discriminators; with mixed_float16 wrapped for loss
        scaling."""
        super().compile(**kwargs)
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer

    @property
    def generator_variables(self) -> list[tf.Variable]:
        return self.photo_to_sketch.trainable_variables + self.sketch_to_photo.trainable_variables

    @property
    def discriminator_variables(self) -> list[tf.Variable]:
        return self.photo_discriminator.trainable_variables + self.sketch_discriminator.trainable_variables

    def call(self, images):
        """``(photos, sketches)`` -> ``(synthesized sketches, synthesized photos)``."""
        photos, sketches = images
        return self.photo_to_sketch(photos), self.sketch_to_photo(sketches)

    def train_step(self, data):
        self.traces += 1
        photos, sketches = data
        # where Φ's grid lies in this step, equal for real and generated images
        shift = tf.random.stateless_uniform([2], tf.stack([0, tf.cast(self.step, tf.int32)]))
        real_features = self._real_features(photos, sketches, shift)
        with tf.GradientTape() as tape:
            terms, fakes = self.generator_terms(photos, sketches, real_features, shift)
            weights = self._weights(terms)
            total = tf.add_n([weights[name] * term for name, term in terms.items()])
        generators = descent(tape, total, self.generator_variables, self.generator_optimizer)
        discriminators, judged = self._judge(photos, sketches, *fakes)
        take(generators, discriminators)
        logs = {f"loss/{name}": term for name, term in terms.items()}
        logs |= {f"weighted/{name}": weights[name] * term for name, term in terms.items()}
        logs |= {"loss/generators": total, "perception_weight": weights["identity_perception"]}
        logs |= {"gradient/generators": generators.norm, "gradient/discriminators": discriminators.norm}
        return replica_share(logs | judged)

    def generator_terms(self, photos, sketches, real_features, shift):
        """The raw losses, and the generated (sketches, photos)."""
        s = self.settings
        batch = photos.shape[0]
        usual = s.identity_mapping_weight > 0 and s.identity_mapping_form == "usual"
        # Both x and y go through each generator for the usual identity mapping: one call of twice the batch.
        sketch_out = self.photo_to_sketch(tf.concat([photos, sketches], 0) if usual else photos, training=True)
        photo_out = self.sketch_to_photo(tf.concat([sketches, photos], 0) if usual else sketches, training=True)
        fake_sketches, fake_photos = sketch_out[:batch], photo_out[:batch]
        cycled_photos = self.sketch_to_photo(fake_sketches, training=True)
        cycled_sketches = self.photo_to_sketch(fake_photos, training=True)
        judged_sketches = self.sketch_discriminator(fake_sketches, training=True)
        judged_photos = self.photo_discriminator(fake_photos, training=True)
        mapped_photos, mapped_sketches = (
            (photo_out[batch:], sketch_out[batch:]) if usual else (fake_sketches, fake_photos)
        )
        zero = tf.constant(0.0)
        terms = {
            "adversarial": losses.generator_adversarial(judged_sketches, s.adversarial)
            + losses.generator_adversarial(judged_photos, s.adversarial),
            "cycle": losses.cycle_consistency(cycled_photos, photos)
            + losses.cycle_consistency(cycled_sketches, sketches),
            # as printed, G_X(x) is held against x itself, so the mapped images are the fakes
            "identity_mapping": losses.identity_mapping(mapped_photos, photos)
            + losses.identity_mapping(mapped_sketches, sketches)
            if s.identity_mapping_weight > 0
            else zero,
            "identity_perception": self._perception(fake_photos, fake_sketches, real_features, shift),
        }
        if s.paired_weight > 0:
            terms["paired"] = losses.paired(fake_photos, photos, s.paired_form) + losses.paired(
                fake_sketches, sketches, s.paired_form
            )
        return terms, (fake_sketches, fake_photos)

    def _real_features(self, photos, sketches, shift):
        """Φp(x) and Φs(y), outside the tape: they are targets."""
        if self.photo_recognizer is None:
            return None
        layers = tuple(self.settings.perception_layer)
        zeros = [tf.zeros_like(f) for f in self.photo_recognizer.perceived(tf.zeros_like(photos), layers, shift)] * 2
        return tf.cond(
            self.perceiving,
            lambda: [
                feature
                for recognizer, images in ((self.photo_recognizer, photos), (self.sketch_recognizer, sketches))
                for feature in recognizer.perceived(images, layers, shift)
            ],
            lambda: zeros,
        )

    def _perception(self, fake_photos, fake_sketches, real_features, shift):
        """Always inside one modality: synthesized photo against real photo under Φp, sketch against sketch under Φs."""
        if self.photo_recognizer is None:
            return tf.constant(0.0)
        s = self.settings
        layers = tuple(s.perception_layer)

        def measured():
            return losses.identity_perception(
                self.photo_recognizer.perceived(fake_photos, layers, shift),
                real_features[: len(layers)],
                s.perception_normalization,
                s.perception_reduction,
            ) + losses.identity_perception(
                self.sketch_recognizer.perceived(fake_sketches, layers, shift),
                real_features[len(layers) :],
                s.perception_normalization,
                s.perception_reduction,
            )

        return tf.cond(self.perceiving, measured, lambda: tf.constant(0.0))

    def _weights(self, terms) -> dict:
        s = self.settings
        return {
            "adversarial": s.adversarial_weight,
            "cycle": s.cycle_weight,
            "identity_mapping": s.identity_mapping_weight,
            "paired": s.paired_weight,
            "identity_perception": self._perception_weight(terms),
        }

    def _perception_weight(self, terms):
        """λ_ip: the literal number, or ``auto``.

        ``auto``: λ_ip = share · λ_cyc · mean(cycle) / mean(perception), both means over the steps so far until
        ``perception_auto_steps``, then it stays as it is for the round; or ``kept_weight``, where that is given.
        """
        s = self.settings
        if self.photo_recognizer is None:
            return tf.constant(0.0)
        if s.perception_weight == "auto":
            early = tf.cast(tf.logical_and(self.perceiving, self.step < s.perception_auto_steps), tf.float32)
            self.first_cycle.assign_add(early * terms["cycle"])
            self.first_perception.assign_add(early * terms["identity_perception"])
            # Recomputed from the same sums afterwards, so it stays fixed without a branch.
            found = (
                s.perception_share
                * s.cycle_weight
                * tf.math.divide_no_nan(self.first_cycle.read_value(), self.first_perception.read_value())
            )
            kept = self.kept_weight.read_value()
            self.perception_weight.assign(tf.where(kept > 0, kept, found))
        weight = tf.stop_gradient(self.perception_weight.read_value())
        return tf.where(self.perceiving, weight, 0.0)

    @property
    def step(self) -> tf.Tensor:
        """Steps taken in this round, int64: the generator optimizer's own count, so a resume restores it."""
        return self.generator_optimizer.iterations

    def _judge(self, photos, sketches, fake_sketches, fake_photos) -> tuple[Descent, dict]:
        """What the discriminators have to learn, and what they answered."""
        form, batch = self.settings.adversarial, photos.shape[0]
        count = self.discriminator_optimizer.iterations
        past_photos = self.photo_pool.query(tf.stop_gradient(fake_photos), count)
        past_sketches = self.sketch_pool.query(tf.stop_gradient(fake_sketches), count)
        with tf.GradientTape() as tape:
            on_photos = self.photo_discriminator(tf.concat([photos, past_photos], 0), training=True)
            on_sketches = self.sketch_discriminator(tf.concat([sketches, past_sketches], 0), training=True)
            photo_loss = losses.discriminator_adversarial(on_photos[:batch], on_photos[batch:], form)
            sketch_loss = losses.discriminator_adversarial(on_sketches[:batch], on_sketches[batch:], form)
            total = photo_loss + sketch_loss
        step = descent(tape, total, self.discriminator_variables, self.discriminator_optimizer)
        answers = {"photo": on_photos, "sketch": on_sketches}
        if form == "log":
            answers = {name: tf.sigmoid(logits) for name, logits in answers.items()}
        logs = {"loss/photo_discriminator": photo_loss, "loss/sketch_discriminator": sketch_loss}
        for name, answer in answers.items():
            logs[f"D_{name}/real"] = tf.reduce_mean(answer[:batch])
            logs[f"D_{name}/fake"] = tf.reduce_mean(answer[batch:])
        return step, logs
