"""Tokens to `ParsedRoute`: recursive descent with one token of look-ahead and a bound on nesting.

    route     := [SELECT *] FROM source [WHERE condition] INTO endpoint
    source    := ("/" ("*" | name))+
    endpoint  := $upstream | BrokeredEndpoint(string)

What stands behind the endpoint is kept aside, not parsed: the real hub stops there too.
Source: edgeHub, Route.g4, Condition.g4, EndpointFactory.cs.
"""

from __future__ import annotations

from vigie_edgehub.errors import RouteRefusedError
from vigie_edgehub.routes.syntax import (
    PRECEDENCE,
    Address,
    Chain,
    FunctionCall,
    Literal,
    Node,
    ParsedRoute,
    Property,
    SystemProperty,
    Unary,
)
from vigie_edgehub.routes.tokens import Lexer, Token, TokenKind

MAX_ROUTE_CHARS = 32_768
"""Eight times what a twin's string value may hold; the lexer's worst case is quadratic in this."""
MAX_DEPTH = 32
"""Parentheses, arguments and unary operators inside one another."""

_LITERALS = frozenset(
    {
        TokenKind.STRING,
        TokenKind.INTEGER,
        TokenKind.HEX,
        TokenKind.REAL,
        TokenKind.TRUE,
        TokenKind.FALSE,
        TokenKind.NULL,
        TokenKind.UNDEFINED,
    }
)


