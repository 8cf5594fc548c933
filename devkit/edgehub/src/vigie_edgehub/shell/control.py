"""`Control`: what the service side may ask of the running hub. Every change goes through the rules.

``module`` is a module id, None for the edge device itself, or a leaf device's owner (`owner.leaf_owner`). Everything
is called in the hub's asyncio loop and returns at once, but for `invoke_method`, a coroutine of that loop.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vigie.module_ids import MODULE_ID_RULE, is_module_id
from vigie_edgehub.deployment_desk import DeploymentDesk
from vigie_edgehub.errors import HubConfigRefusedError
from vigie_edgehub.manifest import EDGE_AGENT, EDGE_HUB, Manifest, parse_manifest
from vigie_edgehub.message import Message, input_endpoint, refuse_too_large
from vigie_edgehub.mqtt.system_properties import CONNECTION_DEVICE_ID, CONNECTION_MODULE_ID
from vigie_edgehub.owner import EDGE_DEVICE, leaf_device
from vigie_edgehub.ports import (
    DeviceIdentity,
    JsonObject,
    ManifestRefusedError,
    MethodResult,
    Misbehaviour,
    ModuleIdentity,
    ModuleUnknownError,
    TwinRefusedError,
)
from vigie_edgehub.routes.config import parse_edgehub_desired
from vigie_edgehub.routing import Routing
from vigie_edgehub.shell.admission import AdmissionRefusedError
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.devices import Devices, identity_fields
from vigie_edgehub.shell.figures import figures
from vigie_edgehub.shell.keys import KEY_RULE, Keys, KeyStore, is_key
from vigie_edgehub.shell.method_calls import MethodBody, MethodCalls
from vigie_edgehub.shell.performer import Performer
from vigie_edgehub.shell.twin_view import twin_view
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.twins import timestamp
from vigie_edgehub.store.documents import DocumentStore
from vigie_edgehub.store.messages import MessageStore


class Control:
    """Lives in the hub's loop. ``on_modules`` is called when identities came or went."""

    def __init__(
        self,
        state: HubState,
        performer: Performer,
        store: MessageStore,
        documents: DocumentStore,
        keys: KeyStore,
        *,
        clock: Clock,
        iothub_hostname: str,
        state_folder: Path,
        on_modules: Callable[[], None],
        on_restart: Callable[[], None],
    ) -> None:
        self._state = state
        self._performer = performer
        self._store = store
        self._documents = documents
        self._keys = keys
        self._clock = clock
        self.iothub_hostname = iothub_hostname
        self._on_modules = on_modules
        self.restart_listener = on_restart
        self._identities: set[str] = set()
        self.devices = Devices(state, performer, documents, keys, clock=clock, on_removed=self._forget_client)
        self._methods = MethodCalls(state, performer, clock, state_folder)
        self.deployments = DeploymentDesk(documents, self._apply, lambda: self.get_twin(None))

    @property
    def device_id(self) -> str:
        return self._state.sessions.device_id

    def now(self) -> float:
        return self._clock.now()

    def keys_of(self, module: str | None) -> Keys | None:
        if module is None:
            return self._keys.content.device
        return self._keys.content.modules.get(module) if module in self._identities else None

    def keys_to_connect(self, device: str, module: str | None) -> Keys:
        """The keys of whoever wants to connect. Raises: AdmissionRefusedError: it may not."""
        if device != self.device_id:
            if module is not None:
                raise AdmissionRefusedError(f"device {device!r} is not this one, {self.device_id!r}")
            return self.devices.keys_of(device)
        keys = self.keys_of(module)
        if keys is None:
            raise AdmissionRefusedError(f"module {module!r} is not in the manifest")
        return keys

    def module_ids(self) -> list[str]:
        return sorted(self._identities)

    def modules(self) -> list[ModuleIdentity]:
        return [self.module(module) for module in self.module_ids()]

    def module(self, module: str) -> ModuleIdentity:
        """Raises: ModuleUnknownError."""
        self._known(module)
        keys, session = self._keys.of(module), self._state.sessions.of(module)
        return ModuleIdentity(module_id=module, managed_by=keys.managed_by, **identity_fields(keys, session))

    def device(self, device: str | None = None) -> DeviceIdentity:
        """The edge device, or a leaf device by its id. Raises: DeviceUnknownError."""
        if device not in (None, self.device_id):
            return self.devices.get(device)
        keys, session = self._keys.content.device, self._state.sessions.of(EDGE_DEVICE)
        return DeviceIdentity(
            device_id=self.device_id,
            edge=True,
            device_scope=self.devices.edge_scope,
            **identity_fields(keys, session),
        )

    def create_module(
        self,
        module: str,
        *,
        primary_key: str | None = None,
        secondary_key: str | None = None,
        managed_by: str | None = None,
    ) -> ModuleIdentity:
        if not is_module_id(module):
            raise TwinRefusedError(f"moduleId {module[:140]!r} is not a module id: {MODULE_ID_RULE}")
        for which, key in (("primaryKey", primary_key), ("secondaryKey", secondary_key)):
            if key is not None and not is_key(key):
                raise TwinRefusedError(f"{which} is not a key: {KEY_RULE}")
        keys = self._keys.of(module)
        self._keys.content.modules[module] = Keys(
            primary_key or keys.primary,
            secondary_key or keys.secondary,
            keys.generation_id,
            keys.etag + 1,
            keys.managed_by if managed_by is None else managed_by,
        )
        self._identities.add(module)
        self._keys.save()
        self._on_modules()
        return self.module(module)

    def delete_module(self, module: str) -> None:
        """Remove an identity with its twin, session and queues. Raises: ModuleUnknownError."""
        self._known(module)
        self._remove(module)
        self._keys.save()
        self._performer.run()
        self._on_modules()

    def get_twin(self, module: str | None) -> JsonObject:
        """The service view, with $metadata and $version. Raises: ModuleUnknownError."""
        self._known(module)
        twin = self._state.twins.get(module or "")
        device = self.device_id if module is None else leaf_device(module)
        if device is not None:
            return twin_view(twin, self.device(device), device_id=device)
        view = twin_view(twin, self.module(module or ""), device_id=self.device_id)
        return view | ({"configurations": self._configuration_states()} if module == EDGE_AGENT else {})

    def write_twin(self, module: str | None, body: JsonObject, if_match: str | None, *, replace: bool) -> JsonObject:
        self._known(module)
        push = self._state.twins.write(self._clock.now(), module or "", body, if_match, replace=replace)
        self._state.twin_changed(module or "", push)
        if module == EDGE_HUB and push is not None:
            self._take_routes()
        self._performer.run()
        if module is None and "tags" in body:
            self.deployments.look_again()
        return self.get_twin(module)

    def _apply(self, content: JsonObject) -> None:
        manifest = parse_manifest(content)
        try:
            routing = Routing(parse_edgehub_desired(manifest.desired[EDGE_HUB]))
        except HubConfigRefusedError as refusal:
            self._report_status(400, str(refusal))
            self._performer.run()
            raise ManifestRefusedError(f"$edgeHub: {refusal}") from refusal
        self.deploy(manifest, routing)

    def deploy(self, manifest: Manifest, routing: Routing) -> None:
        """Make ``manifest`` the one in force: identities, desired properties that it names, routes (``routing``)."""
        now = self._clock.now()
        for module in self._identities - manifest.desired.keys():
            self._remove(module)
        self._identities = set(manifest.desired)
        for module, desired in manifest.desired.items():
            self._keys.of(module)
            if module in manifest.silent:
                continue
            push = self._state.twins.deploy(now, module, desired)
            if push is not None:
                self._state.twin_changed(module, push)
        self._keys.save()
        self._take_routes(otherwise=routing)
        self._performer.run()
        self._on_modules()

    def _take_routes(self, *, otherwise: Routing | None = None) -> None:
        """Put in force what `$edgeHub`'s twin says, which an operator may have written since the manifest.

        If it is wrong, that is reported, and what was in force (or ``otherwise``) goes on.
        """
        try:
            routing = Routing(parse_edgehub_desired(self._state.twins.get(EDGE_HUB).desired))
        except HubConfigRefusedError as refusal:
            self._report_status(400, str(refusal))
            if otherwise is None:
                return
            routing = otherwise
        else:
            self._report_status(200, "")
        limit = routing.config.max_store_bytes
        self._state.set_routes(self._clock.now(), routing, max_stored_bytes=limit)

    def _report_status(self, code: int, description: str) -> None:
        for module in (EDGE_HUB, EDGE_AGENT):
            own = module == EDGE_HUB
            status = {"code": code if own else 200, "description": description if own else ""}
            report = {
                "schemaVersion": "1.0" if own else "1.1",
                "lastDesiredVersion": self._state.twins.get(module).desired_version,
                "lastDesiredStatus": status,
            }
            self._state.report_own(self._clock.now(), module, report)

    def report_clients(self) -> None:
        """`$edgeHub`'s reported ``clients``: who is connected, since when."""
        clients: JsonObject = {}
        for client_id, session in self._state.sessions.by_client.items():
            connected = session.link is not None
            stamp = "lastConnectedTimeUtc" if connected else "lastDisconnectedTimeUtc"
            clients[client_id] = {
                "status": "Connected" if connected else "Disconnected",
                stamp: timestamp(session.connection_changed_at),
            }
        self._state.report_own(self._clock.now(), EDGE_HUB, {"clients": clients})
        self._performer.run()

    async def invoke_method(self, module: str, call: MethodBody) -> MethodResult:
        self._known(module)
        return await self._methods.invoke(module, call)

    def send_message(
        self,
        module: str,
        *,
        input_name: str | None,
        output: str | None,
        body: bytes,
        system: dict[str, str],
        application: dict[str, str],
    ) -> int:
        self._known(module)
        now = self._clock.now()
        sender = {CONNECTION_DEVICE_ID: self.device_id, CONNECTION_MODULE_ID: module}
        message = Message(
            key=str(uuid.uuid4()),
            stored_at=now,
            source_module=module,
            output=output,
            kind="Telemetry",
            system=system | sender if output is not None else system,
            application=application,
            body=body,
        )
        refuse_too_large(message)
        if input_name is not None:
            self._state.intake.deliver(now, input_endpoint(module, input_name), message)
            reached = 1
        else:
            reached = len(self._state.intake.routes.match(message))
            self._state.intake.accept(now, None, 0, message)
        self._performer.run()
        return reached

    @contextmanager
    def watching(self, take: Callable[[Message], None]) -> Iterator[None]:
        watchers = self._state.intake.watchers
        watchers.append(take)
        try:
            yield
        finally:
            watchers.remove(take)

    def misbehave(self, settings: Misbehaviour) -> None:
        self._state.misbehave(self._clock.now(), settings)
        self._performer.run()

    def misbehaviour(self) -> Misbehaviour:
        return self._state.faults.settings

    def drop_connections(self, modules: Sequence[str] | None = None, *, abrupt: bool = False) -> int:
        links = self._state.links
        dropped = links.drop_all(modules) if abrupt else links.drain_all(self._clock.now(), modules)
        self._performer.run()
        return dropped

    def stats(self) -> JsonObject:
        return figures(self._state, disk_bytes=self._store.disk_bytes)

    def _configuration_states(self) -> JsonObject:
        seen = self.deployments.in_force
        return {name: {"status": "Applied" if name in seen.applied else "Targeted"} for name in seen.targeted}

    def _known(self, module: str | None) -> None:
        device = None if module is None else leaf_device(module)
        if device is not None:
            self.devices.get(device)
        elif module is not None and module not in self._identities:
            raise ModuleUnknownError(f"module {module!r} is not on device {self.device_id!r}")

    def _remove(self, module: str) -> None:
        now = self._clock.now()
        self._state.remove_owner(now, module)
        self._forget_client(f"{self.device_id}/{module}")
        self._documents.delete_twin(module)
        self._identities.discard(module)
        self._keys.content.modules.pop(module, None)

    def _forget_client(self, client_id: str) -> None:
        self._state.report_own(self._clock.now(), EDGE_HUB, {"clients": {client_id: None}})
