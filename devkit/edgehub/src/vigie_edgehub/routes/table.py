"""Routes in force: which endpoints get a message, and with what priority and time to live.

Source: edgeHub, Evaluator.cs, BaseMessageSource.cs, CustomMessageSource.cs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from vigie_edgehub.routes.conditions import compile_condition
from vigie_edgehub.routes.message import RoutedMessage
from vigie_edgehub.routes.parser import parse_route
from vigie_edgehub.routes.syntax import ParsedRoute

DEFAULT_PRIORITY: Final = 2_000_000_000
"""Of a route that names none: behind every priority that one can name (0..9, 0 first)."""

REMEMBERED_SOURCES = 1_024


class Upstream(msgspec.Struct, frozen=True):
    """The cloud, or what stands in for it."""

    def __str__(self) -> str:
        return "$upstream"


class ModuleInput(msgspec.Struct, frozen=True):
    """One input of one module; different inputs are different endpoints with queues of their own."""

    module: str
    input: str

    def __str__(self) -> str:
        return f"{self.module}/{self.input}"


Endpoint: TypeAlias = Upstream | ModuleInput


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled route. Two are equal when they would do the same under the same name."""

    name: str
    text: str
    priority: int
    ttl_s: int
    endpoint: Endpoint = field(compare=False)
    parsed: ParsedRoute = field(compare=False, repr=False)
    prefix: str = field(compare=False, repr=False)
    condition: Callable[[RoutedMessage], bool] | None = field(compare=False, repr=False)

    def matches_source(self, source_path: str) -> bool:
        """A prefix test that ignores case; both sides end in one slash, so names match whole."""
        return f"{source_path.rstrip('/')}/".lower().startswith(self.prefix)

    def matches(self, message: RoutedMessage) -> bool:
        return self.matches_source(message.source_path) and (self.condition is None or self.condition(message))


def compile_route(text: str, *, name: str = "", priority: int = DEFAULT_PRIORITY, ttl_s: int = 0) -> Route:
    """Parse and compile ``text``. Raises: RouteRefusedError: syntax, address, or types that cannot be compared."""
    parsed = parse_route(text)
    parts = parsed.address.parts
    return Route(
        name=name,
        text=text,
        priority=priority,
        ttl_s=ttl_s,
        endpoint=ModuleInput(parts[1], parts[3]) if parts else Upstream(),
        parsed=parsed,
        prefix=f"{parsed.source.rstrip('*').rstrip('/')}/".lower(),
        condition=None if parsed.condition is None else compile_condition(text, parsed.condition),
    )


class RouteTable:
    """Routes with the source test remembered per source path: a hub meets few paths, many times each."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._by_source: dict[str, tuple[Route, ...]] = {}

    def winners(self, message: RoutedMessage) -> dict[Endpoint, Route]:
        """The endpoints of ``message``, each with its matching route of the lowest priority; of equals the first."""
        best: dict[Endpoint, Route] = {}
        for route in self._candidates(message.source_path):
            if route.condition is None or route.condition(message):
                known = best.get(route.endpoint)
                if known is None or route.priority < known.priority:
                    best[route.endpoint] = route
        return best

    def unconditional(self, source_path: str) -> bool:
        """Whether every message from there goes the same ways, whatever is in it."""
        return all(route.condition is None for route in self._candidates(source_path))

    def _candidates(self, source_path: str) -> tuple[Route, ...]:
        candidates = self._by_source.get(source_path)
        if candidates is None:
            candidates = tuple(route for route in self.routes if route.matches_source(source_path))
            if len(self._by_source) >= REMEMBERED_SOURCES:  # outputs are the sender's invention: stay bounded
                self._by_source.clear()
            self._by_source[source_path] = candidates
        return candidates

    @property
    def endpoints(self) -> frozenset[Endpoint]:
        """Those with a route; the queue of any other is to be discarded."""
        return frozenset(route.endpoint for route in self.routes)
