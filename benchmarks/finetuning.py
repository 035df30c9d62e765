"""What fine-tuning is worth under other settings, on the images of a finished run: margin, steps, images, what is
trained, the loss, and images synthesized out of sample.

Run from the repository root:  python -m benchmarks.finetuning RUN [--folds RUN ...] [--only TRIAL ...]
RUN has the adapter and round 1. A fold is a run of the same settings trained without a part of RUN's fitting people;
each of these is then synthesized by the first fold that has not seen it. Every trial begins at Φ0, and is kept or not
as in a run. Judged on the test people: d′, with the 95 % interval of what fusion gains over the first trial. About two
minutes a trial on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, field, replace
from shutil import copytree

import numpy as np

from iacyclegan_tf.common.run_command import run_command
from iacyclegan_tf.common.tables import Table

FAR, RESAMPLES, SEED = 0.001, 2000, 0


@dataclass(frozen=True)
class Trial:
    """``settings`` of ``recognizer.finetune`` in place of the run's; it ``trains`` the adapter or the last block."""

    settings: dict = field(default_factory=dict)
    trains: str = "adapter"
    loss: str = "triplet"
    folds: bool = False


TRIALS = {
    "centres alone": Trial({"steps": 0}),
    "as the run": Trial(),
    "margin 0.1": Trial({"margin": 0.1}),
    "margin 0.3": Trial({"margin": 0.3}),
    "margin 1.0": Trial({"margin": 1.0}),
    "margin 1.0, 360 steps": Trial({"margin": 1.0, "steps": 360}),
    "4 images of 16 people": Trial({"people": 16, "images": 4}),
    "contrast in place of triplets": Trial(loss="contrast"),
    "last block in place of the adapter, rate 1e-4": Trial({"learning_rate": 1e-4}, trains="block"),
    "folds, centres alone": Trial({"steps": 0}, folds=True),
    "folds, margin 0.3": Trial({"margin": 0.3}, folds=True),
    "folds, margin 1.0": Trial({"margin": 1.0}, folds=True),
    "folds, margin 1.0, 360 steps": Trial({"margin": 1.0, "steps": 360}, folds=True),
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetuning", description=__doc__.split("\n\n")[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument(
        "--folds", nargs="+", default=[], metavar="RUN", help="without them the trials of folds are left out"
    )
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=[*TRIALS], metavar="TRIAL", help=", ".join(TRIALS))
    return parser.parse_args()


def measure(options: argparse.Namespace) -> None:
    from iacyclegan_tf.common.terminal import open_console
    from iacyclegan_tf.inference.runs import open_run
    from iacyclegan_tf.training.run_folder import RunFolder
    from iacyclegan_tf.training.start import alone, prepare

    run, folds = open_run(options.run), [open_run(path) for path in options.folds]
    chosen = {name: TRIALS[name] for name in options.only if folds or not TRIALS[name].folds}
    with tempfile.TemporaryDirectory() as scratch:
        config = replace(run.config, name="trials", runs_dir=scratch, savedmodels_dir=scratch)
        folder = RunFolder(config)
        for part in ("recognizer_0", "round_1/networks"):
            copytree(run.path / part, folder.path / part)
        bench = Bench(prepare(config, folder, open_console(errors=True), alone(config)), folds)
        rows = tuple((name, *bench.row(name, trial)) for name, trial in chosen.items())
    title = f"Φ0 fine-tuned on the images of {run.name}, round 1; {len(bench.test.identities)} test pairs"
    columns = (
        "trial",
        "kept, photo and sketch",
        "d′ photo",
        "d′ sketch",
        "d′ fusion, gain",
        "fusion VR at FAR 0.1 %, %",
    )
    print(Table(title, columns, rows).markdown())


