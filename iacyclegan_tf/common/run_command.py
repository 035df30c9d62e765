"""How every command ends: a user's mistake is one sentence and exit code 2, never a stack trace."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable_lines
from iacyclegan_tf.common.terminal import wrapped

EXIT_USER_ERROR = 2
EXIT_WORKER_LOST = 75  # the shell's EX_TEMPFAIL: the same command may be tried again
EXIT_INTERRUPTED = 130  # 128 + SIGINT, the shell's convention
EXIT_TERMINATED = 143  # 128 + SIGTERM

# Keras keeps a settings file in the home folder; without one it makes a folder named ~ where the program runs. Here no
# such file is read or written: its settings would change what is computed.
os.environ.setdefault("KERAS_HOME", os.devnull)

DISK_REFUSES = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG,
    errno.EISDIR, errno.ENOTDIR,
)  # fmt: skip


class WorkerLost(Exception):
    """Another process of the same run is gone; started again, all go on from the last checkpoint."""


class Terminated(BaseException):
    """SIGTERM asked the program to stop; finished work has been saved. Like ``KeyboardInterrupt`` no ``Exception``."""


def program(command: str) -> str:
    """How it was called, for ``usage:``: ``iacyclegan-train`` where that was run, else with ``python``."""
    name = os.path.basename(sys.argv[0])
    return name if name == f"iacyclegan-{command}" else f"python -m iacyclegan_tf.{command}"


def run_command(main: Callable[[], None]) -> int:
    """Runs ``main`` and returns the exit code for ``sys.exit``.

    ``UserError`` becomes ``error: <sentence>`` on standard error and code 2, as does a file that the disk
    does not take (full, read-only, no permission, a name too long); a lost worker code 75, Ctrl-C 130, SIGTERM 143.
    Any other exception is a defect of ours and keeps its stack trace.
    """
    _raise_on_sigterm()
    if hasattr(sys.stdout, "reconfigure"):  # a name that the terminal's encoding lacks is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main()
    except UserError as error:
        _tell(f"error: {error}")
        return EXIT_USER_ERROR
    except WorkerLost as loss:
        _tell(f"error: {loss}")
        return EXIT_WORKER_LOST
    except KeyboardInterrupt as stop:
        _tell(f"interrupted: {stop}" if str(stop) else "interrupted")
        return EXIT_INTERRUPTED
    except Terminated as stop:
        _tell(f"terminated: {stop}")
        return EXIT_TERMINATED
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        _tell(f"error: {refusal}. What was saved before is whole; once this is mended, the same command goes on.")
        return EXIT_USER_ERROR
    return 0


def _tell(sentence: str) -> None:
    """On standard error; names of files and answers of servers that it quotes cannot steer the terminal."""
    text = printable_lines(sentence)
    if sys.stderr.isatty():
        text = wrapped(text, shutil.get_terminal_size().columns)
    print(text, file=sys.stderr)


def _raise_on_sigterm() -> None:
    """Outside a training phase, which saves first, SIGTERM stops at once, but cleans up and says so."""

    def stop(number, frame):
        raise Terminated("what is finished is kept")

    with suppress(ValueError):  # not in the main thread, where Python handles no signals
        signal.signal(signal.SIGTERM, stop)


def _refusal(error: Exception) -> str | None:
    """What a disk said that does not take a file, also through TensorFlow, whose errors keep its words only."""
    if isinstance(error, OSError):
        words = f"{error.filename or 'a file'} cannot be used: {error.strerror}"
        return words if error.errno in DISK_REFUSES else None
    words = next((os.strerror(code) for code in DISK_REFUSES if os.strerror(code) in str(error)), None)
    return (
        f"a file could not be written: {words}" if words and type(error).__module__.startswith("tensorflow") else None
    )
