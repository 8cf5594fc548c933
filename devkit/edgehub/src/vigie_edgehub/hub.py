"""The whole hub: what is opened, in which order, and how it ends."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path

import msgspec

from vigie.log import get_logger
from vigie_edgehub.errors import HubConfigRefusedError, HubStartError
from vigie_edgehub.manifest import EDGE_HUB, Manifest, parse_manifest, read_manifest_file
from vigie_edgehub.ports import Json, JsonObject, ManifestRefusedError, ServiceSettings
from vigie_edgehub.routes.config import parse_edgehub_desired
from vigie_edgehub.routing import Routing
from vigie_edgehub.service.credentials import POLICY, ConnectionString
from vigie_edgehub.service.server import build_service
from vigie_edgehub.shell.admission import Admission
from vigie_edgehub.shell.amqp import refuse_amqp
from vigie_edgehub.shell.broker import Broker
from vigie_edgehub.shell.certificates import Certificates
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.control import Control
from vigie_edgehub.shell.edge_http import EdgeHttp
from vigie_edgehub.shell.https import gateway_port, service_port
from vigie_edgehub.shell.keys import KeyStore
from vigie_edgehub.shell.listen import MQTT_PORT, choose_address
from vigie_edgehub.shell.listener import Listener
from vigie_edgehub.shell.performer import Performer
from vigie_edgehub.shell.socket_folder import claimed_folder, remove_dead_folders
from vigie_edgehub.shell.upstream_feed import UpstreamFeed
from vigie_edgehub.shell.workload import WorkloadApi
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.store.documents import DocumentStore, write_private
from vigie_edgehub.store.messages import MessageStore
from vigie_edgehub.upstream import open_sink

log = get_logger("hub")


class HubOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom a hub runs. ``listen`` None: the address of the last run, or a free one."""

    manifest: Path
    state: Path
    listen: str | None = None
    service_port: int = 0
    gateway_hostname: str | None = None
    workload: Path | None = None  # a folder of folders, one a module; None: one folder beside the state
    device_id: str = "vigie-device"
    iothub_hostname: str = "local.azure-devices.net"
    settings: HubSettings = HubSettings()
    upstream: dict[str, Json] = {}  # fields of UpstreamSettings