class Bench:
    """The run's networks after round 1's synthesis, and its images, synthesized once."""

    def __init__(self, context, folds):
        from iacyclegan_tf.evaluation.matching import shown
        from iacyclegan_tf.metrics.bootstrap import draw_people
        from iacyclegan_tf.training.rounds import Rounds

        self.context, self.rounds, faces = context, Rounds(context), context.faces
        self.rounds.prepare_recognizer()
        self.rounds.synthesize(1)
        self.test, matcher = faces.test, self.rounds.matcher()
        sketches, photos = self.test.original_sketches, self.test.original_photos
        self.shown = shown(self.test, matcher.to_photo(sketches), matcher.to_sketch(photos))
        networks = [self.rounds.synthesis.networks]
        self.own = self.made(networks, faces.fitting, np.zeros(len(faces.fitting.identities), int))
        self.held = self.made(networks, faces.validation, np.zeros(len(faces.validation.identities), int))
        self.out_of_sample = self.made(*unseen_by(folds, faces)) if folds else None
        self.draws, self.first = draw_people(self.test.people, RESAMPLES, SEED), None

    def made(self, networks, pairs, by: np.ndarray) -> dict[str, np.ndarray]:
        """Each side's fakes of ``pairs``, as recognizers are shown them, each person's by networks number ``by``."""
        from iacyclegan_tf.training.synthesized_images import synthesized

        found = {}
        for side, direction, images, chips in (
            ("photo", "sketch_to_photo", pairs.sketches, pairs.sketch_chips),
            ("sketch", "photo_to_sketch", pairs.photos, pairs.photo_chips),
        ):
            fakes = [synthesized(getattr(some, direction), images, chips, self.context.faces.fit) for some in networks]
            found[side] = np.stack(fakes)[by, np.arange(len(images))]
        return found

    def row(self, name: str, trial: Trial) -> tuple[str, ...]:
        from iacyclegan_tf.evaluation.matching import LEARNED, match
        from iacyclegan_tf.metrics import d_prime, genuine_and_impostor_scores, verification_rate
        from iacyclegan_tf.metrics.bootstrap import percentile_interval, resampled_d_prime

        kept = [self.tuned(f"{name}/{side}", trial, side) for side in ("photo", "sketch")]
        people = self.test.identities
        scores = match(self.rounds.matcher(), *self.shown)
        resampled = resampled_d_prime(scores["fusion"], people, people, self.draws)
        self.first = resampled if self.first is None else self.first
        low, high = percentile_interval(resampled - self.first)
        photo, sketch, fusion = (
            f"{d_prime(*genuine_and_impostor_scores(scores[way], people, people)):.2f}" for way in LEARNED
        )
        rate = 100 * verification_rate(scores["fusion"], people, people, FAR)
        return ", ".join(kept), photo, sketch, f"{fusion} [{low:+.2f}, {high:+.2f}]", f"{rate:.1f}"

    def tuned(self, name: str, trial: Trial, side: str) -> str:
        """Φp or Φs begun at Φ0 and fine-tuned as a run would; whether it was kept, with its share of resamples."""
        from iacyclegan_tf.models.build import copy_weights
        from iacyclegan_tf.training.recognizer_phases import Held, train_if_better

        config, faces = self.context.config, self.context.faces
        settings = replace(config.recognizer.finetune, **trial.settings)
        context = replace(
            self.context, config=replace(config, recognizer=replace(config.recognizer, finetune=settings))
        )
        recognizer = getattr(self.rounds, f"{side}_recognizer")
        copy_weights(self.rounds.initial, recognizer)
        training = training_of(trial, context, recognizer)
        real, held_real = (pairs.shown[side == "sketch"] for pairs in (faces.fitting, faces.validation))
        fake, labels = (self.out_of_sample if trial.folds else self.own)[side], faces.fitting.labels
        probes, gallery = (self.held[side], held_real) if side == "photo" else (held_real, self.held[side])
        seed = context.phase_seed(302 + (side == "sketch"))
        found = train_if_better(
            training,
            name.replace(" ", "_"),
            [(real, labels), (fake, labels)],
            settings.steps,
            seed,
            Held(probes, gallery, faces.validation.identities),
        )
        return f"{'yes' if found['kept'] else 'no'} {100 * found['supported']:.0f} %" if settings.steps else "–"


def training_of(trial: Trial, context, recognizer):
    """``TripletTraining``, with another loss or other variables where the trial says so."""
    from iacyclegan_tf.method.finite_step import gathered
    from iacyclegan_tf.method.pair_matching import contrast
    from iacyclegan_tf.method.recognizer_training import TripletTrainer
    from iacyclegan_tf.training.recognizer_phases import TripletTraining

    class Trainer(TripletTrainer):
        @property
        def trained_variables(self):
            if trial.trains == "adapter":
                return self.recognizer.adapter.trainable_variables
            last = [layer for name, layer in self.recognizer.convolutions.items() if name.startswith("level2_3")]
            return [variable for layer in last for variable in layer.variables]  # frozen only where one asks Keras

        def loss_of(self, images, labels):
            if trial.loss == "triplet":
                return super().loss_of(images, labels)
            embeddings, labels = gathered(self(images, training=False)), gathered(labels)
            return contrast(embeddings, labels, context.config.recognizer.pretrain.scale)[0], {}

    return TripletTraining(context, recognizer, Trainer)


def unseen_by(folds, faces):
    """The folds' networks, the fitting people, and which fold has trained on none of a person's images."""
    from iacyclegan_tf.common.errors import UserError
    from iacyclegan_tf.data.load_faces import load_faces
    from iacyclegan_tf.models.build import build_synthesis
    from iacyclegan_tf.models.saved_state import read_folder

    networks, seen = [], []
    for fold in folds:
        own = build_synthesis(fold.config, faces.image_shape, fold.config.seed)
        read_folder(fold.path / "round_1" / "networks", own.checkpoint())
        networks.append(own)
        seen.append(set(load_faces(fold.config.data, fold.config.seed).fitting.identities))
    unseen = np.array([[name not in people for people in seen] for name in faces.fitting.identities])
    if not unseen.any(1).all():
        raise UserError(f"{(~unseen.any(1)).sum()} of the fitting images show people whom every fold has trained on.")
    return networks, faces.fitting, unseen.argmax(1)


if __name__ == "__main__":
    sys.exit(run_command(lambda: measure(parse())))
