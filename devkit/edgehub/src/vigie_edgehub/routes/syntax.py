"""A parsed route: plain values with the place they were written at; `parser` makes them, `conditions` compiles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vigie_edgehub.routes.tokens import Kind, Token


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant as written; ``token.kind`` says which."""

    token: Token


@dataclass(frozen=True, slots=True)
class Property:
    """An application property by its bare name."""

    token: Token


@dataclass(frozen=True, slots=True)
class System:
    """``$name``; ``forced`` when written ``{$name}``: then no application property may shadow it."""

    token: Token
    forced: bool


@dataclass(frozen=True, slots=True)
class FunctionCall:
    function: Token
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    operator: Token  # MINUS or NOT
    operand: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """``first op second op third`` of one precedence, grouped from the left; flat, so that a long AND is not deep."""

    first: Node
    rest: tuple[tuple[Token, Node], ...]


Node: TypeAlias = Literal | Property | System | FunctionCall | Unary | Chain


@dataclass(frozen=True, slots=True)
class Address:
    """``$upstream`` (``function`` None), or ``BrokeredEndpoint(".../{module}/.../{input}")`` with its four parts."""

    token: Token
    function: Token | None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedRoute:
    """``source`` is the path as edgeHub reads it, blanks and comments gone.

    ``trailing`` is the first token behind the endpoint: edgeHub reads no further, so what stands there has no effect.
    """

    source: str
    source_tokens: tuple[Token, ...]
    condition: Node | None
    condition_text: str | None
    address: Address
    trailing: Token | None
    comments: tuple[Token, ...]


PRECEDENCE: dict[Kind, int] = {
    Kind.COALESCE: 0,
    Kind.OR: 1,
    Kind.AND: 2,
    Kind.EQ: 3,
    Kind.NE: 3,
    Kind.LT: 4,
    Kind.LE: 4,
    Kind.GT: 4,
    Kind.GE: 4,
    Kind.PLUS: 5,
    Kind.MINUS: 5,
    Kind.CONCAT: 5,
    Kind.STAR: 6,
    Kind.SLASH: 6,
    Kind.PERCENT: 6,
}
"""Binary operators, loosest first; unary minus and NOT bind tighter than all of them."""
