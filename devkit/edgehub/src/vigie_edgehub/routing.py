"""The routes of `routes/` as the rules want them: endpoints as text, times-to-live resolved."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vigie_edgehub.message import Message
from vigie_edgehub.routes.config import HubConfig
from vigie_edgehub.routes.message import TELEMETRY_SOURCE, TWIN_CHANGE_SOURCE, RoutedMessage, module_source
from vigie_edgehub.routes.table import REMEMBERED_SOURCES, Endpoint, RouteTable


class Routed(msgspec.Struct, frozen=True, gc=False):
    """One endpoint of one message; ``ttl_s`` None keeps for ever."""

    endpoint: str
    priority: int
    ttl_s: float | None


class Routing:
    """A whole configuration of `$edgeHub`, ready to be asked."""

    def __init__(self, config: HubConfig) -> None:
        self.config = config
        self._table = RouteTable(config.routes)
        self._names: dict[Endpoint, str] = {endpoint: str(endpoint) for endpoint in self._table.endpoints}
        self._fixed: dict[tuple[str, str, str | None], tuple[Routed, ...]] = {}  # where no route has a condition
        self.endpoints = frozenset(self._names.values())

    def match(self, message: Message) -> Sequence[Routed]:
        """The endpoints of ``message``, each once."""
        origin = (message.kind, message.source_module, message.output)
        fixed = self._fixed.get(origin)
        if fixed is not None:
            return fixed
        source = self._source(message)
        routed = RoutedMessage(source, message.application, message.system, message.body)
        matches = tuple(
            Routed(self._names[endpoint], route.priority, self._ttl_s(route.ttl_s))
            for endpoint, route in self._table.winners(routed).items()
        )
        if self._table.unconditional(source):
            if len(self._fixed) >= REMEMBERED_SOURCES:
                self._fixed.clear()
            self._fixed[origin] = matches
        return matches

    def _ttl_s(self, route_ttl_s: int) -> float | None:
        if route_ttl_s:
            return float(route_ttl_s)
        return None if self.config.ttl_s < 0 else float(self.config.ttl_s)

    def _source(self, message: Message) -> str:
        if message.kind == "twinChangeEvents":
            return TWIN_CHANGE_SOURCE
        if not message.source_module:
            return TELEMETRY_SOURCE
        return module_source(message.source_module, message.output)
