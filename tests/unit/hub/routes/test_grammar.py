from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie_edgehub.errors import RouteRefusedError
from vigie_edgehub.routes.message import RoutedMessage, module_source
from vigie_edgehub.routes.parser import MAX_DEPTH, MAX_ROUTE_CHARS, parse_route
from vigie_edgehub.routes.table import ModuleInput, Upstream, compile_route

IN = 'BrokeredEndpoint("/modules/logic/inputs/in")'


@pytest.mark.parametrize(
    ("route", "source", "condition", "endpoint"),
    [
        (f"FROM /* INTO {IN}", "/*", None, ModuleInput("logic", "in")),
        ("SELECT * FROM /* INTO $upstream", "/*", None, Upstream()),
        ("select * from /* into $UPSTREAM", "/*", None, Upstream()),
        ("FROM /* INTO brokeredendpoint('/modules/logic/inputs/in')", "/*", None, ModuleInput("logic", "in")),
        ("FROM /* INTO BrokeredEndpoint(' modules/logic/inputs/in/ ')", "/*", None, ModuleInput("logic", "in")),
        ("FROM /* INTO BrokeredEndpoint('/a/b/c/d')", "/*", None, ModuleInput("b", "d")),
        ("FROM /* INTO BrokeredEndpoint('/modules/lo\"gic/inputs/in')", "/*", None, ModuleInput('lo"gic', "in")),
        ('FROM /* INTO BrokeredEndpoint("/modules/lo\'gic/inputs/in")', "/*", None, ModuleInput("lo'gic", "in")),
        ("\n FROM\t/messages/ modules /cam\r\nINTO $upstream ", "/messages/modules/cam", None, Upstream()),
        (
            f"  FROM /messages/modules/cam/outputs/o WHERE  kind = 'alert' AND (t = 'a' OR p = \"b\")  INTO {IN}  ",
            "/messages/modules/cam/outputs/o",
            "kind = 'alert' AND (t = 'a' OR p = \"b\")",
            ModuleInput("logic", "in"),
        ),
        ("FROM /messages /* all of it */ INTO /* cloud */ $upstream", "/messages", None, Upstream()),
        ("FROM /a-b.c_d+e/x#y INTO $upstream", "/a-b.c_d+e/x#y", None, Upstream()),
    ],
)
def test_a_route_is_read(route: str, source: str, condition: str | None, endpoint: ModuleInput | Upstream) -> None:
    parsed = parse_route(route)
    assert (parsed.source, parsed.condition_text) == (source, condition)
    assert parsed.trailing is None
    assert compile_route(route).endpoint == endpoint


ADAPTER = '"/modules/logic/inputs/in"'


