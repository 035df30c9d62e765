"""What one tested set of packages writes, the other reads, and answers and goes on alike (docs/stacks.md).

The other interpreter is the one that the variable OTHER_PYTHON names, else ``.venv-current`` or ``.venv`` beside this
checkout; each side is a process of its own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny

ROOT = Path(__file__).parents[1]
TENSORFLOW = "import tensorflow as tf; print(tf.__version__)"


def run(python: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    done = subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def other() -> str:
    beside = [ROOT / folder / "bin/python" for folder in (".venv-current", ".venv")]
    named = os.environ.get("OTHER_PYTHON")
    for python in [named] if named else map(str, beside):
        if Path(python).exists() and Path(python).parent != Path(sys.executable).parent:
            versions = [
                run(one, "-c", TENSORFLOW).stdout.strip().rpartition(".")[0] for one in (sys.executable, python)
            ]
            assert versions[0] != versions[1], f"both have TensorFlow {versions[0]}"
            return python
    pytest.skip("the other set of packages is not here: name its interpreter with OTHER_PYTHON")


# ---------------------------------------------------------------- networks

STEP = """
import sys, numpy as np, tensorflow as tf, golden
folder, number = sys.argv[1], int(sys.argv[2])
gan = golden.synthesis(1)
found = {f"initial {i}": weight.numpy() for i, weight in enumerate(gan.weights)}
losses = gan.train_step((golden.images(2, 1), golden.images(2, 2)))
found |= {f"loss {name}": np.float32(value) for name, value in losses.items()}
state = tf.train.Checkpoint(gan=gan)
if number == 0:
    state.write(f"{folder}/state")
else:
    state.read(f"{folder}/state").assert_consumed()
    state.write(f"{folder}/again")
written = tf.train.list_variables(f"{folder}/{'again' if number else 'state'}")
found["names"] = np.array(sorted(f"{name} {shape}" for name, shape in written))
found["numbers"] = sum(int(np.prod(shape)) for _, shape in written)
found["sketch"] = gan.photo_to_sketch(golden.images()).numpy()
np.savez(f"{folder}/{number}.npz", **found)
"""


@pytest.mark.slow
def test_a_step_from_equal_seeds_and_its_saved_state_are_equal(other, tmp_path):
    """Initial weights, losses, the names of all that is saved, and what a restored generator makes of an image."""
    for number, python in enumerate((sys.executable, other)):
        run(python, "-c", STEP, tmp_path, number)
    first, second = (np.load(tmp_path / f"{number}.npz") for number in (0, 1))
    assert first.files == second.files and first["names"].tolist() == second["names"].tolist()
    weights = sum(first[name].size for name in first if name.startswith("initial"))
    assert first["numbers"] == second["numbers"] > weights  # with the optimizers' slots: none is left out
    for name in first:
        if name != "names":
            pair = (one[name].astype(np.float64) for one in (second, first))
            np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-5, err_msg=name)


# ---------------------------------------------------------------- exports

ANSWERS = """
import sys, numpy as np, iacyclegan_tf
from iacyclegan_tf.data.drawn.faces import draw_pair
model = iacyclegan_tf.load(sys.argv[1])
photos, sketches = zip(*(draw_pair(person, 0, seed=0, height=48, width=40) for person in range(4)))
np.savez(
    sys.argv[2],
    sketches=np.stack([model.to_sketch(one) for one in photos]),
    photos=np.stack([model.to_photo(one) for one in sketches]),
    embedded=np.stack([model.embed(one) for one in photos] + [model.embed(one, of="sketch") for one in sketches]),
)
"""


def assert_answers_equal(exports: Path, pythons: list[str], folder: Path) -> None:
    for number, python in enumerate(pythons):
        run(python, "-c", ANSWERS, exports, folder / f"{number}.npz", cwd=folder)
    first, second = (np.load(folder / f"{number}.npz") for number in (0, 1))
    for name in ("sketches", "photos"):
        difference = np.abs(first[name].astype(int) - second[name])
        assert difference.max() <= 1 and (difference > 0).mean() < 1e-3, name  # a value may lie on a rounding edge
    np.testing.assert_allclose(first["embedded"], second["embedded"], atol=1e-5)


@pytest.mark.slow
def test_exports_answer_equally_in_the_other(other, tiny_run, tmp_path):
    assert_answers_equal(tiny_run / "savedmodels/tiny", [sys.executable, other], tmp_path)


# ---------------------------------------------------------------- runs

NAMES = """
import json, sys
from pathlib import Path
import tensorflow as tf
run = Path(sys.argv[1])
found = {}
for index in sorted(run.glob("round_1/**/state.index")):
    state = index.with_suffix("")
    names = tf.train.list_variables(str(state))
    found[str(state.relative_to(run))] = sorted(f"{name} {shape}" for name, shape in names)
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("begun_here", [True, False])
def test_a_run_begun_on_one_goes_on_on_the_other(other, tiny_run, tmp_path, begun_here):
    """Stopped in the middle of a phase, so that networks, averages, optimizers and image pools cross over."""
    begin, finish = (sys.executable, other) if begun_here else (other, sys.executable)
    arguments = ["-m", "iacyclegan_tf.train", *tiny.arguments(tmp_path, "rounds.count=1")]
    process = subprocess.Popen(
        [begin, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    history = tmp_path / "runs/tiny/history.jsonl"
    while process.poll() is None and not (history.exists() and "round_1/synthesis" in history.read_text()):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    assert process.returncode == 143, said
    done = run(finish, *arguments, cwd=ROOT)
    assert "round_1/synthesis: goes on from step" in done.stdout, done.stdout
    # the same numbers under the same names as of a run on one set alone
    crossed = json.loads(run(sys.executable, "-c", NAMES, tmp_path / "runs/tiny").stdout)
    alone = json.loads(run(sys.executable, "-c", NAMES, tiny_run / "runs/tiny").stdout)
    assert crossed == alone and len(crossed) >= 3
    assert_answers_equal(tmp_path / "savedmodels/tiny", [begin, finish], tmp_path)
