"""Values while a condition runs, and how they compare.

    undefined -> None        bool -> bool       number -> float, never NaN (that is undefined)
    string    -> str         null -> a `Null`

edgeHub counts characters of strings in UTF-16 units; so do these functions.
Source: edgeHub, Bool.cs, QueryValue.cs, ComparisonOperators.cs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

from vigie_edgehub.routes.tokens import TokenKind


class Null(Enum):
    """Two nulls, equal to each other; only ``is_null`` of a body member tells them apart."""

    WRITTEN = "null"  # a JSON or literal null
    ABSENT = "absent"  # a body path that leads nowhere


Value: TypeAlias = bool | float | str | Null | None
Truth: TypeAlias = bool | None

_COMPARE: dict[TokenKind, Callable[[Any, Any], bool]] = {
    TokenKind.EQ: operator.eq,
    TokenKind.NE: operator.ne,
    TokenKind.LT: operator.lt,
    TokenKind.LE: operator.le,
    TokenKind.GT: operator.gt,
    TokenKind.GE: operator.ge,
}
_RANK = {bool: 1, float: 2, str: 3, Null: 4}


def comparison(kind: TokenKind) -> Callable[[Value, Value], Truth]:
    """The operator between two values of whatever types; undefined if one of them is.

    Values of different types compare by the order of their types (bool, number, string, null): so ``=`` is
    false, ``<>`` is true, and an absent body member is greater than any number.
    """
    compare = _COMPARE[kind]

    def compared(left: Value, right: Value) -> Truth:
        if left is None or right is None:
            return None
        left_rank, right_rank = _RANK[type(left)], _RANK[type(right)]
        if left_rank != right_rank:
            return compare(left_rank, right_rank)
        if isinstance(left, str) and isinstance(right, str):
            return compare(ordinal(left), ordinal(right))
        if isinstance(left, Null):
            return compare(0, 0)
        return compare(left, right)

    return compared


def ordinal(text: str) -> str | bytes:
    """A key that sorts as UTF-16 units do; equal length of time for the usual ASCII."""
    return text if text.isascii() else text.encode("utf-16-be", "surrogatepass").decode("latin-1")


def utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_slice(text: str, start: int, stop: int | None = None) -> str:
    if text.isascii():
        return text[start:stop]
    units = text.encode("utf-16-le", "surrogatepass")
    return units[2 * start : None if stop is None else 2 * stop].decode("utf-16-le", "surrogatepass")


def all_of(left: Truth, right: Truth) -> Truth:
    """AND of three-valued logic: a false decides, else an undefined does."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def any_of(left: Truth, right: Truth) -> Truth:
    """OR of three-valued logic: a true decides, else an undefined does."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False
