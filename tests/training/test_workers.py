"""Real worker processes on loopback, and two devices in one process: the same run, also when it is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tiny
from same_run import tensors

TESTS = Path(__file__).parents[1]
# One round of everything that trains, as short as it can be.
SHORT = [
    "train.batch=2",
    "rounds.count=1",
    "rounds.finetune=false",
    "recognizer.pretrain.epochs=2",
    "recognizer.pretrain.triplet_steps=2",
    "export.infra_validation=false",
]
TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from iacyclegan_tf.train import main
main()
"""
IN_TRAINING, TRAINED = "checkpoints/round_1/synthesis/000000002", "round_1/networks"


def environment(**more: str) -> dict:
    return {
        **os.environ,
        "PYTHONPATH": f"{TESTS.parent}:{TESTS}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    } | more


def two_devices(folder: Path) -> subprocess.Popen:
    arguments = tiny.command(folder, *SHORT, "distribute.devices=CPU:0,CPU:1")[3:]
    return subprocess.Popen(
        [sys.executable, "-c", TWO_DEVICES, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]


def cluster(count: int = 2) -> list[dict]:
    """The environments of ``count`` workers on this machine."""
    addresses = [f"localhost:{port}" for port in free_ports(count)]
    return [
        environment(
            TF_CONFIG=json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}})
        )
        for number in range(count)
    ]


def workers(folder: Path) -> list[subprocess.Popen]:
    return [
        subprocess.Popen(
            tiny.command(folder, *SHORT), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        for env in cluster()
    ]


def wait_for(path: Path, process: subprocess.Popen) -> None:
    end = time.monotonic() + 400
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.02)


def trained(folder: Path) -> str:
    """The run of two devices until its networks are there; what follows is the same as for one device."""
    process = two_devices(folder)
    wait_for(folder / "runs/tiny" / TRAINED, process)
    process.kill()
    return process.communicate()[0]


def finished(process: subprocess.Popen) -> str:
    output, errors = process.communicate(timeout=900)
    assert process.returncode == 0, output + errors[-3000:]
    return output


def assert_equal_runs(one: Path, two: Path) -> None:
    first, second = (
        {
            name: value
            for name, value in tensors(run / "runs/tiny").items()
            if name.startswith(("recognizer_0", TRAINED))
        }
        for run in (one, two)
    )
    assert first.keys() == second.keys() and len(first) > 100
    different = [name for name in first if not np.array_equal(first[name], second[name])]
    assert not different, f"{len(different)} of {len(first)} tensors differ, e.g. {different[:3]}"
    assert (one / "runs/tiny/history.jsonl").read_text() == (two / "runs/tiny/history.jsonl").read_text()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    output = trained(folder)
    assert "2 devices, global batch 2, 1 per device" in output
    return folder


