"""Reads weights of foreign formats without a new Python: in this process, or in a fork of it that may crash."""

import mmap
import os
import resource
import signal
from pathlib import Path
from unittest import mock

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models.vggface_weights import canonical, reading


def read_here(path, architecture=None):
    """As ``read_vggface_weights``, for small files that no library crashes on."""
    with mock.patch.object(reading, "_read_apart", _read_in_place):
        return reading.read_vggface_weights(path, architecture)


def _read_in_place(path, kind, architecture):
    values = mmap.mmap(-1, 1 << 24 if architecture.classes < 2622 else 1 << 30)
    head = reading.put_arrays(path, kind, architecture, values)
    arrays = reading.arrays_in(values, architecture, head["has_top"])
    return canonical.checked_weights(path, arrays, head["mean_rgb"], head["source_format"])


def read_in_fork(path, architecture=None):
    """Nothing, or the ``UserError``; a crash is one too, as where a new process reads it. Memory is bounded
    as there (``reading.MAX_MEMORY``)."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(out)
            before = _memory()
            resource.setrlimit(resource.RLIMIT_AS, (before["VmSize"] + reading.MAX_MEMORY,) * 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # no report of faulthandler's
            code = 0
            try:
                read_here(path, architecture)
            except UserError as error:
                os.write(into, str(error).encode())
                code = 2
            os._exit(code)
        finally:
            os._exit(1)  # any other exception is a mistake of the reader's
    os.close(into)
    with open(out, encoding="utf-8") as file:
        said = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 2, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE), (path, code)
    if code:
        raise UserError(said or f"{path} ended the process.")


def _memory():
    """Bytes in use, of address space, and at the peak."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) << 10 for words in lines if words[0] in ("VmRSS:", "VmSize:", "VmHWM:")}
