"""Commands run in this process: what ``python -m iacyclegan_tf.NAME ARGUMENTS`` prints and how it ends, without a
new start of TensorFlow. For mistakes and for tables; what must hold for a process (signals, kills, ``--help`` in a
second) starts one."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock


def run(command: str, *arguments, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """``stdout`` and ``stderr`` as text, and ``returncode``; an exception that would be a stack trace is raised."""
    module = importlib.import_module(f"iacyclegan_tf.{command}")
    out, errors = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    before = Path.cwd()
    argv = [f"python -m iacyclegan_tf.{command}", *map(str, arguments)]
    try:
        os.chdir(cwd or before)
        with mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = module.main() or 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        os.chdir(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), errors.getvalue())


def refused(done: subprocess.CompletedProcess, *words: str) -> None:
    """A user's mistake: code 2, one sentence on standard error that holds ``words``, and no stack trace."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
