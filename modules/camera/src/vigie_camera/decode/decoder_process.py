"""The module's side of decoders: one nursery for all cameras, one process for each opened source."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import cast

from vigie.errors import SourceOpenError
from vigie_camera.decode.link import Channel, LinkClosedError
from vigie_camera.decode.wire import News, Order, Started, Task

# What a decoder needs of the environment: no secret that the module was given by variable.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "FAKETIME")
_START_S = 20.0
_DEATH_S = 2.0


class Nursery:
    """Starts decoders; starts anew when it was killed. Safe from several threads."""

    def __init__(self, backend: str) -> None:
        """Nothing is started before the first ``start``. ``backend``: see ``decode.choice``."""
        self.backend = backend
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self, task: Task) -> DecoderProcess:
        """A process that works on ``task``.

        Raises: SourceOpenError: no process can be made; it is tried again like a camera that is away.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link: Channel[Order, News] = Channel(ours, News)
        try:
            with theirs:
                self._hand_over(task.camera, theirs)
            process = _started(link, task.camera)
            link.send(task)
        except (LinkClosedError, OSError) as error:
            link.close()
            raise SourceOpenError(task.camera, f"the decoder's process did not start ({error})") from None
        except BaseException:
            link.close()
            raise
        return process

    def close(self) -> None:
        """Ends all decoders."""
        with self._lock:
            self._end()

    def _hand_over(self, name: str, end: socket.socket) -> None:
        with self._lock:
            for attempt in range(2):
                if self._process is None or self._process.poll() is not None:
                    self._end()
                    self._begin()
                control = cast("socket.socket", self._control)
                try:
                    socket.send_fds(control, [name.encode()], [end.fileno()])
                except OSError:
                    if attempt:
                        raise
                    self._end()
                else:
                    return

    def _begin(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            code = "import sys; from vigie_camera.decode.nursery import serve; serve(int(sys.argv[1]), sys.argv[2])"
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            # One thread in the library of numpy too: a fork of a process with threads may inherit their locks.
            environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", code, str(theirs.fileno()), self.backend],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        self._control = ours

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None


class DecoderProcess:
    """One decoder's process. Used by its camera's thread."""

    def __init__(self, link: Channel[Order, News], pid: int, pidfd: int) -> None:
        """Use ``Nursery.start``."""
        self.link = link
        self.pid = pid
        self._pidfd = pidfd

    def kill(self) -> bool:
        """End it now, whatever it hangs in. True: it is gone. False: it is stuck in the kernel, and may still write
        into what it was given once it wakes up, before it dies.
        """
        if self._pidfd < 0:
            return True
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        gone = bool(poll.poll(_DEATH_S * 1000))
        os.close(self._pidfd)
        self._pidfd = -1
        self.link.close()
        return gone


def _started(link: Channel[Order, News], camera: str) -> DecoderProcess:
    first = link.receive(_START_S)
    if first is None or not isinstance(first[0], Started) or first[1] is None:
        raise SourceOpenError(camera, "the decoder's process did not start; see the module's memory limit")
    return DecoderProcess(link, first[0].pid, first[1])
