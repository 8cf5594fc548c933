"""Where a message goes and why: every route with its verdict, as the hub itself evaluates them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from vigie.contracts.envelope import CONTENT_ENCODING, CONTENT_TYPE, MESSAGE_LIMIT_BYTES
from vigie_devkit.manifest.errors import ManifestError
from vigie_edgehub.message import UPSTREAM, Message, message_bytes
from vigie_edgehub.mqtt import system_properties as system
from vigie_edgehub.routes.conditions import compile_value
from vigie_edgehub.routes.config import HubConfig
from vigie_edgehub.routes.message import TELEMETRY_SOURCE, TWIN_CHANGE_SOURCE, RoutedMessage, module_source
from vigie_edgehub.routes.syntax import Chain, FunctionCall, Literal, Node, Property, SystemProperty, Unary
from vigie_edgehub.routes.table import DEFAULT_PRIORITY, ModuleInput, Route, RouteTable
from vigie_edgehub.routes.values import Null, Value

_DEVICE = "device"


class RouteVerdict(msgspec.Struct, frozen=True):
    """One route: whether it takes the message, and why or why not, in one sentence."""

    route: str
    taken: bool
    why: str


class RoutedCopy(msgspec.Struct, frozen=True):
    """One delivery. ``ttl_s`` None: kept for ever."""

    endpoint: str
    route: str
    priority: int
    ttl_s: int | None


class Explanation(msgspec.Struct, frozen=True):
    source: str
    copies: list[RoutedCopy]
    verdicts: list[RouteVerdict]
    warnings: list[str]


def message_for(
    source: str, body: bytes | None, application: Mapping[str, str], given: Mapping[str, str]
) -> RoutedMessage:
    """A message as the hub would have it. With a body it is JSON in UTF-8 unless ``given`` says otherwise.

    Args: source: a source path, or short ``module/output``, or ``module`` for one that is sent without an output.
    Raises: ManifestError: no source that a message can come from.
    """
    path = source_path(source)
    properties: dict[str, str] = {system.CONNECTION_DEVICE_ID: _DEVICE}
    items = path.strip("/").split("/")
    if items[:2] == ["messages", "modules"]:
        properties[system.CONNECTION_MODULE_ID] = items[2]
        if len(items) == 5:
            properties[system.OUTPUT_NAME] = items[4]
    if body is not None:
        properties |= {system.CONTENT_TYPE: CONTENT_TYPE, system.CONTENT_ENCODING: CONTENT_ENCODING}
    return RoutedMessage(path, dict(application), {**properties, **given}, body or b"")


def source_path(source: str) -> str:
    """The full path of a source, short form or long. Raises: ManifestError."""
    path = source.rstrip("/")
    if not path.startswith("/"):
        module, _, output = path.partition("/")
        path = module_source(module, output or None)
    items = path.strip("/").split("/")
    known = path in {TELEMETRY_SOURCE, TWIN_CHANGE_SOURCE} or (
        items[:2] == ["messages", "modules"] and (len(items) == 3 or (len(items) == 5 and items[3] == "outputs"))
    )
    if not known or not all(items):
        raise ManifestError(
            source,
            "is not a place that messages come from",
            "write MODULE/OUTPUT, MODULE, /messages, /twinChangeNotifications, or the whole source path",
        )
    return path


def explain(config: HubConfig, modules: Sequence[str], message: RoutedMessage) -> Explanation:
    """What the hub does with ``message``."""
    winners = {str(endpoint): route for endpoint, route in RouteTable(config.routes).winners(message).items()}
    copies = [
        RoutedCopy(name, route.name, route.priority, _ttl_s(route.ttl_s or config.ttl_s))
        for name, route in winners.items()
    ]
    verdicts = [_verdict(route, message, winners) for route in config.routes]
    return Explanation(message.source_path, copies, verdicts, list(_warnings(message, copies, winners, modules)))


def _verdict(route: Route, message: RoutedMessage, winners: Mapping[str, Route]) -> RouteVerdict:
    if not route.matches_source(message.source_path):
        return RouteVerdict(route.name, taken=False, why=f"takes messages from {route.parsed.source}")
    condition = route.parsed.condition
    if condition is not None and not route.matches(message):
        facts = "; ".join(_facts(route.text, condition, message))
        return RouteVerdict(route.name, taken=False, why=f"WHERE {route.parsed.condition_text} is not true: {facts}")
    winner = winners.get(str(route.endpoint))
    if winner is not None and winner is not route:
        return RouteVerdict(
            route.name, taken=True, why=f"matches, but {route.endpoint} gets one copy only, by route {winner.name!r}"
        )
    why = f"the source {route.parsed.source} matches"
    if condition is not None:
        why += f" and WHERE {route.parsed.condition_text} is true: {'; '.join(_facts(route.text, condition, message))}"
    return RouteVerdict(route.name, taken=True, why=why)


def _facts(text: str, node: Node, message: RoutedMessage) -> list[str]:
    """What each name in the condition is worth; a body that cannot be read says why, once."""
    facts = dict.fromkeys(
        f"{leaf.token.text} is {_shown(compile_value(text, leaf)(message))}" for leaf in _leaves(node)
    )
    if any(leaf.token.text.lower().startswith("$body") for leaf in _leaves(node)) and message.document is None:
        facts[_why_no_body(message)] = None
    return list(facts) or ["it names nothing"]


def _why_no_body(message: RoutedMessage) -> str:
    kind, encoding = (message.system_by_lower.get(name) for name in ("contenttype", "contentencoding"))
    if (kind or "").lower() != CONTENT_TYPE:
        return f"the body is not read: contentType is {kind!r}, not 'application/json'"
    if (encoding or "").lower() not in {"utf-8", "utf-16", "utf-32"}:
        return f"the body is not read: contentEncoding is {encoding!r}, not 'utf-8'"
    return "the body is not read: it is not a JSON object"


def _leaves(node: Node) -> Iterator[Property | SystemProperty]:
    match node:
        case Property() | SystemProperty():
            yield node
        case FunctionCall(_, arguments):
            for argument in arguments:
                yield from _leaves(argument)
        case Unary(_, operand):
            yield from _leaves(operand)
        case Chain(first, rest):
            yield from _leaves(first)
            for _, part in rest:
                yield from _leaves(part)
        case Literal():
            pass


def _shown(value: Value) -> str:
    if value is None:
        return "undefined"
    if value is Null.ABSENT:
        return "absent"
    if value is Null.WRITTEN:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else f"{value:g}"


def _warnings(
    message: RoutedMessage, copies: Sequence[RoutedCopy], winners: Mapping[str, Route], modules: Sequence[str]
) -> Iterator[str]:
    if not copies:
        yield "no route takes it: the sender is acknowledged, the message dropped"
    size = message_bytes(
        Message(
            key="", stored_at=0, source_module="", output=None, kind="Telemetry", body=message.body,
            system=dict(message.system_properties), application=dict(message.app_properties),
        )
    )  # fmt: skip
    if size > MESSAGE_LIMIT_BYTES:
        yield f"it has {size} bytes with its properties: the hub acknowledges and drops more than {MESSAGE_LIMIT_BYTES}"
    for copy in copies:
        endpoint = winners[copy.endpoint].endpoint
        if isinstance(endpoint, ModuleInput) and endpoint.module not in modules:
            yield f"there is no module {endpoint.module!r}: the copy waits until it expires"
        if copy.endpoint == UPSTREAM and copy.priority == DEFAULT_PRIORITY:
            yield f"route {copy.route!r} has no priority: it goes behind all that have one"


def _ttl_s(ttl_s: int) -> int | None:
    return None if ttl_s < 0 else ttl_s
