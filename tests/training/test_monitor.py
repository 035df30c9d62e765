"""History windows, resumed lines, and the stops that name their reason."""

import io
import json
import subprocess
import sys

import pytest
import tensorflow as tf
from rich.console import Console

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.common.peak_memory import peak_memory_gb
from iacyclegan_tf.training.engine.history import History
from iacyclegan_tf.training.engine.learning_rate import ConstantThenLinear
from iacyclegan_tf.training.engine.progress import Progress, clock
from iacyclegan_tf.training.engine.stops_and_warnings import NonFinite, PerceptionLimit, StopOnNonFinite


class Model:
    """As much of a Keras model as ``History`` asks for."""

    def __init__(self, rate=0.25):
        self.optimizer = keras.optimizers.Adam(rate)


def history_at(folder, every: int, total: int) -> History:
    history = History(folder / "history.jsonl", lambda phase: folder / "tensorboard" / phase, every)
    history.set_model(Model())
    history.total = total
    return history


def begin(history: History, phase: str, start: int = 0, window: dict | None = None) -> None:
    history.enter(phase, start, history.total)
    history.begin(window)


def value(step: int) -> float:
    return 0.1 * step + 0.01 * step**2


def run(history: History, start: int, stop: int) -> None:
    for step in range(start, stop):
        history.on_train_batch_end(step, {"loss": tf.constant(value(step)), "other": step})


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


# ---------------------------------------------------------------- history


@pytest.mark.parametrize("every, total", [(4, 12), (5, 12), (1, 3), (100, 7)])
def test_lines_are_means_over_windows_and_the_last_may_be_short(tmp_path, every, total):
    history = history_at(tmp_path, every, total)
    begin(history, "phase")
    run(history, 0, total)
    ends = sorted({*range(every, total + 1, every), total})
    assert [line["step"] for line in lines(tmp_path)] == ends
    for start, end, line in zip([0, *ends], ends, lines(tmp_path)):
        assert line["loss"] == pytest.approx(sum(map(value, range(start, end))) / (end - start), rel=1e-6)
        assert line["other"] == sum(range(start, end)) / (end - start)
        assert line["phase"] == "phase" and line["learning_rate"] == 0.25


@pytest.mark.parametrize("killed_at, saved_at", [(7, 7), (9, 6), (11, 5), (8, 8), (3, 0)])
def test_a_resumed_run_writes_the_lines_of_an_unbroken_one(tmp_path, killed_at, saved_at):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    unbroken = history_at(whole, 4, 12)
    begin(unbroken, "phase")
    run(unbroken, 0, 12)
    first = history_at(broken, 4, 12)
    begin(first, "phase")
    run(first, 0, saved_at)
    window = json.loads(json.dumps(first.window())) if saved_at else None
    run(first, saved_at, killed_at)
    second = history_at(broken, 4, 12)
    begin(second, "phase", saved_at, window)
    run(second, saved_at, 12)
    assert (broken / "history.jsonl").read_text() == (whole / "history.jsonl").read_text()


def test_half_a_line_of_a_killed_run_is_removed(tmp_path):
    history = history_at(tmp_path, 2, 4)
    begin(history, "phase")
    run(history, 0, 2)
    with open(tmp_path / "history.jsonl", "a") as file:
        file.write('{"phase": "phase", "st')
    again = history_at(tmp_path, 2, 4)
    begin(again, "phase", 2, {"sums": {}, "count": 0})
    run(again, 2, 4)
    assert [line["step"] for line in lines(tmp_path)] == [2, 4]


def test_lines_of_other_phases_stay(tmp_path):
    history = history_at(tmp_path, 2, 4)
    for phase in ("first", "second"):
        begin(history, phase)
        run(history, 0, 4)
    begin(history, "second", 2, {"sums": {}, "count": 0})
    assert [(line["phase"], line["step"]) for line in lines(tmp_path)] == [("first", 2), ("first", 4), ("second", 2)]


def test_a_phase_begun_anew_forgets_the_window_of_the_one_before(tmp_path):
    history = history_at(tmp_path, 4, 100)
    begin(history, "first")
    run(history, 0, 3)
    begin(history, "second")
    run(history, 0, 4)
    assert lines(tmp_path)[0]["other"] == 1.5 and lines(tmp_path)[0]["phase"] == "second"


def test_tensorboard_gets_the_same_means(tmp_path):
    history = history_at(tmp_path, 3, 6)
    begin(history, "phase")
    run(history, 0, 6)
    history.flush()
    found = {}
    for path in (tmp_path / "tensorboard" / "phase").iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found |= {(event.step, v.tag): float(tf.make_ndarray(v.tensor)) for v in event.summary.value}
    for line in lines(tmp_path):
        assert found[line["step"], "loss"] == pytest.approx(line["loss"], rel=1e-6)
    assert (3, "images_per_second") in found


