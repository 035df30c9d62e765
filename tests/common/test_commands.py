"""How commands end: exit codes and what stands on standard error."""

import errno

import in_process
import pytest

from iacyclegan_tf import __version__
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.run_command import Terminated, run_command


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    "error, code, words",
    [
        (UserError("data.root is empty; give a folder."), 2, "error: data.root is empty; give a folder.\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyboardInterrupt("saved at step 3"), 130, "interrupted: saved at step 3\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/a/history.jsonl"),
            2,
            "error: runs/a/history.jsonl cannot be used: No space left on device. What was saved before is whole; once "
            "this is mended, the same command goes on.\n",
        ),
        (
            OSError(errno.EROFS, "Read-only file system"),
            2,
            "error: a file cannot be used: Read-only file system. What was saved before "
            "is whole; once this is mended, the same command goes on.\n",
        ),
        (Terminated("saved at step 3"), 143, "terminated: saved at step 3\n"),
        (UserError("a\x1b]0;b.png:\n\tgone"), 2, "error: a\\x1b]0;b.png:\n\tgone\n"),
    ],
)
def test_expected_ends_are_one_line_and_a_code(capsys, error, code, words):
    assert run_command(raising(error)) == code
    out, err = capsys.readouterr()
    assert out == "" and err == words


def test_success_is_0_and_silent(capsys):
    assert run_command(lambda: None) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("ours"),
        SystemExit(5),
        MemoryError(),
        OSError(errno.EBADF, "ours"),
        ValueError("No space left on device"),
    ],
)
def test_other_exceptions_keep_their_trace(error):
    with pytest.raises(type(error)):
        run_command(raising(error))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["train.epoch=3"], "Did you mean train.epochs?"),
        (["--config", "nowhere.yaml"], "nowhere.yaml does not exist"),
        (["train.epochs=many"], "must be a whole number"),
    ],
)
def test_a_users_mistake_ends_train_with_2_and_one_sentence(tmp_path, arguments, words):
    done = in_process.run("train", *arguments, cwd=tmp_path)
    in_process.refused(done, words)
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_version(tmp_path):
    assert in_process.run("train", "--version", cwd=tmp_path).stdout.strip() == __version__
