"""What a WHERE can say that does not mean what it seems to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from vigie_edgehub.routes.syntax import Chain, FunctionCall, Literal, Node, Property, SystemProperty, Unary
from vigie_edgehub.routes.tokens import Token, TokenKind

Place: TypeAlias = tuple[int, str, str, str, str]
"""(offset in the route, code, severity, message, remedy)"""

KNOWN_SYSTEM_NAMES = (
    "connectionDeviceId",
    "connectionModuleId",
    "messageId",
    "cid",
    "userId",
    "to",
    "ack",
    "absolute-expiry-time",
    "operation",
    "contentType",
    "contentEncoding",
    "outputName",
    "messageSchema",
    "messageType",
    "enqueuedTime",
    "creationTime",
    "iothub-interface-id",
    "dt-subject",
    "edgeMessageId",
    "edgeHubOriginInterface",
)
"""What ``$name`` can find in an edge hub; in the cloud the list is another."""

_OPERATOR_INSIDE = re.compile(r"[*+%!|&]|^-?[\d.]+-")
_ORDER = frozenset({TokenKind.GT, TokenKind.GE, TokenKind.LT, TokenKind.LE})


def condition_findings(condition: Node | None) -> Iterator[Place]:
    """Findings of one condition, in reading order."""
    if condition is not None:
        yield from _walk(condition)


def _walk(node: Node) -> Iterator[Place]:
    match node:
        case Property(token):
            yield from _property(token.text, token.at)
        case SystemProperty():
            yield from _system(node)
        case FunctionCall(function, arguments):
            yield from _call(function, arguments)
        case Unary(_, operand):
            yield from _walk(operand)
        case Chain(first, rest):
            yield from _chain(first, rest)
        case Literal():
            pass


def _call(function: Token, arguments: tuple[Node, ...]) -> Iterator[Place]:
    if function.text.lower() == "is_null" and any(map(_is_body, arguments)):
        yield (
            function.at,
            "is-null-of-body",
            "error",
            "is_null of a body member is true for every value that is there and false for an absent one",
            "write $body.name = null, which is true for null and for absent",
        )
    for argument in arguments:
        yield from _walk(argument)


def _chain(first: Node, rest: tuple[tuple[Token, Node], ...]) -> Iterator[Place]:
    yield from _walk(first)
    for operator, right in rest:
        if operator.kind in _ORDER and (_is_body(first) or _is_body(right)):
            yield (
                operator.at,
                "body-order",
                "hint",
                "values of different types are ordered by type: an absent member is greater than any number",
                "add AND is_number($body.name) where messages without it exist",
            )
        yield from _walk(right)


def _property(name: str, at: int) -> Iterator[Place]:
    if name.lower() in {"true", "false", "null", "undefined"}:
        yield (at, "literal-case", "error", f"{name} is read as the name of a property", f"write {name.lower()}")
    elif name.startswith(("'", '"')) or _OPERATOR_INSIDE.search(name):
        yield (
            at,
            "operator-in-name",
            "warning",
            f"{name} is read as the name of one property, operators included",
            "put blanks around operators",
        )


def _system(node: SystemProperty) -> Iterator[Place]:
    name = node.token.text[1:]
    lower = name.lower()
    if lower.startswith("body."):
        return
    if lower == "body":
        yield (node.token.at, "bare-body", "error", "$body alone is always undefined", "write $body.name")
    elif lower == "correlationid":
        yield (node.token.at, "unknown-system", "error", "MQTT messages have no $correlationId", "write $cid")
    elif lower not in _KNOWN_LOWER:
        yield (
            node.token.at,
            "unknown-system",
            "warning",
            f"${name} is not a system property; it is found only where a sender sets an application property ${name}",
            "drop the '$' for an application property",
        )


_KNOWN_LOWER = frozenset(name.lower() for name in KNOWN_SYSTEM_NAMES)


def _is_body(node: Node) -> bool:
    return isinstance(node, SystemProperty) and node.token.text.lower().startswith("$body.")
