"""Numbers that are not finite: no weight changes, step and images are named, and the policy decides how it goes on."""

import io
import json
import signal
import types

import numpy as np
import pytest
import tensorflow as tf
import tiny
from rich.console import Console

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.common.run_command import Terminated
from iacyclegan_tf.config.settings import Config, TrainConfig
from iacyclegan_tf.data.face_pairs import FacePairs
from iacyclegan_tf.data.streams.augmentation import Augmentation
from iacyclegan_tf.data.streams.batches import batch_places, paired_stream
from iacyclegan_tf.method.finite_step import descent, take
from iacyclegan_tf.training.distributed.workers import Workers
from iacyclegan_tf.training.engine.adam import adam
from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
from iacyclegan_tf.training.engine.history import PhaseCallback
from iacyclegan_tf.training.engine.learning_rate import Lowered
from iacyclegan_tf.training.engine.phase import Engine, Phase
from iacyclegan_tf.training.engine.sample_grid import Snapshots
from iacyclegan_tf.training.engine.stops_and_warnings import DiscriminatorAtZero
from iacyclegan_tf.training.run_folder import RunFolder

# ---------------------------------------------------------------- one step


def everything(*optimizers, variables=()) -> list[np.ndarray]:
    return [v.numpy() for v in (*variables, *(v for optimizer in optimizers for v in optimizer.variables))]


def assert_unchanged(before: list, after: list) -> None:
    assert len(before) == len(after)
    for one, two in zip(before, after):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "root, more, finite", [(4.0, 0.0, True), (0.0, 0.0, False), (-1.0, 0.0, False), (4.0, np.inf, False)]
)
@pytest.mark.parametrize("graph", [True, False])
def test_all_optimizers_step_or_none(root, more, finite, graph):
    """√(x w): at x = 0 the loss is finite and the gradient is not; below neither is; with ∞ added only the loss is not.

    The other optimizer's numbers are sound.
    """
    one, two = tf.Variable([1.0, 2.0]), tf.Variable(3.0)
    optimizers = [adam(0.1, ema=0.9), adam(0.1)]
    for optimizer, variable in zip(optimizers, (one, two)):
        optimizer.build([variable])

    def step(x, y):
        with tf.GradientTape() as tape, tf.GradientTape() as other:
            good, bad = tf.reduce_sum(one**2), tf.sqrt(x * two) + y
        steps = descent(tape, good, [one], optimizers[0]), descent(other, bad, [two], optimizers[1])
        take(*steps)
        return [each.norm for each in steps] + [each.loss for each in steps]

    step = tf.function(step) if graph else step
    step(tf.constant(4.0), tf.constant(0.0))
    before = everything(*optimizers, variables=(one, two))
    logs = step(tf.constant(root), tf.constant(more))
    after = everything(*optimizers, variables=(one, two))
    assert np.isfinite(logs).all() == finite
    if finite:
        assert float(logs[0]) == pytest.approx(2 * np.linalg.norm(before[0]), rel=1e-6)
        assert not np.array_equal(before[0], after[0]) and before[1] != after[1]
    else:
        assert_unchanged(before, after)
        step(tf.constant(4.0), tf.constant(0.0))  # and the next good step is taken as if nothing had been
        assert all(np.isfinite(v).all() for v in everything(*optimizers, variables=(one, two)))
        assert not np.array_equal(one, before[0])


def test_loss_scaling_may_overflow_while_the_scale_can_fall():
    variable = tf.Variable(1.0)
    optimizer = keras.mixed_precision.LossScaleOptimizer(
        keras.optimizers.Adam(0.1, jit_compile=False), initial_scale=4.0
    )
    optimizer.build([variable])

    def step(slope):
        with tf.GradientTape() as tape:
            loss = tf.cast(tf.cast(variable, tf.float16) * tf.cast(slope, tf.float16), tf.float32)
        one = descent(tape, loss, [variable], optimizer)
        take(one)
        return float(one.norm), float(optimizer.loss_scale)

    assert step(2.0) == (2.0, 4.0) and variable.numpy() != 1.0
    before = variable.numpy()
    assert step(60_000.0) == (0.0, 2.0) and step(60_000.0) == (0.0, 1.0)  # 4 · 60,000 and 2 · 60,000 are beyond float16
    assert variable.numpy() == before
    norm, _ = step(np.inf)
    assert not np.isfinite(norm) and variable.numpy() == before


