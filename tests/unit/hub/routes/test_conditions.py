"""The WHERE language: what each condition is for one message, and which cannot be compiled."""

from __future__ import annotations

from typing import Any

import pytest

from vigie_edgehub.errors import RouteRefusedError
from vigie_edgehub.routes.conditions import _Compiler
from vigie_edgehub.routes.message import RoutedMessage
from vigie_edgehub.routes.parser import parse_route
from vigie_edgehub.routes.table import compile_route

MESSAGE = RoutedMessage(
    "/messages",
    app_properties={
        "kind": "alert",
        "temp": "3",
        "Upper": "HELLO",
        "$shadow": "app",
        "emoji": "a\U0001f600b",
        "ß": "Straße",
    },
    system_properties={"contentType": "text/plain", "messageId": "4", "shadow": "system", "connectionModuleId": "cam"},
    body=b"",
)


def result(condition: str, message: RoutedMessage = MESSAGE) -> bool | None:
    """True, False, or None for undefined; the test of a route is true only for True."""
    text = f"FROM /messages WHERE {condition} INTO $upstream"
    value = _Compiler(text).compile(parse_route(text).condition).run(message)
    answer = value if isinstance(value, bool) else None
    assert compile_route(text).matches(message) is (answer is True)
    return answer


TRUE, FALSE, UNDEFINED = True, False, None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # alone
        ("true", TRUE),
        ("false", FALSE),
        ("undefined", UNDEFINED),
        ("3", UNDEFINED),
        ("'text'", UNDEFINED),
        ("kind", UNDEFINED),
        ("null", UNDEFINED),  # a null ends as a plain false; neither routes
        # equality, both spellings of its opposite
        ("3 = 3", TRUE),
        ("3 = 4", FALSE),
        ("3 != 3", FALSE),
        ("3 <> 4", TRUE),
        ("'a' = 'a'", TRUE),
        ("'a' = 'A'", FALSE),
        ("\"a\" <> 'b'", TRUE),
        ("true = true", TRUE),
        ("true <> false", TRUE),
        ("null = null", TRUE),
        ("null <> null", FALSE),
        ("null <= null", TRUE),
        ("null < null", FALSE),
        ("kind = 'alert'", TRUE),
        ("KIND = 'alert'", TRUE),
        ("kind = 'ALERT'", FALSE),
        ("nothing = 'alert'", UNDEFINED),
        ("nothing <> 'alert'", UNDEFINED),
        ("is_defined(nothing = 'x')", FALSE),
        ("undefined = undefined", UNDEFINED),
        # order
        ("3 < 4", TRUE),
        ("4 <= 4", TRUE),
        ("4 > 4", FALSE),
        ("4 >= 4", TRUE),
        ("'a' < 'b'", TRUE),
        ("'B' < 'a'", TRUE),
        ("'a' < 'ab'", TRUE),
        ("false < true", TRUE),
        ("'a' < nothing", UNDEFINED),
        ("3 < as_number(nothing)", UNDEFINED),
        ("'\U0001f600' < '\uffee'", TRUE),  # by UTF-16 units, not by code points
        # three-valued logic
        ("true AND true", TRUE),
        ("true and false", FALSE),
        ("true And nothing = 'x'", UNDEFINED),
        ("nothing = 'x' AND true", UNDEFINED),
        ("false AND nothing = 'x'", FALSE),
        ("nothing = 'x' AND false", FALSE),
        ("undefined and undefined", UNDEFINED),
        ("true OR nothing = 'x'", TRUE),
        ("nothing = 'x' or true", TRUE),
        ("false oR nothing = 'x'", UNDEFINED),
        ("nothing = 'x' OR other = 'y'", UNDEFINED),
        ("undefined or true", TRUE),
        ("NOT true", FALSE),
        ("not (true and false)", TRUE),
        ("NOT (nothing = 'x')", UNDEFINED),
        ("not null", TRUE),
        ("null or true", TRUE),
        ("null or false", FALSE),
        ("(null and true) = null", TRUE),
        ("(null and false) = null", TRUE),
        ("(null or null) = null", TRUE),
        # precedence
        ("true OR true AND false", TRUE),
        ("(true OR true) AND false", FALSE),
        ("1 + 2 * 3 = 7", TRUE),
        ("(1 + 2) * 3 = 9", TRUE),
        ("10 - 4 - 3 = 3", TRUE),
        ("16 / 4 / 2 = 2", TRUE),
        ("1 + 1 > 1 = true", TRUE),
        ("NOT false AND false", FALSE),
        ("- (3 + 4) = -7", TRUE),
        ("-1 < 0", TRUE),
        ("'a' || 'b' = 'ab'", TRUE),
        ("true AND 1 = 1 OR false", TRUE),
        # arithmetic
        ("3 / 4 = 0.75", TRUE),
        ("7 % 4 = 3", TRUE),
        ("- (7) % 4 = -3", TRUE),
        ("is_defined(3 % 0)", FALSE),
        ("is_defined(3 / 0)", TRUE),
        ("1 / 0 = 1e1000", TRUE),
        ("- (1) / 0 < 0", TRUE),
        ("is_defined(0 / 0)", FALSE),
        ("is_defined(1 + as_number(kind))", FALSE),
        ("as_number(temp) * 2 = 6", TRUE),
        # literals
        ("0x1F = 31", TRUE),
        ("0XfF = 255", TRUE),
        ("is_defined(0x10000000000000000)", FALSE),
        ("0xFFFFFFFFFFFFFFFF = -1", TRUE),
        (".5 = 0.5", TRUE),
        ("1.5e3 = 1500", TRUE),
        ("2E-1 = 0.2", TRUE),
        ("is_defined(e5)", FALSE),  # lexes as a real number and is none
        ("'it\\'s' = \"it's\"", TRUE),
        ("'a\\\\b' = 'a\\u005cb'", TRUE),
        ("'\\u0041' = 'A'", TRUE),
        ("length('\\uD83D\\uDE00') = 2", TRUE),
        # coalesce
        ("(nothing ?? 'x') = 'x'", TRUE),
        ("(kind ?? 'x') = 'alert'", TRUE),
        ("(nothing ?? other ?? 'x') = 'x'", TRUE),
        ("(as_number(kind) ?? 12.5) = 12.5", TRUE),
        ("(3 % 0 ?? 1) = 1", TRUE),
        ("undefined ?? undefined", UNDEFINED),
        ("nothing = 'x' ?? true", TRUE),
        # properties and their shadows
        ("$contentType = 'text/plain'", TRUE),
        ("$CONTENTTYPE = 'text/plain'", TRUE),
        ("{$contentType} = 'text/plain'", TRUE),
        ("{ $contentType } = 'text/plain'", TRUE),
        ("as_number($messageId) = 4", TRUE),
        ("$shadow = 'app'", TRUE),
        ("{$shadow} = 'system'", TRUE),
        ("is_defined($nothing)", FALSE),
        ("is_defined($correlationId)", FALSE),
        ("is_defined($odd[0])", FALSE),
        ("is_defined($body)", FALSE),
        ("is_defined(a-b)", FALSE),  # one name
        # functions on numbers
        ("abs(-3.5) = 3.5", TRUE),
        ("exp(0) = 1", TRUE),
        ("exp(1000) = 1/0", TRUE),
        ("exp(1000) = 1 / 0", TRUE),
        ("power(2, 10) = 1024", TRUE),
        ("power(0, -1) = 1 / 0", TRUE),
        ("is_defined(power(-8, 0.5))", FALSE),
        ("power(-10, 401) < 0", TRUE),
        ("square(-3) = 9", TRUE),
        ("ceiling(1.2) = 2", TRUE),
        ("ceiling(-1.2) = -1", TRUE),
        ("floor(1.8) = 1", TRUE),
        ("floor(1e1000) = 1e1000", TRUE),
        ("sign(-5) = -1", TRUE),
        ("sign(0) = 0", TRUE),
        ("sqrt(9) = 3", TRUE),
        ("is_defined(sqrt(-1))", FALSE),
        # as_number
        ("as_number('3') = 3", TRUE),
        ("AS_NUMBER(' -2.5 ') = -2.5", TRUE),
        ("as_number('1,234.5') = 1234.5", TRUE),
        ("as_number('(5)') = -5", TRUE),
        ("as_number('5-') = -5", TRUE),
        ("as_number('1e3') = 1000", TRUE),
        ("as_number('10e1000') = 10e1000", TRUE),
        ("as_number('Infinity') = 1e1000", TRUE),
        ("as_number(as_number(4)) = 4", TRUE),
        ("is_defined(as_number('1_000'))", FALSE),
        ("is_defined(as_number('0x10'))", FALSE),
        ("is_defined(as_number(''))", FALSE),
        ("is_defined(as_number('--5'))", FALSE),
        ("is_defined(as_number('NaN'))", FALSE),
        # type tests
        ("is_bool(true)", TRUE),
        ("is_bool('true')", FALSE),
        ("is_bool(nothing)", FALSE),
        ("is_bool(undefined)", FALSE),
        ("is_number(1.5)", TRUE),
        ("is_number(1 / 0)", FALSE),
        ("is_number(as_number(kind))", FALSE),
        ("is_number('1')", FALSE),
        ("is_string(kind)", TRUE),
        ("is_string(nothing)", FALSE),
        ("is_string(1)", FALSE),
        ("is_string('a' || 'b')", TRUE),
        ("is_null(null)", TRUE),
        ("is_null(kind)", FALSE),
        ("is_null(nothing)", FALSE),
        ("is_null(1)", FALSE),
        ("is_defined(null)", TRUE),
        ("is_defined(undefined)", FALSE),
        ("Is_Defined(kind)", TRUE),
        # functions on strings
        ("concat('a', kind, 'b') = 'aalertb'", TRUE),
        ("'a' || kind || 'b' = 'aalertb'", TRUE),
        ("is_defined(concat('a', nothing))", FALSE),
        ("length('') = 0", TRUE),
        ("length(emoji) = 4", TRUE),
        ("lower(Upper) = 'hello'", TRUE),
        ("upper('straße') = 'STRAßE'", TRUE),
        ("substring('hello', 2) = 'llo'", TRUE),
        ("substring('hello', 5) = ''", TRUE),
        ("is_defined(substring('hello', 6))", FALSE),
        ("is_defined(substring('hello', -1))", FALSE),
        ("substring('hello', 1, 3) = 'ell'", TRUE),
        ("substring('hello', 1.9, 3) = 'ell'", TRUE),
        ("is_defined(substring('hello', 1, 5))", FALSE),
        ("is_defined(substring('hello', 5, 0))", FALSE),
        ("substring(emoji, 3) = 'b'", TRUE),
        ("index_of('hello', 'l') = 2", TRUE),
        ("index_of('hello', 'x') = -1", TRUE),
        ("index_of(emoji, 'b') = 3", TRUE),
        ("starts_with(kind, 'al')", TRUE),
        ("starts_with(kind, 'AL')", FALSE),
        ("ends_with(kind, 'rt')", TRUE),
        ("contains(kind, 'ler')", TRUE),
        ("contains(nothing, 'x')", UNDEFINED),
    ],
)
def test_a_condition_is_true_false_or_undefined(condition: str, expected: Any) -> None:
    assert result(condition) is expected