async def run_hub(options: HubOptions, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set, then drain every client. Raises: HubStartError, with one sentence."""
    content, manifest, routing = load_manifest(options.manifest)
    with _own(options.state), _socket_root(options) as sockets:
        for folder in remove_dead_folders():
            log.info("sockets_of_a_killed_hub_removed", folder=str(folder))
        async with _Running.open(options, content, manifest, routing, sockets):
            await stop.wait()
            log.info("hub_stopping")


def load_manifest(path: Path) -> tuple[JsonObject, Manifest, Routing]:
    """Raises: HubStartError."""
    try:
        content = read_manifest_file(path)
    except ManifestRefusedError as refusal:
        raise HubStartError(str(refusal)) from refusal
    try:
        manifest = parse_manifest(content)
        return content, manifest, Routing(parse_edgehub_desired(manifest.desired[EDGE_HUB]))
    except ManifestRefusedError as refusal:
        raise HubStartError(f"manifest {path}: {refusal}") from refusal
    except HubConfigRefusedError as refusal:
        raise HubStartError(f"manifest {path}: $edgeHub: {refusal}") from refusal


@contextmanager
def _own(state: Path) -> Iterator[None]:
    """One hub per state folder; the kernel frees the lock of a killed one."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(state / "hub.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HubStartError(
            f"state folder {state} cannot be written ({error.strerror}); pass another --state"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise HubStartError(f"another hub runs on state folder {state}; stop it or pass another --state") from error
    finally:
        os.close(descriptor)


def _socket_root(options: HubOptions) -> AbstractContextManager[Path]:
    # A folder that was named belongs to whoever named it: neither claimed nor removed.
    return claimed_folder(options.state) if options.workload is None else nullcontext(options.workload)


class _Running:
    """Everything between start and stop. One owner for each resource: `open`, from outside in."""

    def __init__(self, options: HubOptions, listen: str, workload: WorkloadApi) -> None:
        self.options = options
        self.listen = listen
        self.workload = workload
        self.modules_changed = asyncio.Event()
        self.restart_wanted = asyncio.Event()
        self.service_port = 0
        self.https_port: int | None = None
        self.ready = False
        self.control: Control
        self.listener: Listener

    @classmethod
    @asynccontextmanager
    async def open(
        cls, options: HubOptions, content: JsonObject, manifest: Manifest, routing: Routing, sockets: Path
    ) -> AsyncIterator[_Running]:
        folder, clock = options.state, Clock()
        keys = KeyStore(folder / "keys.json")
        listen = choose_address(options.listen, keys.content.listen)
        keys.content.listen = listen
        gateway = options.gateway_hostname or (socket.gethostname() if _everywhere(listen) else listen)
        certificates = Certificates(folder / "ca")
        certificates.prepare(list(dict.fromkeys((gateway, _reachable(listen), "localhost"))))
        tls = certificates.context()
        store = MessageStore(folder / "messages")
        documents = DocumentStore(folder)
        waiting = store.recover()
        state = HubState(
            options.device_id,
            routing,
            options.settings,
            next_seq=store.next_seq,
            sessions=documents.load_sessions(),
            twins=documents.load_twins(),
        )
        performer = Performer(state, store, documents, clock)
        trust = certificates.ca_file.read_text(encoding="ascii")
        workload = WorkloadApi(
            sockets,
            lambda: trust,
            lambda module: keys.content.modules[module].primary,
            folder_each=options.workload is not None,
        )
        self = cls(options, listen, workload)
        control = Control(
            state,
            performer,
            store,
            documents,
            keys,
            clock=clock,
            iothub_hostname=options.iothub_hostname,
            state_folder=folder,
            on_modules=self.modules_changed.set,
            on_restart=self.restart_wanted.set,
        )
        hostnames = frozenset({options.iothub_hostname, gateway})
        admission = Admission(hostnames, control.keys_to_connect, token_grace_s=options.settings.token_grace_s)
        self.control = control
        broker = Broker(state, performer, admission, clock)
        self.listener = Listener(broker, control, listen=listen, tls=tls, drain_limit_s=options.settings.drain_limit_s)
        sink = open_sink(folder / "upstream", options.upstream)
        feed = UpstreamFeed(state, store, performer, sink, clock)
        performer.on_upstream = feed.send
        performer.on_sessions = control.report_clients
        service = ServiceSettings(
            listen=listen,
            port=options.service_port,
            policy_name=POLICY,
            policy_key=keys.content.service,
            hostnames=hostnames | {"localhost", _reachable(listen)},  # the last: as the connection string says
        )
        try:
            control.deploy(manifest, routing)
            control.deployments.take_base(content)
            state.restore(clock.now(), waiting)
            performer.run()
            gateway_side = EdgeHttp(control, broker, hostnames, clock)
            async with (
                service_port(
                    build_service(control, sink, service),
                    options.service_port,
                    keys.content.service_port,
                    listen,
                    tls,
                ) as self.service_port,
                gateway_port(build_service(control, sink, service, gateway_side), listen, tls) as self.https_port,
                refuse_amqp(listen=listen, tls=tls),
                self._workload_sockets(),
                self.listener.opened(),
            ):
                if not options.service_port:
                    keys.content.service_port = self.service_port
                    keys.save()
                self._write_connection_string(keys.content.service)
                self._describe(gateway, certificates.ca_file)
                async with self._keeping_up(gateway, certificates.ca_file):
                    yield self
                await self.listener.drain()
        finally:
            (folder / "hub.json").unlink(missing_ok=True)
            await feed.close()
            store.close()

    @asynccontextmanager
    async def _workload_sockets(self) -> AsyncIterator[None]:
        try:
            for module in self.control.module_ids():
                await self.workload.open(module)
            yield
        finally:
            await self.workload.close_all()

    @asynccontextmanager
    async def _keeping_up(self, gateway: str, ca_file: Path) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            followers = [
                tasks.create_task(self._follow_modules(gateway, ca_file), name="hub.modules"),
                tasks.create_task(self.listener.follow(self.restart_wanted), name="hub.restarts"),
            ]
            try:
                yield
            finally:
                for follower in followers:
                    follower.cancel()

    async def _follow_modules(self, gateway: str, ca_file: Path) -> None:
        while True:
            await self.modules_changed.wait()
            self.modules_changed.clear()
            wanted = set(self.control.module_ids())
            for module in wanted:
                await self.workload.open(module)
            for module in self.workload.modules() - wanted:
                await self.workload.close(module)
            self._describe(gateway, ca_file)

    def _write_connection_string(self, key: str) -> None:
        # Where 443 serves too, a bare host: Node's service SDK takes no port.
        host = _reachable(self.listen) + ("" if self.https_port else f":{self.service_port}")
        write_private(self._connection_string_file, f"{ConnectionString(host, POLICY, key)}\n".encode())

    @property
    def _connection_string_file(self) -> Path:
        return self.options.state / "service-connection-string"

    def _describe(self, gateway: str, ca_file: Path) -> None:
        """``hub.json``: written when everything answers, and again when the modules change."""
        description: JsonObject = {
            "pid": os.getpid(),
            "listen": self.listen,
            "mqtt_port": MQTT_PORT,
            "https_port": self.https_port,
            "service_url": f"https://{_reachable(self.listen)}:{self.service_port}",
            "iothub_hostname": self.options.iothub_hostname,
            "device_id": self.options.device_id,
            "gateway_hostname": gateway,
            "workload_dir": str(self.workload.folder),
            "ca_file": str(ca_file),
            "service_connection_string_file": str(self._connection_string_file),
            "modules": {
                identity.module_id: {
                    "generation_id": identity.generation_id,
                    "workload_uri": self.workload.uri(identity.module_id),
                }
                for identity in self.control.modules()
            },
        }
        write_private(self.options.state / "hub.json", msgspec.json.format(msgspec.json.encode(description)))
        if not self.ready:
            self.ready = True
            log.info(
                "hub_ready", listen=self.listen, service=description["service_url"], modules=len(description["modules"])
            )


def _everywhere(listen: str) -> bool:
    return listen in ("0.0.0.0", "::")  # noqa: S104 - asked for by whoever started the hub


def _reachable(listen: str) -> str:
    """The address under which this machine itself finds the hub."""
    return "127.0.0.1" if _everywhere(listen) else listen