def parse_route(text: str) -> ParsedRoute:
    """Parse ``text`` without compiling its condition. Raises: RouteRefusedError."""
    if len(text) > MAX_ROUTE_CHARS:
        raise RouteRefusedError(
            text, MAX_ROUTE_CHARS, f"a route of {len(text)} characters; this hub reads {MAX_ROUTE_CHARS}"
        )
    return _Parser(text).route()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lexer = Lexer(text)
        self._token = self._lexer.next()
        self._end = 0  # of the token before this one
        self._depth = 0

    def route(self) -> ParsedRoute:
        if self._token.kind is TokenKind.SELECT:
            self._take()
            self._expect(TokenKind.STAR, "'*' after SELECT; edgeHub routes whole messages")
        self._expect(TokenKind.FROM, "FROM")
        source = self._source()
        condition, condition_text = None, None
        if self._token.kind is TokenKind.WHERE:
            self._take()
            start = self._token.at
            condition = self._expression(0)
            condition_text = self._text[start : self._end]
        self._expect(TokenKind.INTO, "an operator or INTO" if condition else "WHERE or INTO")
        address = self._address()
        trailing = None if self._token.kind is TokenKind.END else self._token
        return ParsedRoute(
            source="".join(token.text for token in source),
            source_tokens=source,
            condition=condition,
            condition_text=condition_text,
            address=address,
            trailing=trailing,
            comments=tuple(self._lexer.comments),
        )

    def _source(self) -> tuple[Token, ...]:
        tokens = [self._expect(TokenKind.SLASH, "a source such as /messages/modules/camera/outputs/frames")]
        while True:
            if not self._at(TokenKind.STAR, TokenKind.NAME):
                raise self._unexpected("a path item (a name or '*') after '/'")
            tokens.append(self._take())
            if not self._at(TokenKind.SLASH):
                return tuple(tokens)
            tokens.append(self._take())

    def _address(self) -> Address:
        token = self._token
        if token.kind is TokenKind.SYSTEM:
            self._take()
            if token.text.lower() != "$upstream":
                raise RouteRefusedError(
                    self._text, token.at, f"endpoint {token.text!r} does not exist; expected $upstream"
                )
            return Address(token, None)
        if token.kind is not TokenKind.NAME:
            raise self._unexpected('$upstream or BrokeredEndpoint("/modules/{module}/inputs/{input}")')
        if token.text.lower() == "upstream":
            raise RouteRefusedError(self._text, token.at, "expected $upstream, found 'upstream' without its '$'")
        self._take()
        self._expect(TokenKind.OPEN, f"'(' after {token.text}")
        address = self._expect(TokenKind.STRING, 'the address in quotes, such as "/modules/sync/inputs/detections"')
        self._expect(TokenKind.CLOSE, "')' after the address")
        if token.text.lower() != "brokeredendpoint":
            raise RouteRefusedError(
                self._text, token.at, f"endpoint {token.text!r} does not exist; expected BrokeredEndpoint"
            )
        path = address.text[1:-1].strip()
        parts = tuple(path.removeprefix("/").removesuffix("/").split("/"))
        if len(parts) != 4:
            raise RouteRefusedError(
                self._text,
                address.at,
                f"address {address.text} has {len(parts)} part(s); expected /modules/{{module}}/inputs/{{input}}",
            )
        return Address(address, token, parts)

    def _expression(self, loosest: int) -> Node:
        left = self._operand()
        while True:
            level = PRECEDENCE.get(self._token.kind, -1)
            if level < loosest:
                return left
            rest: list[tuple[Token, Node]] = []
            while PRECEDENCE.get(self._token.kind, -1) == level:
                operator = self._take()
                rest.append((operator, self._expression(level + 1)))
            left = Chain(left, tuple(rest))

    def _operand(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RouteRefusedError(self._text, self._token.at, f"nested more than {MAX_DEPTH} deep")
        node = self._primary()
        self._depth -= 1
        return node

    def _primary(self) -> Node:
        token = self._token
        if token.kind in {TokenKind.MINUS, TokenKind.NOT}:
            self._take()
            return Unary(token, self._operand())
        if token.kind is TokenKind.OPEN:
            self._take()
            inner = self._expression(0)
            self._expect(TokenKind.CLOSE, f"an operator or the ')' of column {token.at + 1}")
            return inner
        if token.kind is TokenKind.OPEN_BRACE:
            self._take()
            name = self._expect(TokenKind.SYSTEM, "a $name inside the braces")
            self._expect(TokenKind.CLOSE_BRACE, "'}'")
            return SystemProperty(name, forced=True)
        if token.kind in _LITERALS:
            return Literal(self._take())
        if token.kind is TokenKind.SYSTEM:
            return SystemProperty(self._take(), forced=False)
        if token.kind is TokenKind.NAME:
            self._take()
            return self._call(token) if self._token.kind is TokenKind.OPEN else Property(token)
        raise self._unexpected("a property, a $name, a literal, a function or '('")

    def _call(self, function: Token) -> FunctionCall:
        self._take()
        arguments: list[Node] = []
        if self._token.kind is not TokenKind.CLOSE:
            arguments.append(self._expression(0))
            while self._token.kind is TokenKind.COMMA:
                self._take()
                arguments.append(self._expression(0))
        self._expect(TokenKind.CLOSE, f"',' or the ')' of {function.text}(...)")
        return FunctionCall(function, tuple(arguments))

    def _at(self, *kinds: TokenKind) -> bool:
        return self._token.kind in kinds

    def _take(self) -> Token:
        token = self._token
        self._end = token.end
        self._token = self._lexer.next()
        return token

    def _expect(self, kind: TokenKind, what: str) -> Token:
        if self._token.kind is not kind:
            raise self._unexpected(what)
        return self._take()

    def _unexpected(self, expected: str) -> RouteRefusedError:
        token = self._token
        found = str(token.kind)
        if token.kind is not TokenKind.END and found.strip("'") != token.text:
            found = f"{found} {_short(token.text)}" if token.kind is not TokenKind.UNKNOWN else repr(token.text)
        hint = ""
        if token.kind in {TokenKind.INTEGER, TokenKind.REAL} and token.text.startswith("-"):
            hint = "; to subtract, leave a blank after '-'"
        elif token.kind is TokenKind.EQ:
            hint = "; equality is a single '='"
        elif self._lexer.comments and token.at >= self._lexer.comments[-1].at:
            comment = self._lexer.comments[-1]
            hint = f"; {_short(comment.text)} at column {comment.at + 1} is a comment, because '/*' is closed by '*/'"
        return RouteRefusedError(self._text, token.at, f"expected {expected}, found {found}{hint}")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
