"""A real RTSP server for tests: started, killed, stopped and continued as a camera would fail."""

from __future__ import annotations

import functools
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("rtsp_server.py")
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
_PROBE = (
    "import gi; gi.require_version('Gst','1.0'); gi.require_version('GstRtspServer','1.0');"
    "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
    "import sys; sys.exit(not all(map(Gst.ElementFactory.find, ('qtdemux','rtph264pay','jpegenc','rtpjpegpay'))))"
)


@functools.cache
def interpreter() -> str | None:
    """A Python that has GStreamer's RTSP server: a distribution's own, hardly ever that of a virtual environment."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        if Path(candidate).exists():
            found = subprocess.run([candidate, "-c", _PROBE], capture_output=True, timeout=60, check=False)
            if found.returncode == 0:
                return candidate
    return None


class RtspServer:
    """One port; ``start`` and ``kill`` as often as wanted."""

    def __init__(self, what: str, credentials: str = "") -> None:
        """``what``: ``file:PATH`` or ``pattern:NAME``; ``credentials``: ``user:password``."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._what, self._credentials = what, credentials
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}/live"

    def start(self) -> None:
        """Returns once it listens."""
        python = interpreter()
        assert python is not None
        self._process = subprocess.Popen(
            [python, str(SCRIPT), str(self.port), self._what, *([self._credentials] if self._credentials else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    def kill(self) -> None:
        """As a power cut: nothing is said goodbye to."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def hang(self) -> None:
        """The connection stays, nothing comes any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def rtsp_server(what: str, credentials: str = "") -> Iterator[RtspServer]:
    """A running server, or skip with the packages to install."""
    if interpreter() is None:
        pytest.skip(f"no RTSP server at hand; on Debian: apt-get install --no-install-recommends {PACKAGES}")
    server = RtspServer(what, credentials)
    server.start()
    try:
        yield server
    finally:
        server.kill()
