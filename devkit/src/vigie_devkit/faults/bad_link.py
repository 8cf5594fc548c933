"""A bad link between the modules and their hub: a relay of TCP whose rate, loss and stalls are set while it runs.

For machines whose kernel has no netem. What TCP makes of a lost packet, a wait for the retransmission, is what is
imitated: nothing of a stream is ever lost or changed.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# A packet on Ethernet, and what a lost one costs at least (RFC 6298 allows 1 s, Linux waits 200 ms and doubles).
_PACKET_BYTES = 1400
_RETRANSMISSION_S = 0.3
_LOOK_S = 0.1


@dataclass
class BadLink:
    """``bytes_per_s``: of both directions each; None: as fast as it goes. ``loss``: share of packets that are lost.

    ``stalled``: nothing passes and nobody is told. ``cut``: connections are reset, and refused. All may change at any
    time. ``passed``: bytes so far.
    """

    hub_json: Path
    host: str
    port: int
    bytes_per_s: float | None = None
    loss: float = 0.0
    stalled: bool = False
    cut: bool = False
    passed: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    _free_at: dict[str, float] = field(default_factory=lambda: {"to the hub": 0.0, "to the module": 0.0})
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _dice: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311 - the same losses each time

    def behave(self) -> None:
        """As a local link again."""
        self.bytes_per_s, self.loss, self.stalled, self.cut = None, 0.0, False, False

    def serve(self, listening: socket.socket) -> None:
        """Until ``stopping``."""
        listening.settimeout(_LOOK_S)
        while not self.stopping.is_set():
            try:
                ours, _ = listening.accept()
            except TimeoutError:
                continue
            try:
                theirs = socket.create_connection(self._hub(), timeout=5) if not self.cut else None
            except (OSError, ValueError, KeyError):
                theirs = None  # the hub is away: so it is for who connects
            if theirs is None:
                ours.close()
                continue
            for source, sink, way in ((ours, theirs, "to the hub"), (theirs, ours, "to the module")):
                threading.Thread(target=self._pump, args=(source, sink, way), daemon=True).start()

    def _hub(self) -> tuple[str, int]:
        described = json.loads(self.hub_json.read_text(encoding="utf-8"))
        return str(described["listen"]), self.port

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        # Small buffers: a slow link does not hold a minute of messages.
        source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        source.settimeout(_LOOK_S)
        try:
            while not self.stopping.is_set() and not self.cut:
                if self.stalled:
                    self.stopping.wait(_LOOK_S)
                    continue
                try:
                    data = source.recv(_PACKET_BYTES)
                except TimeoutError:
                    continue
                if not data:
                    break
                self._carry(len(data), way)
                sink.settimeout(60.0)
                sink.sendall(data)
                sink.settimeout(_LOOK_S)
        except OSError:
            pass  # one of both has gone: so does the other
        finally:
            for one in (source, sink):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _carry(self, count: int, way: str) -> None:
        """Return when the link has carried ``count`` bytes in this direction, after those before."""
        with self._lock:
            self.passed += count
            now = time.monotonic()
            begins = max(now, self._free_at[way])
            takes_s = count / self.bytes_per_s if self.bytes_per_s else 0.0
            if self.loss and self._dice.random() < self.loss:
                takes_s += _RETRANSMISSION_S
            self._free_at[way] = begins + takes_s
            wait_s = begins + takes_s - now
        if wait_s > 0:
            self.stopping.wait(wait_s)


@contextmanager
def bad_link(hub_json: Path, host: str, port: int) -> Iterator[BadLink]:
    """Listen on ``host`` and relay to the hub that ``hub_json`` describes; begins as a good link."""
    link = BadLink(hub_json, host, port)
    with socket.create_server((host, port)) as listening:
        thread = threading.Thread(target=link.serve, args=(listening,), name="faults.link", daemon=True)
        thread.start()
        try:
            yield link
        finally:
            link.stopping.set()
            thread.join(5)
