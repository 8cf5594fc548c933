"""A subset of IoT Hub's query language over twins: parsed once, evaluated on plain JSON. Pure. Decision 0086.

    query     := SELECT [ TOP n ] ( * | item {, item} ) FROM ( devices | devices.modules ) [ WHERE or ]
    item      := ( path | COUNT() ) [ AS name ]
    or        := and { OR and }         and := not { AND not }        not := [ NOT ] primary
    primary   := ( or ) | IS_DEFINED( path ) | STARTSWITH( operand , operand )
               | operand [ NOT ] IN [ operand {, operand} ] | operand ( = | != | <> | < | <= | > | >= ) operand
    operand   := path | 'text' | "text" | number | true | false | null

Not here: GROUP BY, jobs, arrays, arithmetic, the other functions. What does not parse is refused with its column.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

import msgspec

from vigie_edgehub.ports import HubRefusalError, JsonObject

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_$][\w$-]*(?:\.[A-Za-z_$][\w$-]*)*)|(?P<sign><>|!=|<=|>=|[=<>(),*\[\]]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SOURCES: dict[str, Literal["devices", "devices.modules"]] = {
    "devices": "devices",
    "devices.modules": "devices.modules",
}
_CONSTANTS = {"true": True, "false": False, "null": None}
_MAX_TEXT = 8192
_MAX_DEPTH = 50
_MAX_TOP = 1_000_000
_MISSING = object()  # "undefined" of the language: no comparison with it holds

T = TypeVar("T")
Value = Callable[[JsonObject], Any]
Condition = Callable[[JsonObject], bool]


class Column(msgspec.Struct, frozen=True):
    """``path`` None counts."""

    name: str
    path: tuple[str, ...] | None


class Query(msgspec.Struct, frozen=True):
    """``columns`` empty: the whole twin."""

    source: Literal["devices", "devices.modules"]
    columns: tuple[Column, ...]
    matches: Condition
    top: int | None = None

    def run(self, twins: Iterable[JsonObject]) -> list[JsonObject]:
        found = [twin for twin in twins if self.matches(twin)][: self.top]
        if not self.columns:
            return found
        if any(column.path is None for column in self.columns):
            return [{column.name: len(found) for column in self.columns}]
        return [
            {c.name: value for c in self.columns if (value := _look_up(twin, c.path or ())) is not _MISSING}
            for twin in found
        ]

    @property
    def item_type(self) -> str:
        """What ``x-ms-item-type`` says."""
        return "raw" if self.columns else "twin"


class QueryRefusedError(HubRefusalError):
    """The text is outside the subset; the message has the column and what was expected."""


def parse_query(text: str) -> Query:
    """Raises: QueryRefusedError."""
    if len(text) > _MAX_TEXT:
        raise QueryRefusedError(f"the query is longer than {_MAX_TEXT} characters")
    return _Parser(text).query()


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def query(self) -> Query:
        self._expect("SELECT")
        top = self._top()
        columns = () if self._take("*") else self._columns()
        self._expect("FROM")
        token = self._advance()
        source = _SOURCES.get(token.text.lower())
        if source is None:
            raise _expected(token, "devices or devices.modules")
        matches = self._or() if self._take("WHERE") else _everything
        if self._peek().kind != "end":
            raise _expected(self._peek(), "WHERE or the end" if matches is _everything else "AND, OR or the end")
        return Query(source, columns, matches, top)

    def _top(self) -> int | None:
        following = self._peek(1)
        if self._peek().text.upper() != "TOP" or following.kind != "number":
            return None
        self._next += 2
        if not following.text.isdecimal() or not 1 <= int(following.text) <= _MAX_TOP:
            raise _expected(following, f"a whole number in 1..{_MAX_TOP}")
        return int(following.text)

    def _columns(self) -> tuple[Column, ...]:
        columns = self._joined(",", self._column)
        counting = sum(column.path is None for column in columns)
        if counting and len(columns) > 1:
            raise QueryRefusedError("COUNT() stands alone here; GROUP BY is not emulated")
        return tuple(columns)

    def _column(self) -> Column:
        token = self._advance("a path, COUNT() or *")
        if token.kind != "word":
            raise _expected(token, "a path, COUNT() or *")
        path: tuple[str, ...] | None = tuple(token.text.split("."))
        name = token.text.rsplit(".", 1)[-1]
        if token.text.upper() == "COUNT" and self._take("("):
            self._expect(")")
            path, name = None, "count"
        if self._take("AS"):
            name = self._advance("a name").text
        return Column(name, path)

    def _or(self) -> Condition:
        parts = self._joined("OR", lambda: self._joined("AND", self._not))
        return lambda twin: any(all(part(twin) for part in both) for both in parts)

    def _joined(self, word: str, part: Callable[[], T]) -> list[T]:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts

    def _not(self) -> Condition:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise QueryRefusedError(f"the condition nests deeper than {_MAX_DEPTH}")
        try:
            if self._take("NOT"):
                inner = self._not()
                return lambda twin: not inner(twin)
            return self._primary()
        finally:
            self._depth -= 1

    def _primary(self) -> Condition:
        if self._take("("):
            inner = self._or()
            self._expect(")")
            return inner
        if self._calls("IS_DEFINED"):
            path = self._path()
            self._expect(")")
            return lambda twin: _look_up(twin, path) is not _MISSING
        if self._calls("STARTSWITH"):
            whole = self._operand()
            self._expect(",")
            start = self._operand()
            self._expect(")")
            return lambda twin: _starts_with(whole(twin), start(twin))
        left = self._operand()
        negated = self._take("NOT")
        if negated or self._peek().text.upper() == "IN":
            self._expect("IN")
            return self._one_of(left, negated=negated)
        sign = self._advance("a comparison or IN")
        if sign.text not in _COMPARE:
            raise _expected(sign, "a comparison or IN")
        right = self._operand()
        return lambda twin: _compare(sign.text, left(twin), right(twin))

    def _one_of(self, left: Value, *, negated: bool) -> Condition:
        self._expect("[")
        choices = self._joined(",", self._operand)
        self._expect("]")
        return lambda twin: any(_compare("=", left(twin), c(twin)) for c in choices) is not negated

    def _operand(self) -> Value:
        token = self._advance("a path or a value")
        if token.kind == "text":
            text = re.sub(r"\\(.)", r"\1", token.text[1:-1])
            return lambda _: text
        if token.kind == "number":
            number = float(token.text) if re.search(r"[.eE]", token.text) else int(token.text)
            return lambda _: number
        if token.kind != "word":
            raise _expected(token, "a path or a value")
        if token.text.lower() in _CONSTANTS:
            constant = _CONSTANTS[token.text.lower()]
            return lambda _: constant
        path = tuple(token.text.split("."))
        return lambda twin: _look_up(twin, path)

    def _path(self) -> tuple[str, ...]:
        token = self._advance("a path")
        if token.kind != "word":
            raise _expected(token, "a path")
        return tuple(token.text.split("."))

    def _calls(self, name: str) -> bool:
        if self._peek().text.upper() == name and self._peek(1).text == "(":
            self._next += 2
            return True
        return False

    def _peek(self, further: int = 0) -> _Token:
        return self._tokens[min(self._next + further, len(self._tokens) - 1)]

    def _advance(self, wanted: str = "more") -> _Token:
        token = self._peek()
        if token.kind == "end":
            raise _expected(token, wanted)
        self._next += 1
        return token

    def _take(self, word: str) -> bool:
        token = self._peek()
        if token.kind in {"word", "sign"} and token.text.upper() == word:
            self._next += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise _expected(self._peek(), word)


def _tokens(text: str) -> Iterable[_Token]:
    at = 0
    while rest := text[at:].lstrip():
        start = len(text) - len(rest)
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise QueryRefusedError(f"query, column {start + 1}: {rest[0]!r} has no meaning here")
        yield _Token(match.lastgroup, match.group(match.lastgroup), start)
        at = match.end()
    yield _Token("end", "", len(text))


def _expected(token: _Token, wanted: str) -> QueryRefusedError:
    found = "the end" if token.kind == "end" else f"'{token.text}'"
    return QueryRefusedError(f"query, column {token.at + 1}: expected {wanted}, found {found}")


def _look_up(twin: JsonObject, path: tuple[str, ...]) -> Any:
    value: Any = twin
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _compare(sign: str, left: Any, right: Any) -> bool:
    if left is _MISSING or right is _MISSING:
        return False
    if _kind(left) != _kind(right):
        return sign in {"!=", "<>"}
    if sign not in {"=", "!=", "<>"} and _kind(left) not in {"number", "text"}:
        return False
    return _COMPARE[sign](left, right)


def _kind(value: Any) -> str:
    return {type(None): "null", bool: "bool", int: "number", float: "number", str: "text"}.get(type(value), "tree")


def _starts_with(whole: Any, start: Any) -> bool:
    return isinstance(whole, str) and isinstance(start, str) and whole.startswith(start)


def _everything(_: JsonObject) -> bool:
    return True
