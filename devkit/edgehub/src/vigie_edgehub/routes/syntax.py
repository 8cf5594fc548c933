"""A parsed route: plain values with the place they were written at; `parser` makes them, `conditions` compiles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vigie_edgehub.routes.tokens import Token, TokenKind


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant as written; ``token.kind`` says which."""

    token: Token


@dataclass(frozen=True, slots=True)
class Property:
    """An application property by its bare name."""

    token: Token


@dataclass(frozen=True, slots=True)
class SystemProperty:
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


Node: TypeAlias = Literal | Property | SystemProperty | FunctionCall | Unary | Chain


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


PRECEDENCE: dict[TokenKind, int] = {
    TokenKind.COALESCE: 0,
    TokenKind.OR: 1,
    TokenKind.AND: 2,
    TokenKind.EQ: 3,
    TokenKind.NE: 3,
    TokenKind.LT: 4,
    TokenKind.LE: 4,
    TokenKind.GT: 4,
    TokenKind.GE: 4,
    TokenKind.PLUS: 5,
    TokenKind.MINUS: 5,
    TokenKind.CONCAT: 5,
    TokenKind.STAR: 6,
    TokenKind.SLASH: 6,
    TokenKind.PERCENT: 6,
}
"""Binary operators, loosest first; unary minus and NOT bind tighter than all of them."""
