"""How every command ends: a user's mistake is one sentence and exit code 2, never a stack trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from iacyclegan_tf.errors import UserError

EXIT_USER_ERROR = 2
EXIT_WORKER_LOST = 75  # the shell's EX_TEMPFAIL: the same command may be tried again
EXIT_INTERRUPTED = 130  # 128 + SIGINT, the shell's convention
EXIT_TERMINATED = 143  # 128 + SIGTERM

# TensorFlow 2.15 greets each start with three lines at error level (double registration of CUDA factories)
# that mean nothing on any machine; they would bury our own messages. Set the variable yourself to see them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class WorkerLost(Exception):
    """Another process of the same run is gone; started again, all go on from the last checkpoint."""


class Terminated(Exception):
    """SIGTERM asked the program to stop; finished work has been saved."""


def run_command(main: Callable[[], None]) -> int:
    """Runs ``main`` and returns the exit code for ``sys.exit``.

    ``UserError`` becomes ``error: <sentence>`` on standard error and code 2, a lost worker code 75,
    Ctrl-C 130, SIGTERM 143.
    Any other exception is a defect of ours and keeps its stack trace.
    """
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except WorkerLost as loss:
        print(f"error: {loss}", file=sys.stderr)
        return EXIT_WORKER_LOST
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Terminated as stop:
        print(f"terminated: {stop}", file=sys.stderr)
        return EXIT_TERMINATED
    return 0
