"""A real MQTT broker: Debian's mosquitto, as a process on loopback, plain or with TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from vigie_edgehub.shell.certificates import Certificates

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Broker:
    """``start`` and ``stop`` it at will; nothing that it retained outlives it."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        if PROGRAM is None:
            pytest.skip("mosquitto is not installed (.ci/debian-packages)")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.tls = folder, tls
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        if tls:
            certificates = Certificates(folder / "ca")
            certificates.prepare(["localhost", "127.0.0.1"])
            self.ca = certificates.ca_file
            lines += [f"certfile {folder}/ca/server.pem", f"keyfile {folder}/ca/server.key"]
        # As root it would change to a user that cannot read the test's folder.
        (folder / "mosquitto.conf").write_text("\n".join([*lines, "user root", ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        until_s = time.monotonic() + 30
        while time.monotonic() < until_s:
            assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"no broker on port {self.port}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    @contextmanager
    def running(self) -> Iterator[Broker]:
        self.start()
        try:
            yield self
        finally:
            self.stop()


class Listener:
    """Home Assistant's side: subscribes to everything and keeps what came, newest by topic too."""

    def __init__(self, broker: Broker, pattern: str = "#") -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._subscribed = threading.Event()
        self.client = paho.Client("listener", clean_session=True)
        if broker.tls:
            self.client.tls_set(str(broker.ca))
        self.client.on_connect = lambda client, *_: client.subscribe(pattern, qos=1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = lambda _client, _data, one: self.messages.append(
            (one.topic, one.payload, bool(one.retain))
        )
        self.client.connect("localhost" if broker.tls else "127.0.0.1", broker.port)
        self.client.loop_start()
        assert self._subscribed.wait(30)

    @property
    def newest(self) -> dict[str, bytes]:
        return {topic: payload for topic, payload, _ in self.messages}

    def count(self, topic: str) -> int:
        return sum(one == topic for one, *_ in list(self.messages))

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
