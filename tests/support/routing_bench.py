"""Routes under test in a running hub: set them, send, and see exactly which endpoints got what.

That something did *not* arrive is shown without waiting: after the messages under test a mark is routed to
every endpoint; queues are in order, so what had been routed there would have come before the mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from support.hub import HubProcess, manifest, wait_until
from support.raw_mqtt import Received, raw_client

MARK = b"mark"
PROBE = "probe"
_MARKED = "FROM /messages/modules/probe/outputs/mark INTO "
_ENDPOINT = re.compile(
    r"""\$upstream|brokeredendpoint\(\s*["']\s*/?modules/([^/]+)/inputs/([^/"']+?)/?\s*["']\s*\)""", re.IGNORECASE
)


class RoutingBench:
    """``send`` and ``received`` are in terms of endpoints: ``module/input`` and ``$upstream``."""

    def __init__(self, hub: HubProcess, listening: tuple[str, ...], others: tuple[str, ...], stack: ExitStack) -> None:
        self.hub = hub
        self.service = hub.service()
        self.modules = [*listening, PROBE, *others]
        self.clients = {name: stack.enter_context(raw_client(hub, name)) for name in (*listening, PROBE)}
        self.device = stack.enter_context(raw_client(hub, None))
        self._endpoints: dict[str, str] = {}
        self._upstream_after = 0

    def route(self, *routes: str | dict, **named: str | dict) -> None:
        """Put these in force, with a mark for every endpoint they name."""
        wanted = {f"r{n}": route for n, route in enumerate(routes)} | named
        self._endpoints = {}
        for route in wanted.values():
            for found in _ENDPOINT.finditer(route if isinstance(route, str) else route["route"]):
                name = f"{found[1]}/{found[2]}" if found[1] else "$upstream"
                self._endpoints[name] = found[0]
        marks = {f"mark{n}": _MARKED + target for n, target in enumerate(self._endpoints.values())}
        self.service.apply_configuration(manifest(wanted | marks, modules=self.modules))

    def send(self, module: str | None, output: str | None = None, body: bytes = b"x", **wire: str) -> None:
        """From a module, or from the device itself; ``wire``: properties, with ``_`` for the ``$.`` of system ones."""
        names = {f"$.{key[1:]}" if key.startswith("_") else key: value for key, value in wire.items()}
        client = self.device if module is None else self.clients[module]
        client.send(body, output=output, wire=names)

    def received(self) -> dict[str, list]:
        """What every endpoint got since the last call; endpoints that got nothing are left out."""
        self.clients[PROBE].send(MARK, output="mark")
        got: dict[str, list] = {}
        waiting = set(self._endpoints) - {"$upstream"}
        for name, client in self.clients.items():
            while any(endpoint.startswith(f"{name}/") for endpoint in waiting):
                message: Received = client.next()
                endpoint = f"{name}/{message.input}"
                if message.body == MARK:
                    waiting.discard(endpoint)
                else:
                    got.setdefault(endpoint, []).append(message)
        if "$upstream" in self._endpoints:
            records = wait_until(self._upstream_until_mark)
            self._upstream_after = records[-1].sequence_number
            if records[:-1]:
                got["$upstream"] = records[:-1]
        return got

    def _upstream_until_mark(self) -> list:
        records = list(self.service.upstream(after=self._upstream_after))
        return records if records and records[-1].body_bytes() == MARK else []

    def reported_status(self) -> dict:
        """``lastDesiredStatus`` of ``$edgeHub``."""
        return self.service.twin("$edgeHub")["properties"]["reported"]["lastDesiredStatus"]

    def dropped(self, reason: str) -> int:
        return self.counters()[f"dropped_{reason}"]

    def counters(self) -> dict[str, int]:
        return self.service.status()["hub"]["counters"]


@contextmanager
def routing_bench(hub: HubProcess, *listening: str, others: tuple[str, ...] = ()) -> Iterator[RoutingBench]:
    """``listening``: modules with a raw client here. ``others``: in the manifest too, connected by the test."""
    with ExitStack() as stack:
        yield RoutingBench(hub, listening, others, stack)
