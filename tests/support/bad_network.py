"""A bad network between a camera and us, without a kernel's help: TCP that is slow, UDP that loses packets."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class BadNetwork:
    """``bytes_per_s``: from the camera to us over TCP; None: as fast as it goes. ``loss``: share of its datagrams lost.

    Both may change at any time.
    """

    target: int
    bytes_per_s: float | None = None
    loss: float = 0.0
    port: int = 0
    lost: int = 0
    passed: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)
    random: random.Random = field(default_factory=lambda: random.Random(5))

    def start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self.threads.append(thread)
        thread.start()

    def serve(self, listening: socket.socket) -> None:
        listening.settimeout(0.2)
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                ours, _ = listening.accept()
                with contextlib.suppress(OSError):
                    theirs = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                    self.start(self._requests, ours, theirs)
                    self.start(self._answers, theirs, ours)
                    continue
                ours.close()

    def _requests(self, ours: socket.socket, theirs: socket.socket) -> None:
        """To the camera: its datagrams are to come to a relay first."""

        def through_relay(found: re.Match[bytes]) -> bytes:
            relay = self._relay(int(found[1]), int(found[2]))
            return b"client_port=%d-%d" % (relay, relay + 1)

        self._pump(ours, theirs, lambda data: re.sub(rb"client_port=(\d+)-(\d+)", through_relay, data))

    def _answers(self, theirs: socket.socket, ours: socket.socket) -> None:
        def slowly(data: bytes) -> bytes:
            if self.bytes_per_s is not None:
                self.stopping.wait(len(data) / self.bytes_per_s)
            return data

        self._pump(theirs, ours, slowly)

    def _pump(self, source: socket.socket, sink: socket.socket, change: object) -> None:
        # Small pieces and buffers: a slow network does not hold seconds of video.
        source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        source.settimeout(0.2)
        with source, sink:
            while not self.stopping.is_set():
                try:
                    data = source.recv(2048)
                    if not data:
                        return
                    sink.sendall(change(data))  # type: ignore[operator]
                except TimeoutError:
                    continue
                except OSError:
                    return

    def _relay(self, rtp: int, rtcp: int) -> int:
        """An even port and the next, whose datagrams go on to ``rtp`` and ``rtcp``."""
        while True:
            first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                if port % 2 == 0:
                    second.bind(("127.0.0.1", port + 1))
                    self.start(self._datagrams, first, rtp)
                    self.start(self._datagrams, second, rtcp)
                    return int(port)
            first.close()
            second.close()

    def _datagrams(self, relay: socket.socket, port: int) -> None:
        relay.settimeout(0.2)
        with relay:
            while not self.stopping.is_set():
                with contextlib.suppress(TimeoutError, OSError):
                    data = relay.recv(65536)
                    if self.random.random() < self.loss:
                        self.lost += 1
                        continue
                    self.passed += 1
                    relay.sendto(data, ("127.0.0.1", port))


@contextmanager
def bad_network(target: int) -> Iterator[BadNetwork]:
    """A proxy to ``target`` on loopback; begins as a good network."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        network = BadNetwork(target, port=listening.getsockname()[1])
        network.start(network.serve, listening)
        try:
            yield network
        finally:
            network.stopping.set()
            deadline = time.monotonic() + 5
            for thread in network.threads:
                thread.join(max(0.0, deadline - time.monotonic()))
