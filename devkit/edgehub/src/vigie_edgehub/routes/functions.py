"""The functions of the WHERE language: the argument types each takes, and what it does.

An argument that comes from a body is only known when the condition runs: a function then answers
undefined for a type that it would have refused in a literal.
Source: edgeHub, query/builtins/*.cs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vigie_edgehub.routes.values import Null, Truth, Value, utf16_length, utf16_slice


class Type(StrEnum):
    """What is known of an expression before it runs; the value is how an error message names it."""

    BOOL = "bool"
    NUMBER = "number"
    STRING = "string"
    NULL = "null"
    UNDEFINED = "undefined"
    BODY = "a body value"  # any of the first four, or undefined


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """One way to call a function. ``arguments`` None takes any one argument; ``more`` repeats the last for ever."""

    arguments: tuple[Type, ...] | None
    result: Type
    run: Callable[..., Value]
    takes_body: bool = True
    more: bool = False

    def accepts(self, given: tuple[Type, ...]) -> bool:
        if self.arguments is None:
            return len(given) == 1
        wanted = self.arguments
        if self.more and len(given) > len(wanted):
            wanted += wanted[-1:] * (len(given) - len(wanted))
        return len(given) == len(wanted) and all(
            want is got or (self.takes_body and got is Type.BODY) for want, got in zip(wanted, given, strict=True)
        )


def _number(function: Callable[[float], Value]) -> tuple[FunctionSignature, ...]:
    def run(value: Value) -> Value:
        return defined(function(value)) if type(value) is float else None

    return (FunctionSignature((Type.NUMBER,), Type.NUMBER, run),)


def _string(result: Type, function: Callable[[str], Value]) -> tuple[FunctionSignature, ...]:
    def run(value: Value) -> Value:
        return function(value) if isinstance(value, str) else None

    return (FunctionSignature((Type.STRING,), result, run),)


def _two_strings(result: Type, function: Callable[[str, str], Value]) -> tuple[FunctionSignature, ...]:
    def run(left: Value, right: Value) -> Value:
        return function(left, right) if isinstance(left, str) and isinstance(right, str) else None

    return (FunctionSignature((Type.STRING, Type.STRING), result, run),)


def defined(value: Value) -> Value:
    """NaN is edgeHub's undefined number."""
    return None if value != value else value  # noqa: PLR0124 - only NaN differs from itself


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def power(base: Value, exponent: Value) -> Value:
    if type(base) is not float or type(exponent) is not float:
        return None
    try:
        return defined(math.pow(base, exponent))
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:  # 0 to a negative power is infinite, a root of a negative number is not a number
        if base != 0:
            return None
        return -math.inf if math.copysign(1, base) < 0 and exponent % 2 == 1 else math.inf


