"""One MQTT link, packet by packet, with every answer in the test's hand: what no client library leaves to its user."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from support.hub import HubProcess
from vigie_edgehub.mqtt.codec import PacketReader, encode
from vigie_edgehub.mqtt.packets import ConnAck, Connect, PubAck, Publish, SubAck, Subscribe
from vigie_edgehub.shell.tokens import sign

DEADLINE_S = 20.0


def key_of(hub: HubProcess, module: str | None, which: str = "primary") -> str:
    keys = json.loads((hub.state / "keys.json").read_text(encoding="utf-8"))
    return (keys["device"] if module is None else keys["modules"][module])[which]


def token(
    hub: HubProcess, module: str | None, *, key: str | None = None, life_s: float = 3600, host: str | None = None
) -> str:
    description = hub.description
    path = f"devices/{description['device_id']}" + ("" if module is None else f"/modules/{module}")
    resource = quote(f"{host or description['iothub_hostname']}/{path}", safe="")
    expires_at = int(time.time() + life_s)
    signature = sign(key or key_of(hub, module), f"{resource}\n{expires_at}".encode())
    return f"SharedAccessSignature sr={resource}&sig={quote(signature, safe='')}&se={expires_at}"


def tls_socket(hub: HubProcess) -> ssl.SSLSocket:
    description = hub.description
    context = ssl.create_default_context(cafile=description["ca_file"])
    plain = socket.create_connection((description["listen"], description["mqtt_port"]), DEADLINE_S)
    return context.wrap_socket(plain, server_hostname=description["gateway_hostname"])


class Wire:
    """Not connected yet: say `connect`. ``base`` is the client's own topic prefix."""

    def __init__(self, hub: HubProcess, module: str | None) -> None:
        self.hub = hub
        self.module = module
        device = hub.description["device_id"]
        self.client_id = device if module is None else f"{device}/{module}"
        self.base = f"devices/{device}" if module is None else f"devices/{device}/modules/{module}"
        self._socket = tls_socket(hub)
        self._reader = PacketReader()
        self._arrived: list[Any] = []
        self._packet_id = 0

    def connect(self, **fields: Any) -> ConnAck:
        """CONNECT as the SDK sends it, but for ``fields``; the CONNACK."""
        name = f"{self.hub.description['iothub_hostname']}/{self.client_id}/?api-version=2019-10-01&DeviceClientType=t"
        fields = {"client_id": self.client_id, "username": name, "keep_alive_s": 60} | fields
        if "password" not in fields:
            fields["password"] = token(self.hub, self.module).encode()
        self.send(Connect(**fields))
        return self.expect(ConnAck)

    def listen(self) -> None:
        self.subscribe(f"{self.base}/inputs/#")

    def subscribe(self, topic_filter: str) -> None:
        self.send(Subscribe(self.next_id(), ((topic_filter, 1),)))
        self.expect(SubAck)

    def next_id(self) -> int:
        self._packet_id += 1
        return self._packet_id

    def send(self, packet: Any) -> None:
        self._socket.sendall(encode(packet))

    def publish(self, topic: str, body: bytes = b"", *, qos: int = 1, **fields: Any) -> int:
        """Without waiting for anything; the packet id."""
        packet_id = fields.pop("packet_id", self.next_id() if qos else 0)
        self.send(Publish(topic, body, qos, packet_id, **fields))
        return packet_id

    def telemetry(self, bag: str = "", body: bytes = b"x", **fields: Any) -> None:
        """One message with this property bag, as it goes on the wire; returns when it is acknowledged."""
        packet_id = self.publish(f"{self.base}/messages/events/{bag}", body, **fields)
        self.expect(PubAck, lambda ack: ack.packet_id == packet_id)

    def output(self, name: str, body: bytes = b"x") -> None:
        self.telemetry(f"%24.on={name}", body)

    def message(self, timeout_s: float = DEADLINE_S, *, ack: bool = True) -> Publish:
        """The next message of an input, acknowledged unless told otherwise."""
        found = self.expect(Publish, lambda packet: "/inputs/" in packet.topic, timeout_s)
        if ack:
            self.ack(found)
        return found

    def ack(self, packet: Publish) -> None:
        self.send(PubAck(packet.packet_id))

    def expect(self, kind: type, matching: Any = lambda _: True, timeout_s: float = DEADLINE_S) -> Any:
        """The next packet of ``kind`` that ``matching`` takes; others wait. AssertionError at the deadline."""
        deadline = time.monotonic() + timeout_s
        while True:
            for index, packet in enumerate(self._arrived):
                if isinstance(packet, kind) and matching(packet):
                    return self._arrived.pop(index)
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind.__name__} within {timeout_s:g} s; there is {self._arrived}"
            assert self._read(left), f"the hub closed the link; there is {self._arrived}"

    def nothing(self, kind: type, for_s: float = 0.5) -> bool:
        """No packet of ``kind`` comes for a while."""
        deadline = time.monotonic() + for_s
        while (left := deadline - time.monotonic()) > 0 and self._read(left):
            pass
        return not any(isinstance(packet, kind) for packet in self._arrived)

    def closed(self, timeout_s: float = DEADLINE_S) -> bool:
        """The hub ends the link within the time."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if not self._read(left):
                return True
        return False

    def _read(self, timeout_s: float) -> bool:
        self._socket.settimeout(timeout_s)
        try:
            content = self._socket.recv(1 << 16)
        except TimeoutError:
            return True
        except OSError:
            return False
        self._reader.feed(content)
        self._arrived += self._reader.packets()
        return bool(content)

    def cut(self) -> None:
        """As a cable that is pulled: no DISCONNECT, no close_notify."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._socket.close()


@contextlib.contextmanager
def wire(hub: HubProcess, module: str | None, *, listen: bool = False, **fields: Any) -> Iterator[Wire]:
    """A connected link."""
    link = Wire(hub, module)
    try:
        assert link.connect(**fields).return_code == 0
        if listen:
            link.listen()
        yield link
    finally:
        link.cut()
