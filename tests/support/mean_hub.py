"""A hub that misbehaves on demand, one packet at a time: what the real one must never do, and sometimes does.

Only enough of the dialect for the unmodified SDK: TLS 1.2, sessions kept over reconnects, inputs, twin, methods.
The product's own hub is tested elsewhere; here the module's side is, against a hub that is not on its side.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import itertools
import json
import ssl
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from vigie_edgehub.mqtt.codec import PacketReader, encode
from vigie_edgehub.mqtt.packets import (
    ConnAck,
    Connect,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
)

DEVICE = "box"
KEY = base64.b64encode(b"k" * 32).decode()
_addresses = itertools.count(1)


@dataclass
class Session:
    """What the hub keeps of one module, connected or not."""

    connection: Connection | None = None
    waiting: deque[tuple[str, bytes]] = field(default_factory=deque)
    in_flight: tuple[str, bytes] | None = None
    desired: dict = field(default_factory=lambda: {"$version": 1})
    reported: list[dict] = field(default_factory=list)
    connects: int = 0
    subscriptions: list[str] = field(default_factory=list)


@dataclass
class Connection:
    module: str
    writer: asyncio.StreamWriter
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)


class MeanHub:
    """Set the knobs from the test's thread; they are read for every packet."""

    def __init__(self, folder: Path, routes: dict[tuple[str, str], tuple[str, str]]) -> None:
        self.host = f"127.77.{threading.get_native_id() % 250}.{next(_addresses) % 250 + 1}"
        self.routes = routes
        self.sessions: dict[str, Session] = {}
        self.published: list[tuple[str, str, bytes]] = []  # (module, output, body), duplicates included
        self.delivery_s = 0.0
        self.drop_on_twin_get = 0  # so many twin requests are answered by closing the connection
        self.answer_twin = True
        self.acknowledge = True
        self.confirm_subscriptions = True
        self.acknowledge_s = 0.0  # so late comes every acknowledgement
        self.refuse_with: int | None = None  # CONNACK code
        self.methods: dict[str, tuple[int, object]] = {}
        self.ca_file = folder / "ca.pem"
        self._chain = folder / "server.pem"
        make_certificate(self._chain, self.ca_file, self.host)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mean-hub", daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task] = set()
        self._packet_ids = itertools.count(1)

    def environment(self, module: str) -> dict[str, str]:
        return {
            "EdgeHubConnectionString": (
                f"HostName=local.azure-devices.net;GatewayHostName={self.host};DeviceId={DEVICE};"
                f"ModuleId={module};SharedAccessKey={KEY}"
            ),
            "EdgeModuleCACertificateFile": str(self.ca_file),
        }

    def start(self) -> None:
        self._call(self._start())

    def kill(self) -> None:
        """As kill -9: every connection is reset, nobody listens, sessions in memory survive (they were on disk)."""
        self._call(self._kill())

    def close(self) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def push_input(self, module: str, name: str, body: bytes, properties: dict[str, str] | None = None) -> None:
        self._loop.call_soon_threadsafe(self._store, module, name, body, properties or {})

    def set_desired(self, module: str, properties: dict, *, version: int, push: bool = True) -> None:
        def change() -> None:
            session = self._session(module)
            session.desired = {**properties, "$version": version}
            if push and session.connection is not None:
                topic = f"$iothub/twin/PATCH/properties/desired/?$version={version}"
                self._write(session.connection, Publish(topic, json.dumps(session.desired).encode(), 0))

        self._loop.call_soon_threadsafe(change)

    def call_method(self, module: str, name: str, payload: object, rid: str) -> None:
        def send() -> None:
            connection = self._session(module).connection
            assert connection is not None
            self._write(connection, Publish(f"$iothub/methods/POST/{name}/?$rid={rid}", json.dumps(payload).encode()))

        self._loop.call_soon_threadsafe(send)

    def reset_connections(self) -> None:
        self._loop.call_soon_threadsafe(self._reset)

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain)
        self._server = await asyncio.start_server(self._serve, self.host, 8883, ssl=context)

    async def _kill(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._reset()
        for task in list(self._tasks):
            task.cancel()

    def _reset(self) -> None:
        for session in self.sessions.values():
            if session.connection is not None:
                session.connection.writer.transport.abort()
                session.connection = None

    def _session(self, module: str) -> Session:
        return self.sessions.setdefault(module, Session())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packets = PacketReader()
        connection: Connection | None = None
        try:
            while data := await reader.read(65_536):
                packets.feed(data)
                for packet in packets.packets():
                    if isinstance(packet, Connect):
                        connection = self._welcome(packet, writer)
                    elif connection is not None:
                        self._handle(connection, packet)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            if connection is not None and self._session(connection.module).connection is connection:
                self._session(connection.module).connection = None
            writer.close()

    def _welcome(self, packet: Connect, writer: asyncio.StreamWriter) -> Connection | None:
        if self.refuse_with is not None:
            writer.write(encode(ConnAck(session_present=False, return_code=self.refuse_with)))
            return None
        module = packet.client_id.partition("/")[2]
        session = self._session(module)
        connection = Connection(module, writer)
        old, session.connection = session.connection, connection
        if old is not None:
            old.writer.transport.abort()
        writer.write(encode(ConnAck(session_present=session.connects > 0, return_code=0)))
        session.connects += 1
        task = asyncio.ensure_future(self._deliver(session, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return connection

    def _handle(self, connection: Connection, packet: object) -> None:
        session = self._session(connection.module)
        match packet:
            case Subscribe(packet_id, filters):
                session.subscriptions += [name for name, _ in filters]
                if self.confirm_subscriptions:
                    self._write(connection, SubAck(packet_id, (1,) * len(filters)))
            case Unsubscribe(packet_id, _):
                self._write(connection, UnsubAck(packet_id))
            case PingReq():
                self._write(connection, PingResp())
            case PubAck():
                connection.acknowledged.set()
            case Publish():
                self._published(connection, session, packet)

    def _published(self, connection: Connection, session: Session, packet: Publish) -> None:
        topic = packet.topic
        if topic.startswith("$iothub/twin/GET/"):
            if self.drop_on_twin_get:
                self.drop_on_twin_get -= 1
                connection.writer.transport.abort()
                return
            if self.answer_twin:
                body = json.dumps({"desired": session.desired, "reported": {"$version": 1}}).encode()
                self._write(connection, Publish(f"$iothub/twin/res/200/?$rid={topic.partition('$rid=')[2]}", body))
        elif topic.startswith("$iothub/twin/PATCH/"):
            session.reported.append(json.loads(packet.payload))
            self._write(connection, Publish(f"$iothub/twin/res/204/?$rid={topic.partition('$rid=')[2]}", b""))
        elif topic.startswith("$iothub/methods/res/"):
            self.methods[topic.partition("$rid=")[2]] = (int(topic.split("/")[3]), json.loads(packet.payload))
        elif "/messages/events/" in topic:
            if not self.acknowledge:
                return
            pairs = urllib.parse.parse_qsl(topic.split("/messages/events/")[1], keep_blank_values=True)
            properties = dict(pairs)
            output = properties.pop("$.on", "")
            self.published.append((connection.module, output, packet.payload))
            target = self.routes.get((connection.module, output))
            if target is not None:
                self._store(target[0], target[1], packet.payload, properties)
        if packet.qos:
            self._loop.call_later(self.acknowledge_s, self._acknowledge, connection, packet.packet_id)

    def _acknowledge(self, connection: Connection, packet_id: int) -> None:
        if not connection.writer.is_closing():
            self._write(connection, PubAck(packet_id))

    def _store(self, module: str, name: str, body: bytes, properties: dict[str, str]) -> None:
        encoded = urllib.parse.urlencode(properties, quote_via=urllib.parse.quote, safe="")
        topic = f"devices/{DEVICE}/modules/{module}/inputs/{name}/{encoded}"
        self._session(module).waiting.append((topic, body))

    async def _deliver(self, session: Session, connection: Connection) -> None:
        """One at a time: the next is sent when the module has acknowledged the last, as edgeHub does."""
        while session.connection is connection:
            subscribed = any("inputs" in name for name in session.subscriptions)
            if session.in_flight is None and session.waiting and subscribed:
                session.in_flight = session.waiting.popleft()
            if session.in_flight is None:
                await asyncio.sleep(0.0005)
                continue
            if self.delivery_s:
                await asyncio.sleep(self.delivery_s)
            connection.acknowledged.clear()
            topic, body = session.in_flight
            self._write(connection, Publish(topic, body, 1, next(self._packet_ids) % 65_000 + 1))
            await connection.acknowledged.wait()
            session.in_flight = None

    def _write(self, connection: Connection, packet: object) -> None:
        connection.writer.write(encode(packet))


class WorkloadApi:
    """The workload API over HTTP, with a ``sign`` that can be made to fail or hang."""

    def __init__(self, hub: MeanHub) -> None:
        self.sign_status = 200
        self.signed = 0
        self._hub = hub
        self._loop = hub._loop
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)

    def environment(self, module: str) -> dict[str, str]:
        return {
            "IOTEDGE_IOTHUBHOSTNAME": "local.azure-devices.net",
            "IOTEDGE_DEVICEID": DEVICE,
            "IOTEDGE_MODULEID": module,
            "IOTEDGE_GATEWAYHOSTNAME": self._hub.host,
            "IOTEDGE_MODULEGENERATIONID": "1",
            "IOTEDGE_WORKLOADURI": f"http://127.0.0.1:{self.port}",
            "IOTEDGE_APIVERSION": "2019-01-30",
        }

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.decode().split("\r\n"):
                if line.lower().startswith("content-length:"):
                    length = int(line.partition(":")[2])
            request = await reader.readexactly(length)
            status, body = 200, {"certificate": self._hub.ca_file.read_text()}
            if b"/sign" in head.partition(b"\r\n")[0]:
                status = self.sign_status
                self.signed += status == 200
                data = base64.b64decode(json.loads(request)["data"])
                body = {"digest": base64.b64encode(hmac.digest(b"k" * 32, data, hashlib.sha256)).decode()}
            payload = json.dumps(body).encode()
            head_out = f"HTTP/1.1 {status} X\r\nContent-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
            writer.write(head_out.encode() + payload)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextmanager
def mean_hub(
    folder: Path, routes: dict[tuple[str, str], tuple[str, str]] | None = None, *, started: bool = True
) -> Iterator[MeanHub]:
    hub = MeanHub(folder, routes or {})
    try:
        if started:
            hub.start()
        yield hub
    finally:
        hub.close()


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)


async def until(condition: Callable[[], object], timeout_s: float = 45.0) -> None:
    """``wait_until`` for tests that run an event loop; the SDK itself asks again after half a minute."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def make_certificate(chain: Path, ca_file: Path, host: str) -> None:
    now = dt.datetime.now(dt.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mean ca")])

    def build(subject: x509.Name, key: CertificatePublicKeyTypes, *, authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .add_extension(_key_usage(authority=authority), critical=True)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(host))]), False)
        return builder.sign(ca_key, hashes.SHA256())

    server_key = ec.generate_private_key(ec.SECP256R1())
    server = build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), server_key.public_key(), authority=False)
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    key_pem = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password)
    chain.write_bytes(server.public_bytes(pem) + key_pem)
    ca_file.write_bytes(build(ca_name, ca_key.public_key(), authority=True).public_bytes(pem))