@pytest.mark.parametrize(
    ("route", "column", "expected"),
    [
        (f"FORM /messages/modules/adapter INTO BrokeredEndpoint({ADAPTER})", 1, "expected FROM"),
        (f"SELECT FROM /messages INTO BrokeredEndpoint({ADAPTER})", 8, r"expected '\*' after SELECT"),
        (f"FROM INTO BrokeredEndpoint({ADAPTER})", 6, "expected a source"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/logic/inputs/in')", 31, "without its closing quote"),
        ("FROM /* INTO BrokeredEndpoint('/modules/logic/inputs/in\")", 31, "without its closing quote"),
        ('FROM /* INTO BrokeredEndpoint(""/modules/logic/inputs/in"")', 33, r"expected '\)'"),
        ("FROM /* INTO BrokeredEndpoint(''/modules/logic/inputs/in'')", 33, r"expected '\)'"),
        ("FROM /* INTO BrokeredEndpoint('\"/modules/logic/inputs/in'\")", 58, r"expected '\)'"),
        ("FROM /* INTO BrokeredEndpoint(\"'/modules/logic/inputs/in\"')", 58, r"expected '\)'"),
        (f"FROM /messages WHERE temp == 100 INTO BrokeredEndpoint({ADAPTER})", 28, "single '='"),
        (f"FROM /messages WHERE INTO BrokeredEndpoint({ADAPTER})", 22, "expected a property"),
        ("FROM /messages WHERE temp = 'high' INTO", 40, r"expected \$upstream"),
        (f"FROM /messages INTO BrokeredEndpoint({ADAPTER}", 64, r"expected '\)'"),
        ('FROM /messages INTO BrokeredEndpoint("/modules/logic/inputs/in)', 38, "without its closing quote"),
        (f"FROM /messages INTO BrokeredEndpoint {ADAPTER})", 38, r"expected '\('"),
        ('FROM /messages INTO BrokeredEndpoint(/modules/logic/inputs/in")', 38, "address in quotes"),
        (f"FROM /messages INTO {ADAPTER}", 21, r"expected \$upstream"),
        ("FROM /messages INTO /modules/logic/inputs/in", 21, r"expected \$upstream"),
        ("FROM /messages INTO upstream", 21, r"without its '\$'"),
        ("", 1, "expected FROM"),
        ("FROM / INTO $upstream", 8, "path item"),
        ("FROM /messages/ INTO $upstream", 17, "path item"),
        ("FROM /messages/modules/$edgeHub INTO $upstream", 24, "path item"),
        ("FROM /messages/modules/12 INTO $upstream", 24, "path item"),
        ("FROM /messages/modules/and INTO $upstream", 24, "path item"),
        ("FROM /messages/modules/e5 INTO $upstream", 24, "path item"),
        ("FROM /messages INTO $downstream", 21, "does not exist"),
        (f"FROM /messages INTO OtherEndpoint({ADAPTER})", 21, "does not exist"),
        ("FROM /messages INTO BrokeredEndpoint('/modules/mod1')", 38, r"2 part\(s\)"),
        ("FROM /messages INTO BrokeredEndpoint('mod1, in1')", 38, r"1 part\(s\)"),
        ("FROM /messages INTO BrokeredEndpoint('/modules///logic/inputs/in')", 38, r"6 part\(s\)"),
        ("FROM /messages INTO BrokeredEndpoint('//modules/logic/inputs/in')", 38, r"5 part\(s\)"),
        ("FROM /messages INTO BrokeredEndpoint('/modules/logic/inputs/in//')", 38, r"5 part\(s\)"),
        ("FROM /messages WHERE (a = 'b' INTO $upstream", 31, "of column 22"),
        ("FROM /messages WHERE a = 'b') INTO $upstream", 29, "operator or INTO"),
        ("FROM /messages WHERE length(a INTO $upstream", 31, r"length\(\.\.\.\)"),
        ("FROM /messages WHERE 3 -4 = 1 INTO $upstream", 24, "leave a blank after '-'"),
        ("FROM /messages WHERE a = 'it INTO $upstream", 26, "without its closing quote"),
        ("FROM /messages WHERE {a} = 'b' INTO $upstream", 23, r"\$name inside the braces"),
        ("FROM /messages WHERE a ; b INTO $upstream", 24, "';'"),
        ("FROM /messages/* INTO $upstream /* all */", 42, "is a comment"),
    ],
)
def test_a_bad_route_is_refused_at_the_column_with_what_was_expected(route: str, column: int, expected: str) -> None:
    with pytest.raises(RouteRefusedError, match=expected) as refusal:
        compile_route(route)
    assert refusal.value.column == column
    assert refusal.value.route == route


@pytest.mark.parametrize("rest", ["WHERE a = 'b'", "; drop", "'", ")", "INTO $upstream", "\x00"])
def test_what_stands_behind_the_endpoint_is_kept_aside_as_the_real_hub_ignores_it(rest: str) -> None:
    parsed = parse_route(f"FROM /messages INTO $upstream {rest}")
    assert parsed.trailing is not None
    assert parsed.trailing.at == 30


def test_a_long_and_is_not_a_deep_one() -> None:
    terms = " AND ".join(["kind = 'x'"] * 1_500)
    route = compile_route(f"FROM /messages WHERE {terms} INTO $upstream")
    assert route.matches(RoutedMessage(module_source("m"), {"kind": "x"}, {}, b""))


@pytest.mark.parametrize(
    "condition",
    ["(" * 5_000, "NOT " * 5_000, "- " * 5_000, "abs(" * 5_000, "1 + " * 5_000 + "1 = 1", "a || " * 5_000 + "a = 'x'"],
    ids=["parentheses", "not", "minus", "calls", "sums", "concatenations"],
)
def test_a_hostile_condition_is_refused_not_a_crash(condition: str) -> None:
    with pytest.raises(RouteRefusedError):
        compile_route(f"FROM /messages WHERE {condition} INTO $upstream")


def test_nesting_up_to_the_bound_works_at_every_precedence() -> None:
    opening = "true OR true AND 1 = 1 AND ("
    condition = opening * (MAX_DEPTH - 2) + "true" + ")" * (MAX_DEPTH - 2)
    route = compile_route(f"FROM /messages WHERE {condition} INTO $upstream")
    assert route.matches(RoutedMessage("/messages", {}, {}, b""))


def test_a_route_longer_than_any_twin_can_hold_is_refused() -> None:
    with pytest.raises(RouteRefusedError, match="characters"):
        compile_route("FROM /messages INTO $upstream" + " " * MAX_ROUTE_CHARS)


WORDS = """
SELECT * FROM / WHERE INTO $upstream BrokeredEndpoint ( ) , + - / % || ?? = <> != < <= > >= and OR not true false null
undefined { } $body.a[0].b $contentType a key1 'text' "text" 3 0x1F 1.5e3 -2 /* */ as_number length substring concat
is_defined is_null /messages /modules/m ' " \\ ; @ [ ] 日
"""
words = st.sampled_from(WORDS.split())
MESSAGE = RoutedMessage(
    "/messages",
    {"a": "5", "key1": "x"},
    {"contentType": "application/json", "contentEncoding": "utf-8"},
    b'{"a":[{"b":5}]}',
)


def read_and_run(route: str) -> None:
    try:
        compiled = compile_route(route)
    except RouteRefusedError as refusal:
        compiled, column = None, refusal.column
    if compiled is None:
        assert 1 <= column <= len(route) + 1
    else:
        compiled.matches(MESSAGE)


@settings(max_examples=400)
@given(st.text(max_size=300))
def test_any_text_is_a_route_or_a_refusal(text: str) -> None:
    read_and_run(text)


@settings(max_examples=600)
@given(st.lists(words, max_size=25).map(" ".join))
def test_any_words_of_the_language_are_a_condition_or_a_refusal(condition: Any) -> None:
    read_and_run(f"FROM /messages WHERE {condition} INTO $upstream")


@settings(max_examples=300)
@given(st.lists(words, max_size=20).map("".join))
def test_any_words_without_blanks_are_a_route_or_a_refusal(route: Any) -> None:
    read_and_run(route)
