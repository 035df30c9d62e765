"""What a run does when it is asked to stop, when another has its folder, when the disk refuses, when bytes change."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import in_process
import pytest
import tiny

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.training.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
HOLD = (
    "import sys, time; from iacyclegan_tf.config.reading import load_config; "
    "from iacyclegan_tf.training.run_folder import RunFolder; "
    "folder = RunFolder(load_config(None, sys.argv[1:])); print('held', flush=True); time.sleep(600)"
)


@contextmanager
def python(script: str, *arguments: str, **more) -> Iterator[subprocess.Popen]:
    """A process that is gone at the end, whatever the test found."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **more,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# ---------------------------------------------------------------- two processes


def test_a_second_process_is_refused_until_the_first_is_gone_even_by_sigkill(tmp_path):
    settings = [f"runs_dir={tmp_path / 'runs'}", "name=shared"]
    with python(HOLD, *settings) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"shared is in use by another process .process {first.pid} on .*"):
            RunFolder(load_config(None, settings))
        in_process.refused(in_process.run("train", *settings, "seed=1"), "in use by another process")
        first.send_signal(signal.SIGKILL)
        first.wait()
    folder = RunFolder(load_config(None, settings))  # and no lock is left behind
    assert folder.resumed and RunFolder(load_config(None, settings)).resumed  # one process may open it twice


def test_a_child_does_not_hold_the_lock(tmp_path):
    """A program that the run started may outlive it."""
    settings = [f"runs_dir={tmp_path / 'runs'}", "name=shared"]
    script = HOLD.replace("print(", "import os; child = os.fork() or time.sleep(600); print(", 1)
    with python(script, *settings, start_new_session=True) as first:
        assert first.stdout.readline() == "held\n"
        first.send_signal(signal.SIGKILL)
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    assert RunFolder(load_config(None, settings)).resumed
                    break
                except UserError:
                    assert time.monotonic() < deadline, "the lock outlived its process"
                    time.sleep(0.02)
        finally:
            os.killpg(first.pid, signal.SIGKILL)  # also the child, which keeps the pipes open


# ---------------------------------------------------------------- asked to stop outside a phase of training


@pytest.mark.parametrize(
    "number, code, line",
    [(signal.SIGTERM, 143, "terminated: what is finished is kept"), (signal.SIGINT, 130, "interrupted")],
)
def test_asked_to_stop_anywhere_it_cleans_up_and_says_one_line(tmp_path, number, code, line):
    script = """
        import signal, sys, time
        from pathlib import Path
        from iacyclegan_tf.common.atomic_files import new_folder
        from iacyclegan_tf.common.run_command import run_command

        def main():
            with new_folder(Path(sys.argv[1]) / "1") as aside:
                (aside / "half").write_text("")
                print("writing", flush=True)
                try:
                    time.sleep(600)
                except Exception:  # must not swallow it
                    time.sleep(600)

        signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background of a shell ignore Ctrl-C
        sys.exit(run_command(main))
    """
    with python(script, str(tmp_path)) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code and errors == line + "\n"
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- a disk that refuses


def small_disk(command: list[str], folder: Path, size: str, before: str = "") -> subprocess.CompletedProcess:
    """``command`` in a mount namespace where ``folder`` is a tmpfs of ``size``; the machine's own mounts stay."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no mount namespace")
    folder.mkdir(exist_ok=True)
    script = f'mount -t tmpfs -o size={size} none "$0" && {before or "true"} && exec "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, str(folder), *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )


FILL = """
import sys
from pathlib import Path
import tensorflow as tf
from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
from iacyclegan_tf.common.run_command import run_command
from iacyclegan_tf.common.errors import UserError

store = CheckpointStore(Path(sys.argv[1]) / "checkpoints", keep=100)
vector = tf.Variable(tf.zeros([30_000]))
objects = tf.train.Checkpoint(vector=vector)
step = 0
try:
    while True:
        step += 1
        vector.assign(tf.fill([30_000], float(step)))
        store.save(step, objects, {})
except UserError as error:
    print(error)
assert step > 3 and not list(store.folder.glob(".*")), list(store.folder.iterdir())
for saved in store.steps():
    vector.assign(tf.zeros([30_000]))
    assert CheckpointStore(store.folder).restore(objects)["step"] == store.steps()[-1]
    assert (vector.numpy() == store.steps()[-1]).all()
assert store.steps()[-1] == step - 1
"""


def test_a_full_disk_ends_in_a_sentence_and_every_earlier_state_is_whole(tmp_path):
    done = small_disk([sys.executable, "-c", FILL, str(tmp_path / "disk")], tmp_path / "disk", "1m")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "could not be written" in done.stdout and "No space left" in done.stdout
    assert "Everything saved before is still there" in done.stdout and done.stdout.count("\n") == 1


def test_a_read_only_run_folder_is_a_sentence_before_anything_is_loaded(tmp_path):
    disk = tmp_path / "disk"
    done = small_disk(
        [sys.executable, "-X", "importtime", "-m", "iacyclegan_tf.train", f"runs_dir={disk / 'runs'}", "name=x"],
        disk,
        "1m",
        'mkdir "$0/runs" && mount -o remount,ro "$0"',
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 2 and len(said) == 1 and said[0].startswith("error: The run folder"), said
    assert "Read-only file system" in said[0] and "runs_dir=FOLDER" in said[0] and "tensorflow" not in done.stderr


def test_a_full_disk_under_the_real_command_ends_in_one_sentence(tmp_path):
    """Not even the settings fit."""
    disk = tmp_path / "disk"
    done = small_disk(tiny.command(disk), disk, "16k", 'head -c 12000 /dev/zero > "$0/full"')
    assert done.returncode == 2 and "Traceback" not in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "No space left on device" in done.stderr


# ---------------------------------------------------------------- changed bytes


def test_every_changed_byte_of_a_saved_state_is_noticed(tmp_path):
    """One bit of each third byte of all files; TensorFlow's own sums leave out the JSON and parts of the index."""
    import tensorflow as tf

    from iacyclegan_tf.models.saved_state import read_folder, write_folder

    vector = tf.Variable(tf.range(20.0))
    objects = tf.train.Checkpoint(vector=vector)
    write_folder(tmp_path / "state", objects, {"window": {"sums": {"loss": 0.5}, "count": 3}, "step": 20})
    flips = 0
    for path in sorted((tmp_path / "state").iterdir()):
        content = path.read_bytes()
        for place in range(0, len(content), 3):
            changed = bytearray(content)
            changed[place] ^= 1
            path.write_bytes(changed)
            with pytest.raises(UserError, match="state cannot be read: "):
                read_folder(tmp_path / "state", objects)
            flips += 1
        path.write_bytes(content)
    assert flips > 100 and read_folder(tmp_path / "state", objects)["step"] == 20
    sums = tmp_path / "state/SHA256SUMS"
    sums.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"state cannot be read: .*SHA256SUMS"):
        read_folder(tmp_path / "state", objects)
    (tmp_path / "elsewhere").rename(sums)
    check = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "state", capture_output=True, text=True
    )
    assert check.returncode == 0, check.stdout + check.stderr  # anybody can look
