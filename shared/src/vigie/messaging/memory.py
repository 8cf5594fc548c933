"""A hub in memory with the surface of the real link: for tests of modules and for running flows in one process.

It keeps what matters of the real one: messages are acknowledged when stored, delivered later, one at a time per
receiver, and a receiver that is away gets its messages when it is back. Twins have versions, methods have statuses.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from vigie.config.desired import merge
from vigie.contracts.envelope import CONTENT_ENCODING
from vigie.errors import HubUnavailableError
from vigie.messaging.calls import CALL_DEADLINE_S
from vigie.messaging.link import LinkContext
from vigie.messaging.session import Json, MethodCall, RawMessage

Address = tuple[str, str]

UPSTREAM: Address = ("$upstream", "")


@dataclass(slots=True)
class UpstreamMessage:
    """What reached ``$upstream``."""

    module: str
    output: str | None
    body: bytes
    properties: dict[str, str]
    message_id: str | None
    encoding: str = CONTENT_ENCODING


@dataclass(slots=True)
class _Module:
    desired: Json = field(default_factory=lambda: {"$version": 1})
    reported: Json = field(default_factory=dict)
    link: MemoryLink | None = None
    waiting: deque[RawMessage] = field(default_factory=deque)


class MemoryHub:
    """Routes are ``{(module, output): (module, input)}``, or ``UPSTREAM``, or a list of such. Thread-safe."""

    def __init__(self, routes: Mapping[Address, Address | list[Address]], *, delivery_s: float = 0.0) -> None:
        """``delivery_s``: how long each delivery takes, one at a time for each receiver."""
        self.routes = dict(routes)
        self.delivery_s = delivery_s
        self.upstream: list[UpstreamMessage] = []
        self.reachable = True
        self.condition = threading.Condition()
        self._modules: dict[str, _Module] = {}

    def link(self, module_id: str) -> Callable[[LinkContext], MemoryLink]:
        """For ``open_service(make_link=...)``."""
        return lambda context: MemoryLink(self, module_id, context)

    def set_desired(self, module_id: str, properties: Json) -> int:
        """Replace the desired properties, as a deployment does; returns the new version."""
        with self.condition:
            module = self.module(module_id)
            version = int(module.desired["$version"]) + 1
            patch = _difference({**module.desired, "$version": None}, {**properties, "$version": version})
            module.desired = {**copy.deepcopy(properties), "$version": version}
            link = module.link
        if link is not None and link.connected:
            link.context.handlers.on_patch(patch)
        return version

    def reported(self, module_id: str) -> Json:
        with self.condition:
            return copy.deepcopy(self.module(module_id).reported)

    def invoke(self, module_id: str, method: str, payload: Any = None, timeout_s: float = 10.0) -> tuple[int, Any]:
        """Status and payload of a direct method. Raises: HubUnavailableError: the module is not connected."""
        with self.condition:
            link = self.module(module_id).link
        if link is None or not link.connected:
            raise HubUnavailableError(f"module '{module_id}' is not connected")
        answer: Future[tuple[int, Any]] = Future()

        def reply(status: int, body: Any) -> None:
            answer.set_result((status, body))

        link.context.handlers.on_method(MethodCall(method, payload, reply))
        return answer.result(timeout_s)

    def set_reachable(self, *, reachable: bool) -> None:
        """Cut or restore all links, as when the hub goes away: stored messages stay."""
        with self.condition:
            self.reachable = reachable
            self.condition.notify_all()

    def module(self, module_id: str) -> _Module:
        return self._modules.setdefault(module_id, _Module())

    def store(self, module_id: str, output: str | None, message: UpstreamMessage) -> None:
        found = self.routes.get((module_id, output or ""), [])
        with self.condition:
            if not self.reachable:
                raise HubUnavailableError("the hub in memory is cut off")
            for target in found if isinstance(found, list) else [found]:
                if target == UPSTREAM:
                    self.upstream.append(message)
                    continue
                raw = RawMessage(target[1], message.body, message.properties, 0)
                self.module(target[0]).waiting.append(raw)
            self.condition.notify_all()


class MemorySession:
    """Implements ``Session``."""

    def __init__(self, hub: MemoryHub, module_id: str) -> None:
        """Usable while the hub is reachable."""
        self._hub = hub
        self._module_id = module_id

    @property
    def usable(self) -> bool:
        return self._hub.reachable

    def limit_s(self, output: str | None) -> float:  # noqa: ARG002 - nothing is slow in memory
        return CALL_DEADLINE_S

    def send(
        self, output: str | None, body: bytes, properties: Mapping[str, str], message_id: str | None,
        encoding: str = CONTENT_ENCODING,
    ) -> None:  # fmt: skip
        message = UpstreamMessage(self._module_id, output, body, dict(properties), message_id, encoding)
        self._hub.store(self._module_id, output, message)


class MemoryLink:
    """Implements ``Link``; one thread delivers, and tells the service when the link comes up again."""

    def __init__(self, hub: MemoryHub, module_id: str, context: LinkContext) -> None:
        """``context`` as the real link gets it."""
        self.context = context
        self._hub = hub
        self._module_id = module_id
        self._session = MemorySession(hub, module_id)
        self._stopped = False
        self._thread = threading.Thread(target=self._deliver, name="hub.memory", daemon=True)
        context.health.not_ready("hub", "not connected yet")

    @property
    def connected(self) -> bool:
        return self._hub.reachable and not self._stopped and self._thread.is_alive()

    def start(self) -> None:
        with self._hub.condition:
            self._hub.module(self._module_id).link = self
        self.context.attach(self._session)
        self._thread.start()

    def stop(self) -> None:
        self.context.detach(self._session)
        with self._hub.condition:
            self._stopped = True
            self._hub.module(self._module_id).link = None
            self._hub.condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def get_twin(self) -> Json:
        self._check()
        with self._hub.condition:
            module = self._hub.module(self._module_id)
            return copy.deepcopy({"desired": module.desired, "reported": module.reported})

    def report(self, patch: Json) -> None:
        self._check()
        with self._hub.condition:
            module = self._hub.module(self._module_id)
            module.reported = merge(module.reported, patch)
            self._hub.condition.notify_all()

    def _check(self) -> None:
        if not self.connected:
            raise HubUnavailableError("the hub in memory is cut off")

    def _deliver(self) -> None:
        hub = self._hub
        was_up = False
        while True:
            with hub.condition:
                if self._stopped:
                    return
                up = hub.reachable
                waiting = hub.module(self._module_id).waiting
                message = waiting.popleft() if up and waiting else None
                if message is None and up == was_up:
                    hub.condition.wait(1.0)
                    continue
            if up != was_up:
                was_up = up
                self._say_state(up=up)
            if message is not None:
                time.sleep(hub.delivery_s)
                self.context.handlers.on_message(
                    RawMessage(message.input_name, message.body, message.properties, time.monotonic_ns())
                )

    def _say_state(self, *, up: bool) -> None:
        self.context.metrics.hub_connected.set(1 if up else 0)
        if up:
            self.context.health.ready("hub")
            self.context.online()
        else:
            self.context.health.not_ready("hub", "connection lost; reconnecting")


def _difference(before: Json, after: Json) -> Json:
    """The merge patch (RFC 7386) that makes ``after`` of ``before``, at every depth."""
    patch: Json = {name: None for name in before if name not in after}
    for name, value in after.items():
        former = before.get(name)
        if isinstance(value, dict) and isinstance(former, dict):
            if inner := _difference(former, value):
                patch[name] = inner
        elif value != former:
            patch[name] = copy.deepcopy(value)
    return patch
