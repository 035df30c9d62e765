"""Mutual optimization, the paper's loop: synthesis trains recognition, recognition guides synthesis (Section 3.5).

Before: Φ0 from a weights file, or pre-trained on the training people. Then each round: synthesis with the recognizers
of the round before → translate the training set → fine-tune Φp and Φs on real and synthesized images → keep each only
if it is better on people held out → evaluate → export. Every step leaves its result in the run folder, so that the same
command goes on from whatever is done.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.evaluation.calibration import calibrate, training_images
from iacyclegan_tf.evaluation.image_quality import SSIM, means, trivial_measures
from iacyclegan_tf.evaluation.matching import Matcher, from_servables
from iacyclegan_tf.evaluation.round_metrics import evaluate_round
from iacyclegan_tf.models.build import build_recognizer, copy_weights, learns_from_pairs, load_first_weights
from iacyclegan_tf.serving.modules_of_run import ServedNetworks
from iacyclegan_tf.serving.publishing.export import Source, Version, publish
from iacyclegan_tf.serving.signatures import CALIBRATION
from iacyclegan_tf.training.calibrate_sharpening import calibrate_sharpening
from iacyclegan_tf.training.centring import set_centres
from iacyclegan_tf.training.context import RunContext
from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
from iacyclegan_tf.training.recognizer_phases import Held, TripletTraining, match_pairs, train_if_better
from iacyclegan_tf.training.synthesis_phase import SynthesisTraining
from iacyclegan_tf.training.synthesized_images import synthesized, synthesized_partners


class Rounds:
    """A run: ``Rounds(context).run()`` does what is not done yet."""

    def __init__(self, context: RunContext):
        self.context, self.config, self.faces, self.folder = context, context.config, context.faces, context.folder
        precision = self.config.train.precision
        with context.strategy.scope():
            self.initial, self.photo_recognizer, self.sketch_recognizer = (
                build_recognizer(self.config, name, precision)
                for name in ("initial_recognizer", "photo_recognizer", "sketch_recognizer")
            )
        self.synthesis = SynthesisTraining(context, self.photo_recognizer, self.sketch_recognizer)
        self.tuning = {
            "photo": TripletTraining(context, self.photo_recognizer),
            "sketch": TripletTraining(context, self.sketch_recognizer),
        }
        self.workers = context.workers
        self.servables = ServedNetworks(self.config, self.faces.image_shape, self.faces.fit)

    def run(self) -> list[dict]:
        """All rounds; returns their metrics."""
        self.prepare_recognizer()
        return [self.round(number) for number in range(1, self.config.rounds.count + 1)]

    def round(self, number: int) -> dict:
        self.synthesize(number)
        for side in ("photo", "sketch"):
            self.fine_tune(number, side)
        metrics = self.evaluate(number)
        self.publish(number, metrics)
        return metrics

    def prepare_recognizer(self) -> None:
        """Φ0, and Φp = Φs = Φ0."""
        place, checkpoint = self.folder.path / "recognizer_0", tf.train.Checkpoint(recognizer=self.initial)
        if not self.context.restore(place, checkpoint):
            self.context.keep(place, checkpoint, self._first_recognizer())
        self._clear("recognizer_0/matching", "recognizer_0/triplets")
        for recognizer in (self.photo_recognizer, self.sketch_recognizer):
            copy_weights(self.initial, recognizer)

    def _first_recognizer(self) -> dict:
        settings, fitting, held = self.config.recognizer, self.faces.fitting, self.faces.validation
        made_from = load_first_weights(self.initial, self.config)
        if learns_from_pairs(self.config):
            match_pairs(self.context, self.initial)
        elif self.config.rounds.schedule == "generator_first":
            set_centres(self.initial, fitting.shown)
            return made_from
        return made_from | train_if_better(
            TripletTraining(self.context, self.initial),
            "recognizer_0/triplets",
            [(images, fitting.labels) for images in fitting.shown],
            settings.pretrain.triplet_steps,
            self.context.phase_seed(202),
            Held(*held.shown[::-1], held.identities),
        )

    def synthesize(self, number: int) -> None:
        place, networks = self.folder.round(number) / "networks", self.synthesis.networks.checkpoint()
        if not self.context.restore(place, networks):
            self.synthesis.train(number, self._perception_weight(number))
            if self.config.generator.sharpness > 0:
                self._sharpen(number)
            self.context.keep(
                place, networks, {"perception_weight": float(self.synthesis.gan.perception_weight.numpy())}
            )
        self._clear(f"round_{number}/synthesis")

    def _perception_weight(self, number: int) -> float | None:
        """λ_ip of the round before, which a round that goes on with its networks keeps; ``None``: as
        ``loss.perception_weight`` says.

        ``auto`` begins at a share of the cycle loss, which a trained network has made small: set anew, it would fall.
        """
        rounds = self.config.rounds
        if number == 1 or rounds.init == "scratch" or self.config.loss.perception_weight != "auto":
            return None
        weight = None
        if self.workers.chief:
            weight = read_object(self.folder.round(number - 1) / "networks" / "extra.json")["perception_weight"]
        return self.workers.agree(weight) or None  # 0: round 1 was CycleGAN

    def _sharpen(self, number: int) -> None:
        """Both generators, judged on the validation people."""
        networks, held, target = self.synthesis.networks, self.faces.validation, self.config.generator.sharpness
        for generator, images, truths in (
            (networks.photo_to_sketch, held.photos, held.original_sketches),
            (networks.sketch_to_photo, held.sketches, held.original_photos),
        ):
            amount, before, after = calibrate_sharpening(generator, self.faces.fit, images, truths, target)
            self.context.say(
                f"round_{number}/{generator.name}: sharpened by {amount:.2f}, gradient energy of the validation people "
                f"{before:.2f} -> {after:.2f} of the real images' ({target} wanted)"
            )

    def fine_tune(self, number: int, side: str) -> None:
        """Φp (``photo``) or Φs (``sketch``), in its own modality: anchor and positive are real and synthesized."""
        place = self.folder.round(number) / f"{side}_recognizer"
        checkpoint = tf.train.Checkpoint(recognizer=self.tuning[side].recognizer)
        if not self.context.restore(place, checkpoint):
            self.context.keep(place, checkpoint, self._fine_tuned(number, side))
        self._clear(f"round_{number}/{side}_recognizer")

    def _fine_tuned(self, number: int, side: str) -> dict:
        if not self.config.rounds.finetune:
            return {"kept": False, "why": "rounds.finetune is off"}
        name, fitting, held = f"round_{number}/{side}_recognizer", self.faces.fitting, self.faces.validation
        seed = self.context.phase_seed(300 + 2 * number + (side == "sketch"))
        generator = (
            self.synthesis.networks.sketch_to_photo if side == "photo" else self.synthesis.networks.photo_to_sketch
        )
        real, source, chips = _sides(fitting, side)
        held_real, held_source, held_chips = _sides(held, side)
        held_fake = synthesized(generator, held_source, held_chips, self.faces.fit)
        # the probe is what stands in for the sketch: its synthesized photo, or the sketch itself
        probes, gallery = (held_fake, held_real) if side == "photo" else (held_real, held_fake)
        settings, labels = self.config.recognizer.finetune, fitting.labels
        with synthesized_partners(
            generator,
            source,
            chips,
            self.faces.fit,
            labels,
            settings,
            seed,
            self.folder.checkpoints(name) / "synthesized",
        ) as fake:
            return train_if_better(
                self.tuning[side],
                name,
                [(real, labels), (fake, labels)],
                settings.steps,
                seed,
                Held(probes, gallery, held.identities),
            )

    def evaluate(self, number: int) -> dict:
        path = self.folder.round(number) / "metrics.json"
        done = self.workers.agree(read_object(path) if path.exists() else None)
        if done:
            return done
        matcher = self.matcher()
        return self.workers.agree(self._measured(number, matcher, path) if self.workers.chief else None)

    def _measured(self, number: int, matcher: Matcher, path: Path) -> dict:
        metrics = evaluate_round(number, self.config, self.faces, matcher)
        metrics["trivial_baselines"] = means(trivial_measures(self.faces, measures=SSIM))
        with self.faces.fitting.reading():
            calibration = calibrate(matcher, self.faces.validation, training_images(self.faces))
        self.folder.write_json(self.folder.round(number) / CALIBRATION, calibration)
        self.context.history.measures(number, metrics)
        self.folder.write_json(path, metrics)
        return metrics

    def publish(self, number: int, metrics: dict) -> None:
        """Exports all four servables, judges each, and pushes what is blessed: the chief alone."""
        data = read_object(self.folder.path / "data.json")
        version = Version(self.folder.savedmodels, number)
        source = Source(self.config, data, metrics, self.folder.round(number) / CALIBRATION)
        # reading the networks needs all workers
        modules = {} if self.workers.agree(version.exported()) else self._modules()
        if self.workers.chief:
            publish(version, source, lambda: modules, self.context.say)

    def matcher(self) -> Matcher:
        """All networks as they are now, as they would be served."""
        return from_servables(*self._modules().values())  # which stand in this order

    def _modules(self) -> dict[str, tf.Module]:
        generators = self.synthesis.networks
        return self.servables.with_weights_of(
            [
                generators.photo_to_sketch,
                generators.sketch_to_photo,
                self.initial,
                self.photo_recognizer,
                self.sketch_recognizer,
            ]
        )

    def _clear(self, *phases: str) -> None:
        """Also where the result was there already: a run may have been killed between the two."""
        for phase in phases:
            CheckpointStore(self.folder.checkpoints(phase)).clear()


def _sides(pairs, side: str):
    """The real images of a side as its recognizer is shown them, those of the other side from which they are
    synthesized, and the other side's chips."""
    if side == "photo":
        return pairs.shown[0], pairs.sketches, pairs.sketch_chips
    return pairs.shown[1], pairs.photos, pairs.photo_chips
