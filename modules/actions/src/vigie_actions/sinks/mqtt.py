"""An MQTT broker: each event on a topic of its own at QoS 1, and Home Assistant's entities. By paho-mqtt."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from typing import Any

import msgspec
import paho.mqtt.client as paho

from vigie.addresses import NetworkPolicy
from vigie.errors import ConfigRefusedError, SecretMissingError, SecretRefusedError
from vigie.trusted_ca import context_of
from vigie_actions.config import Mqtt
from vigie_actions.event import EventHead
from vigie_actions.sinks.home_assistant import Entities, MqttMessage, event_topic, known
from vigie_actions.sinks.sink import Shipment, SinkAwayError, Surroundings

_KEEP_ALIVE_S = 30
_GOODBYE_S = 0.5


class _Items(msgspec.Struct):
    items: list[msgspec.Raw]


class MqttSink:
    """See ``Sink``. Stays connected between deliveries: the broker tells who listens when the device is gone."""

    def __init__(self, settings: Mqtt, around: Surroundings) -> None:
        """Raises: ConfigRefusedError: a host that this device does not connect to."""
        if (reason := around.policy.refuses_host(settings.host)) is not None:
            raise ConfigRefusedError("host", reason)
        if settings.ca is not None and not settings.tls:
            raise ConfigRefusedError("ca", "checks nothing without tls")
        self._settings, self._around = settings, around
        self._entities = Entities(settings.home_assistant, settings.topic, around.device_id, around.version)
        self._items = msgspec.json.Decoder(_Items)
        self._head = msgspec.json.Decoder(EventHead)
        self._lock = threading.Lock()
        self._client: _Client | None = None

    def deliver(self, shipment: Shipment, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        items = [bytes(item) for item in self._items.decode(shipment.body).items]
        messages = [self._event(item) for item in items]
        client = self._connected(deadline)
        try:
            if self._settings.home_assistant:
                with self._lock:
                    messages += self._entities.take(shipment.id, known(items))
            sent = [client.publish(one.topic, one.payload, qos=1, retain=one.retain) for one in messages]
            for info in sent:
                info.wait_for_publish(max(0.001, deadline - time.monotonic()))
            missing = sum(not info.is_published() for info in sent)
        except (ValueError, RuntimeError, OSError) as error:
            self._leave()
            raise SinkAwayError(str(error)) from error
        if missing:
            self._leave()
            raise SinkAwayError(f"{missing} of {len(sent)} messages were not acknowledged within {timeout_s:g} s")

    def close(self) -> None:
        client = self._client
        if client is not None and client.is_connected():
            with contextlib.suppress(ValueError, RuntimeError):  # the broker says it for us: the will
                client.publish(self._entities.status_topic, b"offline", qos=1, retain=True).wait_for_publish(_GOODBYE_S)
        self._leave()

    def _event(self, item: bytes) -> MqttMessage:
        head = self._head.decode(item)
        return MqttMessage(event_topic(self._entities.base, head.camera, head.type), item, retain=False)

    def _connected(self, deadline: float) -> _Client:
        if self._client is not None and not self._client.is_connected():
            self._leave()
        if self._client is None:
            self._client = self._made(deadline)
        return self._client

    def _made(self, deadline: float) -> _Client:
        settings, around = self._settings, self._around
        client = _Client(f"vigie-{around.device_id}-{around.module_id}-{around.boot}", around.policy, deadline)
        try:
            if settings.tls:
                client.tls_set_context(context_of(around.secrets_folder, settings.ca))
            if settings.username is not None or settings.password is not None:
                password = None if settings.password is None else around.secrets.find(settings.password, settings.host)
                client.username_pw_set(settings.username or "", None if password is None else password.reveal())
            client.will_set(self._entities.status_topic, b"offline", qos=1, retain=True)
            client.on_connect, client.on_message = self._on_connect, self._on_message
            client.connect(settings.host, settings.port, keepalive=_KEEP_ALIVE_S)
        except (SecretMissingError, SecretRefusedError, OSError, ValueError, ssl.SSLError) as error:
            raise SinkAwayError(f"{settings.host}:{settings.port}: {error}") from error
        client.loop_start()
        if not client.answered.wait(max(0.001, deadline - time.monotonic())) or client.refused:
            client.disconnect()
            client.loop_stop()
            raise SinkAwayError(f"{settings.host}:{settings.port}: {client.refused or 'the broker does not answer'}")
        return client

    def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _on_connect(self, client: _Client, _data: Any, _flags: Any, code: int) -> None:
        """On the client's thread, at every connection."""
        if code:
            client.refused = str(paho.connack_string(code))
        else:
            client.publish(self._entities.status_topic, b"online", qos=1, retain=True)
            if self._settings.home_assistant:
                client.subscribe(f"{self._settings.home_assistant}/status", qos=1)
                # A broker that began anew has lost what it retained.
                self._announce(client)
        client.answered.set()

    def _on_message(self, client: _Client, _data: Any, message: Any) -> None:
        """Home Assistant has started: it asks for all entities."""
        if message.payload == b"online":
            client.publish(self._entities.status_topic, b"online", qos=1, retain=True)
            self._announce(client)

    def _announce(self, client: _Client) -> None:
        with self._lock:
            messages = self._entities.all()
        for one in messages:
            client.publish(one.topic, one.payload, qos=1, retain=one.retain)


class _Client(paho.Client):  # type: ignore[misc]  # the library has no types
    """Connects only to addresses that the device allows, past every proxy of the environment."""

    def __init__(self, client_id: str, policy: NetworkPolicy, deadline: float) -> None:
        super().__init__(client_id, clean_session=True, protocol=paho.MQTTv311)
        self._policy, self._first_deadline = policy, deadline
        self.answered = threading.Event()
        self.refused = ""

    def _create_socket_connection(self) -> socket.socket:
        """As paho's own, with the address checked as it is connected to: DNS cannot change its mind in between."""
        left_s = max(1.0, self._first_deadline - time.monotonic())
        reason: OSError | None = None
        for *_, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            found = str(address[0])
            refused = self._policy.refuses_address(self._host, ipaddress.ip_address(found.partition("%")[0]))
            if refused is not None:
                reason = OSError(refused)
                continue
            try:
                return socket.create_connection((found, self._port), timeout=left_s)
            except OSError as error:
                reason = error
        raise reason or OSError(f"{self._host} has no address")