def _round(to: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(to(value)) if math.isfinite(value) else value


_CURRENCY_OR_BLANK = r"[\s\u00a4]*"
_PARSED_NUMBER = re.compile(
    rf"{_CURRENCY_OR_BLANK}(?P<lead>[+-]?){_CURRENCY_OR_BLANK}(?P<digits>(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+))"
    rf"(?P<exp>[eE][+-]?[0-9]+)?{_CURRENCY_OR_BLANK}(?P<trail>[+-]?){_CURRENCY_OR_BLANK}",
    re.ASCII,
)
_NAMED_NUMBERS = {"infinity": math.inf, "+infinity": math.inf, "-infinity": -math.inf}


def as_number(value: Value) -> Value:
    """A number written as .NET reads it: blanks around, thousands commas, a sign on either side, (5) for -5."""
    if type(value) is float:
        return value
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.lower() in _NAMED_NUMBERS:
        return _NAMED_NUMBERS[text.lower()]
    bracketed = text.startswith("(") and text.endswith(")")
    found = _PARSED_NUMBER.fullmatch(text[1:-1] if bracketed else text)
    if found is None or sum((bracketed, bool(found["lead"]), bool(found["trail"]))) > 1:
        return None
    number = float(found["digits"].replace(",", "") + (found["exp"] or ""))
    return -number if bracketed or "-" in (found["lead"], found["trail"]) else number


def _is_bool(value: Value) -> Truth:
    return None if value is None else isinstance(value, bool)


def _is_body_null(value: Value) -> Truth:
    """The real hub compares references here: true for every value that is there, false only for an absent one.

    Kept, because a route has to do here what it will do on the device; the linter reports it.
    """
    return None if value is None else value is not Null.ABSENT


def _concat(*values: Value) -> Value:
    return "".join(values) if all(isinstance(value, str) for value in values) else None  # type: ignore[arg-type] # all() has seen them


def _substring(text: Value, start: Value, length: Value) -> Value:
    if not isinstance(text, str) or type(start) is not float or type(length) is not float:
        return None
    units = utf16_length(text)
    if not (0 <= start < units and 0 <= length <= units - start):
        return None
    return utf16_slice(text, int(start), int(start) + int(length))


def _substring_from(text: Value, start: Value) -> Value:
    if not isinstance(text, str) or type(start) is not float or not 0 <= start <= utf16_length(text):
        return None
    return utf16_slice(text, int(start))


def _index_of(text: str, part: str) -> float:
    at = text.find(part)
    return float(at if at < 0 else utf16_length(text[:at]))


def _one_to_one(change: Callable[[str], str]) -> Callable[[str], str]:
    """Invariant case mapping changes characters one by one: 'ß' stays what it is."""

    def changed(text: str) -> str:
        if text.isascii():
            return change(text)
        return "".join(new if len(new := change(old)) == 1 else old for old in text)

    return changed


_ANY_IS_FALSE = FunctionSignature(None, Type.BOOL, lambda _: False)

FUNCTIONS: dict[str, tuple[FunctionSignature, ...]] = {
    "abs": _number(abs),
    "exp": _number(_exp),
    "power": (FunctionSignature((Type.NUMBER, Type.NUMBER), Type.NUMBER, power),),
    "square": _number(lambda value: value * value),
    "ceiling": _number(_round(math.ceil)),
    "floor": _number(_round(math.floor)),
    "sign": _number(lambda value: float((value > 0) - (value < 0))),
    "sqrt": _number(lambda value: math.sqrt(value) if value >= 0 else None),
    "as_number": (
        FunctionSignature((Type.STRING,), Type.NUMBER, as_number),
        FunctionSignature((Type.NUMBER,), Type.NUMBER, as_number),
    ),
    "is_bool": (FunctionSignature((Type.BOOL,), Type.BOOL, _is_bool), _ANY_IS_FALSE),
    "is_defined": (
        FunctionSignature((Type.NULL,), Type.BOOL, lambda _: True, takes_body=False),
        FunctionSignature(None, Type.BOOL, lambda value: value is not None),
    ),
    "is_null": (
        FunctionSignature((Type.BODY,), Type.BOOL, _is_body_null),
        FunctionSignature((Type.NULL,), Type.BOOL, lambda _: True, takes_body=False),
        _ANY_IS_FALSE,
    ),
    "is_number": (
        FunctionSignature((Type.NUMBER,), Type.BOOL, lambda value: type(value) is float and math.isfinite(value)),
        _ANY_IS_FALSE,
    ),
    "is_string": (FunctionSignature((Type.STRING,), Type.BOOL, lambda value: isinstance(value, str)), _ANY_IS_FALSE),
    "concat": (FunctionSignature((Type.STRING, Type.STRING), Type.STRING, _concat, more=True),),
    "length": _string(Type.NUMBER, lambda text: float(utf16_length(text))),
    "lower": _string(Type.STRING, _one_to_one(str.lower)),
    "upper": _string(Type.STRING, _one_to_one(str.upper)),
    "substring": (
        FunctionSignature((Type.STRING, Type.NUMBER), Type.STRING, _substring_from),
        FunctionSignature((Type.STRING, Type.NUMBER, Type.NUMBER), Type.STRING, _substring),
    ),
    "index_of": _two_strings(Type.NUMBER, _index_of),
    "starts_with": _two_strings(Type.BOOL, str.startswith),
    "ends_with": _two_strings(Type.BOOL, str.endswith),
    "contains": _two_strings(Type.BOOL, lambda text, part: part in text),
}
"""By lower-case name; the name in a route may have any case."""


def describe(signatures: tuple[FunctionSignature, ...]) -> str:
    """``(string, number) or (string, number, number)``, for an error message."""
    return " or ".join(
        "(any)" if one.arguments is None else f"({', '.join(one.arguments)}{', ...' if one.more else ''})"
        for one in signatures
    )


Run = Callable[[Any], Value]