@pytest.mark.slow
def test_two_devices_go_on_after_a_kill_bit_for_bit(unbroken, tmp_path):
    """Image pools of both devices, statistics of both, and everything else."""
    process = two_devices(tmp_path)
    wait_for(tmp_path / "runs/tiny" / IN_TRAINING, process)
    process.kill()
    process.communicate()
    assert not (tmp_path / "runs/tiny" / TRAINED).exists()  # the kill struck in training
    assert "goes on from step" in trained(tmp_path)
    assert_equal_runs(unbroken, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_workers_are_two_devices_also_when_one_is_killed(unbroken, tmp_path):
    """The other ends with a sentence that names the dead one; started again, both go on, and end with equal weights."""
    chief, other = workers(tmp_path)
    wait_for(tmp_path / "runs/tiny" / IN_TRAINING, chief)
    other.send_signal(signal.SIGKILL)
    output, errors = chief.communicate(timeout=200)
    assert chief.returncode == 75, output + errors[-3000:]
    assert "2 devices of 2 workers, global batch 2, 1 per device" in output
    assert "worker 0 of 2" in errors and "has lost worker 1 (localhost:" in errors and "last checkpoint" in errors
    assert "Traceback" not in errors
    other.communicate()
    outputs = [finished(process) for process in workers(tmp_path)]
    assert "goes on from step" in outputs[0] and "worker 1 of 2" in outputs[1] and "is done" in outputs[1]
    assert "SavedModels" not in outputs[1]  # only the chief keeps and reports
    assert [path.name for path in (tmp_path / "savedmodels/tiny/photo_to_sketch").iterdir()] == ["1"]
    assert_equal_runs(unbroken, tmp_path)


COLLECTIVES = r"""
import sys
import numpy as np
import tensorflow as tf
from iacyclegan_tf.training.distributed.cluster import read_cluster
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.training.distributed.strategy import make_strategy
from iacyclegan_tf.training.distributed.workers import Workers

cluster = read_cluster()
workers = Workers(make_strategy((), cluster), cluster)
me = workers.number
assert workers.agree({"step": 7 + me, "é": [me, None]}) == {"step": 7, "é": [0, None]}
assert workers.agree(None) is None
assert [workers.largest(n) for n in (me, 15 * (1 - me), 0)] == [1, 15, 0]

def same(variable):  # whether all workers hold the same value
    value = variable.values[0].numpy().tolist()
    return workers.largest(int(workers.agree(value) != value)) == 0

whole = tf.Variable(tf.constant(2**40 + 1, tf.int64))
state = tf.train.Checkpoint(real=tf.Variable([0.1, -3.7e-9]), whole=whole, switch=tf.Variable(True))
if me == 1:
    state.real.assign([5.0, 6.0]); state.whole.assign(0); state.switch.assign(False)
with workers.strategy.scope():
    kind = {"synchronization": tf.VariableSynchronization.ON_READ, "aggregation": tf.VariableAggregation.MEAN}
    statistic = tf.Variable([1.0], trainable=False, **kind)
own = tf.train.Checkpoint(statistic=statistic)
statistic.values[0].assign([float(me)])
assert not same(statistic) and statistic.numpy() == 0.5
workers.settle(own)
assert same(statistic) and statistic.values[0].numpy() == 0.5
statistic.values[0].assign([float(3 + 4 * me)])
workers.share(own)
assert same(statistic) and statistic.values[0].numpy() == 3.0  # the chief's own, not the mean
workers.share(state)
assert state.real.numpy().tolist() == np.float32([0.1, -3.7e-9]).tolist()
assert state.whole.numpy() == 2**40 + 1 and state.switch.numpy()

pool = ImagePool(2, (4, 4, 3), replicas=2)
pool.images.assign(tf.random.stateless_normal(pool.images.shape, [1, me]))  # also what the other knows better
pool.stored.assign([1 + me, 2 + me])
workers.settle(tf.train.Checkpoint(), [pool])
for row in range(2):
    np.testing.assert_array_equal(pool.images[row], tf.random.stateless_normal(pool.images.shape, [1, row])[row])
assert pool.stored.numpy().tolist() == [1, 3]

workers.refuse_other("same", "data")
try:
    workers.refuse_other({"split": me}, "data under data.root")
    assert me == 0
except UserError as error:
    assert me == 1 and "worker 1 of 2" in str(error) and "other data under data.root than the chief" in str(error)
with workers.together():
    pass
print("all held")
"""


def test_what_workers_tell_each_other():
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COLLECTIVES], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        for env in cluster()
    ]
    assert [finished(process) for process in processes] == ["all held\n"] * 2


