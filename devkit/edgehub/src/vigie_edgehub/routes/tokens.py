"""Routes as tokens, by edgeHub's own lexical rules: at each place the longest match, of equals the first rule.

Two consequences surprise people and are kept, because the real hub has them: a name may hold most
operator characters (``temp-3`` and ``key1!`` are names), and ``/*`` opens a comment wherever a ``*/``
follows later, also inside a source path.
Source: edgeHub, GrammarLexer.g4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class TokenKind(StrEnum):
    """What a token is; the value is how an error message names it."""

    SELECT = "SELECT"
    FROM = "FROM"
    WHERE = "WHERE"
    INTO = "INTO"
    STRING = "a string"
    UNTERMINATED = "a string without its closing quote"
    INTEGER = "a number"
    HEX = "a hexadecimal number"
    REAL = "a real number"
    TRUE = "true"
    FALSE = "false"
    NULL = "null"
    UNDEFINED = "undefined"
    OPEN = "'('"
    CLOSE = "')'"
    COMMA = "','"
    PLUS = "'+'"
    MINUS = "'-'"
    STAR = "'*'"
    SLASH = "'/'"
    PERCENT = "'%'"
    AND = "AND"
    OR = "OR"
    NOT = "NOT"
    EQ = "'='"
    NE = "'!='"
    LE = "'<='"
    GE = "'>='"
    GT = "'>'"
    LT = "'<'"
    CONCAT = "'||'"
    COALESCE = "'??'"
    SYSTEM = "a $name"
    NAME = "a name"
    PATH = "a name with brackets"
    OPEN_BRACE = "'{'"
    CLOSE_BRACE = "'}'"
    UNKNOWN = "a character that means nothing here"
    END = "the end of the route"


@dataclass(frozen=True, slots=True)
class Token:
    """``at`` is the offset of its first character in the route, from 0."""

    kind: TokenKind
    text: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


_NOT_IN_PATH = r"""()<>@,;:\\"/?={} \t\n\r"""
_RULES: tuple[tuple[TokenKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        (TokenKind.SELECT, r"(?i:select)"),
        (TokenKind.FROM, r"(?i:from)"),
        (TokenKind.WHERE, r"(?i:where)"),
        (TokenKind.INTO, r"(?i:into)"),
        (
            TokenKind.STRING,
            r'"(?:\\(?:["\'\\]|u[0-9a-fA-F]{4})|[^"\\])*"' + r"|'(?:\\(?:[\"'\\]|u[0-9a-fA-F]{4})|[^'\\])*'",
        ),
        (
            TokenKind.UNTERMINATED,
            r'"(?:\\(?:["\'\\]|u[0-9a-fA-F]{4})|[^"\\])*' + r"|'(?:\\(?:[\"'\\]|u[0-9a-fA-F]{4})|[^'\\])*",
        ),
        (TokenKind.INTEGER, r"-?[0-9]+"),
        (TokenKind.HEX, r"0[Xx][0-9a-fA-F]+"),
        (TokenKind.REAL, r"-?[0-9]*(?:\.[0-9]+(?:[Ee][+\-]?[0-9]+)?|[Ee][+\-]?[0-9]+)"),
        (TokenKind.TRUE, r"true"),
        (TokenKind.FALSE, r"false"),
        (TokenKind.NULL, r"null"),
        (TokenKind.UNDEFINED, r"undefined"),
        (TokenKind.OPEN, r"\("),
        (TokenKind.CLOSE, r"\)"),
        (TokenKind.COMMA, r","),
        (TokenKind.PLUS, r"\+"),
        (TokenKind.MINUS, r"-"),
        (TokenKind.STAR, r"\*"),
        (TokenKind.SLASH, r"/"),
        (TokenKind.PERCENT, r"%"),
        (TokenKind.AND, r"(?i:and)"),
        (TokenKind.OR, r"(?i:or)"),
        (TokenKind.NOT, r"(?i:not)"),
        (TokenKind.EQ, r"="),
        (TokenKind.NE, r"!=|<>"),
        (TokenKind.LE, r"<="),
        (TokenKind.GE, r">="),
        (TokenKind.GT, r">"),
        (TokenKind.LT, r"<"),
        (TokenKind.CONCAT, r"\|\|"),
        (TokenKind.COALESCE, r"\?\?"),
        (TokenKind.SYSTEM, rf"\$[^{_NOT_IN_PATH}]+"),
        (TokenKind.NAME, rf"[^\[\]{_NOT_IN_PATH}]+"),
        (TokenKind.PATH, rf"[^{_NOT_IN_PATH}]+"),
        (TokenKind.OPEN_BRACE, r"\{"),
        (TokenKind.CLOSE_BRACE, r"\}"),
        (TokenKind.UNKNOWN, r"."),
    )
)
_BLANK = " \t\r\n"


class Lexer:
    """Tokens of one route on demand, so that what follows the last one needed is not judged."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.comments: list[Token] = []
        """What was skipped as comments so far."""

    def __iter__(self) -> Iterator[Token]:
        while (token := self.next()).kind is not TokenKind.END:
            yield token

    def next(self) -> Token:
        text = self._text
        while self._at < len(text):
            at = self._at
            if text[at] in _BLANK:
                self._at += 1
                continue
            if text.startswith("/*", at) and (close := text.find("*/", at + 2)) >= 0:
                self.comments.append(Token(TokenKind.UNKNOWN, text[at : close + 2], at))
                self._at = close + 2
                continue
            best, end = TokenKind.UNKNOWN, at
            for kind, pattern in _RULES:
                found = pattern.match(text, at)
                if found is not None and found.end() > end:
                    best, end = kind, found.end()
            self._at = end
            return Token(best, text[at:end], at)
        return Token(TokenKind.END, "", len(text))