@pytest.mark.parametrize(
    ("condition", "column", "reason"),
    [
        ("temp > 50", 27, "as_number"),
        ("50 > temp", 25, "as_number"),
        ("kind = 3", 27, "takes string on both sides, not string and number"),
        ("kind = true", 27, "takes string on both sides"),
        ("kind = null", 27, "takes string on both sides"),
        ("null = 1", 27, "takes null on both sides"),
        ("undefined = 3", 32, "takes undefined on both sides"),
        ("3 = undefined", 24, "takes number on both sides"),
        ("true + 3 = 1", 27, "takes number on both sides"),
        ("3 - null = 1", 24, "takes number on both sides"),
        ("'a' * 'b' = 1", 26, "takes number on both sides"),
        ("3 / undefined = 1", 24, "takes number on both sides"),
        ("3 % kind = 1", 24, "as_number"),
        ("'a' || 3 = 'a3'", 26, "takes string on both sides"),
        ("'a' || null = 'a'", 26, "takes string on both sides"),
        ("- (kind) = 3", 22, "takes a number"),
        ("NOT kind = 'x'", 22, "binds tighter"),
        ("not undefined", 22, "takes a bool"),
        ("not 3", 22, "takes a bool"),
        ("kind and true", 27, "takes bools, not string and bool"),
        ("true or kind", 27, "takes bools"),
        ("1 AND true", 24, "takes bools"),
        ("null and undefined", 27, "takes bools"),
        ("null and $body.x", 27, "left side only"),
        ("(kind ?? 3) = 'x'", 28, "takes string on both sides"),
        ("(3 ?? kind) = 3", 25, "takes number on both sides"),
        ("kind ?? 'a' = 'b'", 27, "takes string on both sides"),
        ("undefined ?? 'a' = 'b'", 32, "takes undefined on both sides"),
        ("nosuch(3)", 22, "does not exist"),
        ("twin_change_includes(a)", 22, "cloud only"),
        ("length(3) = 1", 22, r"takes \(string\), not \(number\)"),
        ("length(null) = 1", 22, "takes"),
        ("length() = 1", 22, "takes"),
        ("lower(true) = 'x'", 22, "takes"),
        ("upper(undefined) = 'x'", 22, "takes"),
        ("concat('a') = 'a'", 22, r"\(string, string, \.\.\.\)"),
        ("concat('a', 3) = 'a'", 22, "takes"),
        ("substring('a') = 'a'", 22, r"\(string, number\) or \(string, number, number\)"),
        ("substring('a', 'b') = 'a'", 22, r"not \(string, string\)"),
        ("index_of('a', 3) = 1", 22, "takes"),
        ("starts_with(3, 'a')", 22, "takes"),
        ("ends_with('a', null)", 22, "takes"),
        ("contains('a', 'b', 'c')", 22, "takes"),
        ("abs(kind) = 3", 22, "takes"),
        ("abs(true) = 3", 22, "takes"),
        ("power(2) = 4", 22, "takes"),
        ("sqrt(1, 2) = 1", 22, "takes"),
        ("as_number(true) = 1", 22, "takes"),
        ("as_number(undefined) = 1", 22, "takes"),
        ("is_defined() = true", 22, "takes"),
        ("is_number(1, 2)", 22, "takes"),
    ],
)
def test_what_can_never_be_compared_is_refused_when_compiled(condition: str, column: int, reason: str) -> None:
    with pytest.raises(RouteRefusedError, match=reason) as refusal:
        compile_route(f"FROM /messages WHERE {condition} INTO $upstream")
    assert refusal.value.column == column