# Only worker 1's loss overflows: steepness 2 and w doubled at every step, while the gradient of the mean is finite.
FAULTS = r"""
import io
import sys
from pathlib import Path
from rich.console import Console
import numpy as np
import tensorflow as tf
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.training.distributed.cluster import read_cluster
from iacyclegan_tf.config.settings import Config, TrainConfig
from iacyclegan_tf.method.finite_step import descent, replica_share, take
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.training.engine.learning_rate import Lowered
from iacyclegan_tf.training.distributed.strategy import make_strategy
from iacyclegan_tf.training.engine.phase import Engine, Phase
from iacyclegan_tf.training.run_folder import RunFolder
from iacyclegan_tf.training.distributed.workers import Workers

cluster = read_cluster()
workers = Workers(make_strategy((), cluster), cluster)
me = workers.number
folder = Path(sys.argv[1], str(me))
folder.mkdir()

class Bowl(keras.Model):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable([1.0])
        schedule = Lowered(3.0)
        self.compile(keras.optimizers.SGD(schedule, jit_compile=False))
        self.optimizer.lowered = schedule
        self.optimizer.build([self.w])

    def train_step(self, steepness):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.w * (steepness * self.w)) / 2
        step = descent(tape, loss, [self.w], self.optimizer)
        take(step)
        return replica_share({"loss": loss, "gradient": step.norm})

def train(name, steepness, policy, factor=1.0):
    with workers.strategy.scope():
        model = Bowl()
    said, values = [], np.full([100, 1], steepness, np.float32)
    state = tf.train.Checkpoint(w=model.w, optimizer=model.optimizer)
    phase = Phase(name, model, state, lambda start: tf.data.Dataset.from_tensor_slices(values).skip(start), 100, 100, 2,
                  lambda step: [f"image {step}"])
    settings = TrainConfig(checkpoint_steps=10, non_finite=policy)
    output = io.StringIO()
    run = RunFolder(Config(name=name, runs_dir=str(folder)))
    engine = Engine(settings, run, workers, Console(file=output, width=1000))
    try:
        engine.train(phase)
    except UserError as error:
        said.append(str(error))
    lines = output.getvalue().splitlines()
    said = [line for line in lines if "peak memory" not in line and "step 100/" not in line] + said
    w = float(model.w.numpy()[0])
    assert workers.largest(int(workers.agree(w) != w)) == 0
    return said, w, float(model.optimizer.lowered.factor.numpy())

own = [0.001, 1.999][me]
(fault, resumed), w, factor = train("lowered", own, "lower_rate")
for words in ("lowered, step 65: loss became inf", "The last checkpoint is of step 60", "try 1 of 3"):
    assert words in fault, fault
assert resumed == "lowered: goes on from step 60 of 100" and factor == 0.5
assert abs(w / 2.0 ** 20 - 1) < 1e-3, w  # 60 times doubled, 40 times halved
_, w_again, factor = train("lowered", own, "lower_rate")  # the chief alone knows that a fault was before
assert (w_again, factor) == (w, 0.5)
(stopped,), w, _ = train("stopped", [1.0, np.nan][me], "stop")
assert "stopped, step 1: loss became nan" in stopped and "There is no checkpoint yet" in stopped and w == 1.0, stopped
with workers.together():
    pass
print("all held")
"""


@pytest.mark.slow
def test_a_fault_on_one_worker_is_one_on_all(tmp_path):
    """They return to the chief's checkpoint together, with the same learning rate, or stop with the same sentence."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FAULTS, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        for env in cluster()
    ]
    assert [finished(process) for process in processes] == ["all held\n"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("name, values", [("seed", (0, 1)), ("train.non_finite", ("stop", "lower_rate"))])
def test_a_worker_with_other_settings_is_refused(tmp_path, name, values):
    """Also those that may change between a run and its resumption, where all must do the same."""
    processes = [
        subprocess.Popen(
            tiny.command(tmp_path, *SHORT, f"{name}={value}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        for value, env in zip(values, cluster())
    ]
    (_, lost), (_, refused) = (process.communicate(timeout=200) for process in processes)
    assert processes[1].returncode == 2 and "worker 1 of 2" in refused
    assert f"{name}: {values[0]!r} there, {values[1]!r} here" in refused
    assert processes[0].returncode == 75 and "has lost worker 1" in lost