def test_a_bad_image_changes_nothing_of_the_gan_but_what_is_told():
    model = tiny.gan(pool=0, perception=False)
    photos, sketches = (images.numpy() for images in tiny.batch())
    model.fit(tf.data.Dataset.from_tensors((photos, sketches)), verbose=0)
    watched = (*model.generator_variables, *model.discriminator_variables)
    before = everything(model.generator_optimizer, model.discriminator_optimizer, variables=watched)
    for bad in (np.nan, np.inf):
        spoilt = photos.copy()
        spoilt[0, 3, 3, 0] = bad
        logs = model.fit(tf.data.Dataset.from_tensors((spoilt, sketches)), verbose=0).history
        assert_unchanged(
            before, everything(model.generator_optimizer, model.discriminator_optimizer, variables=watched)
        )
        assert not np.isfinite(logs["loss/generators"][0]) or not np.isfinite(logs["gradient/generators"][0])
    assert model.traces == 1


# ---------------------------------------------------------------- a phase


class Bowl(keras.Model):
    """Minimizes steepness · w² / 2 by plain descent: w is multiplied by 1 − rate · steepness at every step."""

    def __init__(self, rate: float):
        super().__init__()
        self.w, schedule = tf.Variable([1.0]), Lowered(rate)
        self.compile(keras.optimizers.SGD(schedule, jit_compile=False))
        self.optimizer.lowered = schedule
        self.optimizer.build([self.w])

    def train_step(self, steepness):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(steepness * self.w**2) / 2
        step = descent(tape, loss, [self.w], self.optimizer)
        take(step)
        return {"loss": loss, "gradient": step.norm}


class Run:
    """A phase of 200 steps with a checkpoint every 10; ``spoilt``: the step whose image is not finite."""

    def __init__(self, folder, rate: float, spoilt: int = 0, **settings):
        config = Config(name="run", runs_dir=str(folder), savedmodels_dir=str(folder / "savedmodels"))
        self.model, self.output = Bowl(rate), io.StringIO()
        settings = TrainConfig(checkpoint_steps=10, log_steps=10, **settings)
        workers = Workers(tf.distribute.get_strategy())
        self.engine = Engine(settings, RunFolder(config), workers, Console(file=self.output, width=1000))
        self.store = CheckpointStore(folder / "run/checkpoints/round_1/bowl")
        values = np.ones(200, np.float32)
        values[spoilt - 1] = np.nan if spoilt else 1.0
        self.phase = Phase(
            "round_1/bowl",
            self.model,
            tf.train.Checkpoint(w=self.model.w, optimizer=self.model.optimizer),
            lambda start: tf.data.Dataset.from_tensor_slices(values).skip(start),
            200,
            200,
            1,
            lambda step: [f"image {step}"],
        )

    def train(self) -> None:
        self.engine.train(self.phase)

    @property
    def said(self) -> list[str]:
        """Without the lines of progress."""
        return [
            line
            for line in self.output.getvalue().splitlines()
            if "peak memory" not in line and "step 200/" not in line
        ]

    @property
    def w(self) -> float:
        return float(self.model.w.numpy()[0])


def test_the_default_stops_names_step_and_images_and_keeps_the_last_good_checkpoint(tmp_path):
    run = Run(tmp_path, rate=0.01, spoilt=37)
    with pytest.raises(UserError) as stop:
        run.train()
    for words in (
        "round_1/bowl, step 37: loss became nan",
        "Images of the step: image 36.",
        "The step was not taken",
        "The last checkpoint is of step 30",
        "train.non_finite=lower_rate",
    ):
        assert words in str(stop.value), stop.value
    assert "\n" not in str(stop.value)
    assert run.w == pytest.approx(0.99**36, rel=1e-5)  # in memory, too, the weights are those of before
    again = Run(tmp_path, rate=0.01)
    again.train()  # the image has been mended, and the same command goes on
    assert again.said == ["round_1/bowl: goes on from step 30 of 200"]
    assert again.w == pytest.approx(0.99**200, rel=1e-4)
    assert [json.loads(line)["step"] for line in (tmp_path / "run/history.jsonl").read_text().splitlines()] == [
        *range(10, 201, 10)
    ]


def test_a_log_that_cannot_be_read_stops_no_resumption(tmp_path):
    """A byte that is not UTF-8, a line of no object, half a line: they go, and what is whole stays."""
    with pytest.raises(UserError):
        Run(tmp_path, rate=0.01, spoilt=37).train()
    log = tmp_path / "run/history.jsonl"
    whole = log.read_bytes()
    spoilt = whole.splitlines(keepends=True)
    log.write_bytes(
        spoilt[0]
        + b"\xff\n[1]\n7\n{}\n"
        + b"[" * 9000
        + b"\n"
        + spoilt[1]
        + b'{"phase": "round_1/bowl", "step": "x"}\n{"ph'
    )
    Run(tmp_path, rate=0.01).train()
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [
        *range(10, 21, 10),
        *range(40, 201, 10),
    ]
    assert log.read_bytes().startswith(spoilt[0] + spoilt[1])