def test_a_rounds_measures_are_named_by_their_place(tmp_path):
    history = history_at(tmp_path, 3, 6)
    history.measures(
        2,
        {
            "round": 2,
            "photo_to_sketch": {"ssim": 0.5},
            "retrieval": {"none": {"rank1": 1.0}},
            "protocol": {"generator_ema": 0.9},
        },
    )
    found = {}
    for path in (tmp_path / "tensorboard" / "measures").iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found |= {(event.step, v.tag): float(tf.make_ndarray(v.tensor)) for v in event.summary.value}
    assert found == {(2, "photo_to_sketch/ssim"): 0.5, (2, "retrieval/none/rank1"): 1.0}


def test_learning_rate_is_that_of_the_generators_and_of_a_schedule(tmp_path):
    model = Model()
    model.generator_optimizer = keras.optimizers.Adam(ConstantThenLinear(1.0, 2, 5))
    weight = tf.Variable(0.0)
    history = history_at(tmp_path, 1, 4)
    history.set_model(model)
    begin(history, "phase")
    for step in range(4):
        model.generator_optimizer.apply_gradients([(tf.constant(1.0), weight)])
        history.on_train_batch_end(step, {"loss": 1.0})
    rates = [line["learning_rate"] for line in lines(tmp_path)]
    assert rates[0] == 1.0 and rates[-1] < 1.0 and rates == sorted(rates, reverse=True)


# ---------------------------------------------------------------- stops


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_stop_on_values_that_are_not_finite_names_the_value(bad):
    callback = StopOnNonFinite()
    callback.enter("round_1/synthesis", 0, 9)
    callback.on_train_batch_end(0, {"loss": 1.0, "other": 0.0})
    callback.on_train_batch_end(0, None)
    with pytest.raises(NonFinite, match=f"round_1/synthesis, step 3: other became {bad}") as fault:
        callback.on_train_batch_end(1, {"loss": 1.0, "other": tf.constant(bad)})
    assert fault.value.step == 3


def test_stop_on_non_finite_ends_fit():
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(1,))])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    data = tf.data.Dataset.from_tensors((tf.constant([[1e30]]), tf.constant([[0.0]]))).repeat(5)
    with pytest.raises(NonFinite, match="loss became"):
        model.fit(data, verbose=0, callbacks=[StopOnNonFinite()])


def logs(perception: float, others: float = 4.0) -> dict:
    return {
        "weighted/identity_perception": perception,
        "weighted/adversarial": others / 4,
        "weighted/cycle": others / 2,
        "weighted/identity_mapping": others / 4,
        "loss/cycle": 1e9,
    }


def test_perception_limit_stops_at_the_first_step_above_it():
    PerceptionLimit(20.0).on_train_batch_end(0, logs(79.9))
    PerceptionLimit(20.0).on_train_batch_end(0, logs(80.0))
    with pytest.raises(UserError, match=r"80.4.*more than 20 times.*loss.perception_weight=auto"):
        PerceptionLimit(20.0).on_train_batch_end(0, logs(80.4))


def test_perception_limit_looks_at_the_first_step_of_a_round_only():
    callback = PerceptionLimit(20.0)
    callback.on_train_batch_end(0, logs(1.0))
    callback.on_train_batch_end(1, logs(1e9))
    resumed = PerceptionLimit(20.0)
    resumed.enter("round_1/synthesis", 40, 90)
    resumed.on_train_batch_end(0, logs(1e9))


# ---------------------------------------------------------------- what is said


def test_peak_memory_is_in_gigabytes_and_of_this_process_alone():
    """A process that another started begins with the other's peak in ``getrusage``."""
    with open("/proc/self/status", encoding="ascii") as file:
        kibibytes = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    assert peak_memory_gb() == pytest.approx(kibibytes / 1024**2, rel=0.05)
    child = "import resource\nfrom iacyclegan_tf.common.peak_memory import peak_memory_gb\n"
    child += "print(peak_memory_gb(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)"
    parent = "import subprocess, sys\nlarge = b'1' * (2 << 30)\n"
    parent += f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    ran = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    own, inherited = map(float, ran.stdout.split())
    assert own < 1.5 < 2 < inherited


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3599, "59:59"), (3600, "1:00:00"), (36_061, "10:01:01")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_progress_off_a_terminal_says_the_peak_memory_once_and_the_last_step_with_its_values():
    out = io.StringIO()
    progress = Progress(Console(file=out, width=200), watched=("loss/cycle", "missing"))
    progress.enter("phase", 2, 5)
    progress.on_train_begin()
    for step in range(3):
        progress.on_train_batch_end(step, {"loss/cycle": tf.constant(0.5), "x": 1.0})
    memory, last = out.getvalue().splitlines()
    assert memory.startswith("phase: peak memory after step 2: ") and memory.endswith(" GB")
    assert last == "phase: step 5/5, 0:00 spent  cycle 0.500"
