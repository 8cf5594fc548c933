"""Names of this process's threads as the kernel shows them (`top -H`, /proc/<pid>/task/*/comm).

Python keeps a thread's name to itself before 3.14. A thread that is started by a named one, also inside a native
library, begins with the same name: so FFmpeg's threads show as their camera's and those of the hub client as
``hub.calls``, which is how the benchmark tells decoding, model and messaging apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

_COMM = Path("/proc/thread-self/comm")
_LIMIT_BYTES = 15  # TASK_COMM_LEN without its zero; proc_pid_comm(5)

ENGINE = "engine"  # threads that an inference runtime starts for itself


def show_thread_name(name: str) -> None:
    """Call on the thread itself. The kernel keeps 15 bytes; where there is no /proc, nothing happens."""
    with contextlib.suppress(OSError):
        _COMM.write_bytes(name.encode()[:_LIMIT_BYTES])


@contextlib.contextmanager
def threads_started_as(name: str) -> Iterator[None]:
    """Threads that this one starts meanwhile show as ``name``; its own name comes back at the end."""
    before = ""
    with contextlib.suppress(OSError):
        before = _COMM.read_text(errors="replace").rstrip("\n")
    show_thread_name(name)
    try:
        yield
    finally:
        if before:
            show_thread_name(before)
