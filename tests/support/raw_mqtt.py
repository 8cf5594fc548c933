"""A module or a device over plain MQTT (paho): exact topics and property bags, nothing of the SDK's own.

Topics are written out here as the protocol has them, not taken from the hub under test.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Queue
from urllib.parse import quote, unquote

import paho.mqtt.client as mqtt

from support.hub import HubProcess

DEADLINE_S = 30.0
CLIENT_TYPE = quote("raw-test/1", safe="")


@dataclass(frozen=True)
class Received:
    """A message of an input: ``properties`` decoded, by their names on the wire."""

    input: str
    body: bytes
    properties: dict[str, str]
    topic: str = field(compare=False)


def shared_access_signature(resource: str, key: str, *, life_s: int = 3600) -> str:
    encoded = quote(resource, safe="")
    expires = int(time.time()) + life_s
    digest = hmac.new(base64.b64decode(key), f"{encoded}\n{expires}".encode(), hashlib.sha256).digest()
    return f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(digest), safe='')}&se={expires}"


class RawClient:
    """Connected; ``module`` None is the device itself. Inputs arrive in `inbox`, everything else in `other`."""

    def __init__(self, description: dict, module: str | None, key: str) -> None:
        hub, device = description["iothub_hostname"], description["device_id"]
        path = device if module is None else f"{device}/{module}"
        self.base = f"devices/{device}" if module is None else f"devices/{device}/modules/{module}"
        self.inbox: Queue[Received] = Queue()
        self.other: Queue[mqtt.MQTTMessage] = Queue()
        self._client = mqtt.Client(path, clean_session=False, protocol=mqtt.MQTTv311)
        self._client.username_pw_set(
            f"{hub}/{path}/?api-version=2019-10-01&DeviceClientType={CLIENT_TYPE}",
            shared_access_signature(f"{hub}/{self.base}", key),
        )
        tls = ssl.create_default_context(cafile=description["ca_file"])
        self._client.tls_set_context(tls)
        self._client.on_message = self._arrived
        self._granted: Queue[int] = Queue()
        self._client.on_subscribe = lambda _client, _data, mid, _qos: self._granted.put(mid)
        codes: Queue[int] = Queue()
        self._client.on_connect = lambda _client, _data, _flags, code: codes.put(code)
        self._client.connect(description["gateway_hostname"], description.get("mqtt_port", 8883), keepalive=60)
        self._client.loop_start()
        assert codes.get(timeout=DEADLINE_S) == 0

    def listen(self) -> None:
        """Ask for the messages of every input."""
        self.subscribe(f"{self.base}/inputs/#")

    def subscribe(self, topic_filter: str) -> None:
        _, wanted = self._client.subscribe(topic_filter, qos=1)
        while self._granted.get(timeout=DEADLINE_S) != wanted:
            pass

    def send(self, body: bytes = b"", *, output: str | None = None, wire: dict[str, str] | None = None) -> None:
        """Telemetry with these properties, system ones by their wire name; returns when it is acknowledged."""
        bag = ({"$.on": output} if output else {}) | (wire or {})
        pairs = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in bag.items())
        self.publish(f"{self.base}/messages/events/{pairs}", body)

    def publish(self, topic: str, body: bytes = b"", *, qos: int = 1) -> None:
        sent = self._client.publish(topic, body, qos=qos)
        sent.wait_for_publish(DEADLINE_S)
        assert sent.is_published(), f"not acknowledged within {DEADLINE_S} s: {topic[:100]}"

    def next(self, deadline_s: float = DEADLINE_S) -> Received:
        try:
            return self.inbox.get(timeout=deadline_s)
        except Empty:
            raise AssertionError(f"no message on an input of {self.base} within {deadline_s} s") from None

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _arrived(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        prefix = f"{self.base}/inputs/"
        if not message.topic.startswith(prefix):
            self.other.put(message)
            return
        name, _, bag = message.topic[len(prefix) :].partition("/")
        properties = {}
        for pair in bag.split("&"):
            key, _, value = pair.partition("=")
            properties[unquote(key)] = unquote(value)
        self.inbox.put(Received(unquote(name), bytes(message.payload), properties, message.topic))


@contextmanager
def raw_client(hub: HubProcess, module: str | None, *, listen: bool = True) -> Iterator[RawClient]:
    """A `RawClient` of a `HubProcess`, with the key that its service side tells."""
    service = hub.service()
    device = service.hub.device_id
    identity = service.module(module) if module is not None else service._object("GET", f"/devices/{device}")
    client = RawClient(hub.description, module, identity["authentication"]["symmetricKey"]["primaryKey"])
    try:
        if listen and module is not None:
            client.listen()
        yield client
    finally:
        client.close()