def test_without_a_checkpoint_it_says_so(tmp_path):
    with pytest.raises(UserError, match=r"step 3: .*There is no checkpoint yet"):
        Run(tmp_path, rate=0.01, spoilt=3).train()


def test_lower_rate_returns_to_the_checkpoint_and_converges_where_the_full_rate_diverged(tmp_path):
    """1 − 3 = −2 doubles w until its square overflows; 1 − 1.5 = −½ halves it from there on."""
    run = Run(tmp_path, rate=3.0, non_finite="lower_rate")
    run.train()
    fault, resumed = run.said
    assert (
        "returns to it with 0.5 times the learning rate (try 1 of 3)" in fault
        and "The last checkpoint is of step 60" in fault
    )
    assert resumed == "round_1/bowl: goes on from step 60 of 200"
    assert abs(run.w) == pytest.approx(2.0**60 * 0.5**140, rel=1e-3)
    again = Run(tmp_path, rate=3.0, non_finite="lower_rate")
    assert again.store.restore(again.phase.state)["returns"] == 1  # so that a resume goes on with the lower rate
    again.train()
    assert again.model.optimizer.lowered.factor.numpy() == 0.5


def test_tries_are_bounded(tmp_path):
    """1 − 40/8 = −4: three halvings are not enough."""
    run = Run(tmp_path, rate=40.0, non_finite="lower_rate")
    with pytest.raises(
        UserError, match=r"returned to 3 times, at last with 0.125 times.*train.non_finite_tries allows no more"
    ):
        run.train()
    assert sum("returns to it" in line for line in run.said) == 3


def test_signals_are_python_s_own_again_after_a_fault(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(UserError):
        Run(tmp_path, rate=0.01, spoilt=3).train()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("step", [7, 200])
def test_a_signal_is_heeded_after_the_step_in_which_it_comes_and_after_the_last(tmp_path, step):
    run = Run(tmp_path, rate=0.01)

    class Sender(PhaseCallback):
        def after_step(self, logs):
            if self.step == step < 200:
                signal.raise_signal(signal.SIGTERM)

        def on_train_end(self, logs=None):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Terminated, match=f"saved at step {step} of 200"):
        run.engine.train(run.phase, callbacks=[Sender()])
    assert run.store.steps()[-1] == step


@pytest.mark.parametrize("step", [0, 3, 11])
def test_the_named_images_are_those_of_the_step(step):
    pictures = (np.arange(7, dtype=np.uint8) * 30)[:, None, None, None] * np.ones([7, 8, 8, 3], np.uint8)
    stream = paired_stream(pictures, pictures, batch=3, seed=5, augmentation=Augmentation(), start_step=step)
    seen = np.round((next(iter(stream))[0].numpy()[:, 0, 0, 0] + 1) * 127.5 / 30).astype(int).tolist()
    assert batch_places(step, 3, 7, 5) == seen


# ---------------------------------------------------------------- warnings


def test_a_discriminator_at_zero_is_warned_of_once_with_the_figure():
    said = []
    watch = DiscriminatorAtZero(said.append, every=4)
    watch.enter("round_1/synthesis", 100, 200)
    for step in range(12):
        watch.on_train_batch_end(
            step, {"loss/photo_discriminator": 0.002, "loss/sketch_discriminator": 0.02 if step % 4 else 0.0}
        )
    assert len(said) == 1
    for words in (
        "round_1/synthesis, step 104",
        "the photo discriminator's loss is 0.002 on average over 4 steps",
        "below 0.005",
    ):
        assert words in said[0]


@pytest.mark.parametrize(
    "generator, collapsed", [(lambda x: x, False), (lambda x: 0.0 * x + 0.3, True), (lambda x: 0.05 * x, True)]
)
def test_a_collapsed_generator_is_warned_of_with_both_figures(tmp_path, generator, collapsed):
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 12, 3)).astype(np.uint8)
    gan = types.SimpleNamespace(photo_to_sketch=generator, sketch_to_photo=lambda y: y)
    history, said = types.SimpleNamespace(image=lambda *_: None), []
    people = FacePairs(images, images[:, ::-1], tuple("abcde"))
    watch = Snapshots(gan, people, history, tmp_path / "grid.png", 5, 4, said.append)
    watch.enter("round_1/synthesis", 7, 100)
    watch.on_train_batch_end(7)
    assert len(said) == collapsed
    if collapsed:
        real = np.std(images.astype(np.float32), axis=0).mean()
        assert "step 8: the synthesized sketches of 5 people" in said[0] and f"the real ones by {real:.2g}" in said[0]
