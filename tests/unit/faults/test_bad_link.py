"""A link that is slow, loses packets, stalls or is cut: what passes is never changed."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie_devkit.faults.bad_link import BadLink, bad_link

HUB = "127.0.0.1"


@pytest.fixture
def link(tmp_path: Path) -> Iterator[BadLink]:
    """To a hub that says everything back."""
    with socket.create_server((HUB, 0)) as hub:
        port = hub.getsockname()[1]
        (tmp_path / "hub.json").write_text(json.dumps({"listen": HUB}), encoding="utf-8")

        def echo(theirs: socket.socket) -> None:
            with theirs, contextlib.suppress(OSError):
                while data := theirs.recv(4096):
                    theirs.sendall(data)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=echo, args=(hub.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        with bad_link(tmp_path / "hub.json", "127.0.0.2", port) as link:
            yield link


def exchange(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    got = b""
    while len(got) < len(data) and (part := client.recv(65536)):
        got += part
    return got


def connect(link: BadLink) -> socket.socket:
    return socket.create_connection((link.host, link.port), timeout=60)


def test_what_passes_a_slow_and_lossy_link_arrives_as_it_was_sent(link: BadLink) -> None:
    link.bytes_per_s, link.loss = 40_000.0, 0.1
    data = bytes(range(256)) * 40
    with connect(link) as client:
        assert exchange(client, data) == data
    assert link.passed == 2 * len(data)


def test_a_link_that_stalls_passes_nothing_and_everything_afterwards(link: BadLink) -> None:
    link.stalled = True
    with connect(link) as client:
        client.sendall(b"held")
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(10)
        link.behave()
        client.settimeout(60)
        assert client.recv(10) == b"held"


def test_a_link_that_is_cut_ends_connections_and_takes_none_until_it_is_whole(link: BadLink) -> None:
    with connect(link) as client:
        assert exchange(client, b"well") == b"well"
        link.cut = True
        assert client.recv(10) == b""
    with connect(link) as refused, contextlib.suppress(ConnectionResetError):
        assert refused.recv(10) == b""
    link.behave()
    with connect(link) as client:
        assert exchange(client, b"again") == b"again"
