"""Conditions compiled to closures over a message; what can never be compared is refused here, not at run time.

Every expression has a type before it runs. Application and system properties are strings, so
``temp > 50`` is refused and ``as_number(temp) > 50`` is not; body values have a type only when a
message is there.
Source: edgeHub, ConditionVisitor.cs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from vigie_edgehub.errors import RouteRefusedError
from vigie_edgehub.routes.body import find, parse_body_path
from vigie_edgehub.routes.functions import FUNCTIONS, Type, defined, describe
from vigie_edgehub.routes.message import RoutedMessage
from vigie_edgehub.routes.syntax import Chain, FunctionCall, Literal, Node, Property, SystemProperty, Unary
from vigie_edgehub.routes.tokens import Token, TokenKind
from vigie_edgehub.routes.values import Null, Value, all_of, any_of, comparison

MAX_HEIGHT = 150
"""Closures inside one another when a condition runs; Python's own limit is 1,000 frames for everything."""

_BODY_PREFIX = "$body."
_COMPARABLE = frozenset({Type.BOOL, Type.NUMBER, Type.STRING, Type.NULL})
_TRUTHS = frozenset({Type.BOOL, Type.NULL, Type.UNDEFINED})

Run = Callable[[RoutedMessage], Value]


@dataclass(frozen=True, slots=True)
class Expression:
    """``height`` counts the closures below, so that a hostile condition is refused instead of overflowing."""

    type: Type
    run: Run
    height: int = 1


def compile_condition(text: str, node: Node) -> Callable[[RoutedMessage], bool]:
    """A test that is true only where the condition is; undefined does not route.

    Args: text: the whole route, for the columns of refusals. Raises: RouteRefusedError.
    """
    run = _Compiler(text).compile(node).run
    return lambda message: run(message) is True


def compile_value(text: str, node: Node) -> Run:
    """What a part of a condition is worth for a message, for whoever explains it. Raises: RouteRefusedError."""
    return _Compiler(text).compile(node).run


class _Compiler:
    def __init__(self, text: str) -> None:
        self._text = text

    def compile(self, node: Node) -> Expression:
        match node:
            case Literal(token):
                return _literal(token)
            case Property(token):
                name = token.text.lower()
                return Expression(Type.STRING, lambda message: message.app_by_lower.get(name))
            case SystemProperty():
                return self._system(node)
            case FunctionCall(function, arguments):
                return self._call(function, tuple(self.compile(argument) for argument in arguments))
            case Unary(operator, operand):
                return self._unary(operator, self.compile(operand))
            case Chain(first, rest):
                return self._chain(first, rest)

    def _system(self, node: SystemProperty) -> Expression:
        name = node.token.text
        lower = name.lower()
        bracketed = "[" in name or "]" in name
        if lower.startswith(_BODY_PREFIX):
            path = parse_body_path(name[len(_BODY_PREFIX) :])
            if path is None:
                raise self._refuse(
                    node.token, f"{name} is not a body path; expected names joined by '.', each with [n] at most"
                )
            if node.forced or bracketed:
                return Expression(Type.BODY, lambda message: find(message.document, path))

            def shadowed_body(message: RoutedMessage) -> Value:
                shadow = message.app_by_lower.get(lower)
                return find(message.document, path) if shadow is None else shadow

            return Expression(Type.BODY, shadowed_body)
        if bracketed:
            return Expression(Type.UNDEFINED, _undefined)
        system = lower[1:]
        if node.forced:
            return Expression(Type.STRING, lambda message: message.system_by_lower.get(system))

        def shadowed_system(message: RoutedMessage) -> Value:
            shadow = message.app_by_lower.get(lower)
            return message.system_by_lower.get(system) if shadow is None else shadow

        return Expression(Type.STRING, shadowed_system)

    def _call(self, function: Token, arguments: tuple[Expression, ...]) -> Expression:
        name = function.text.lower()
        signatures = FUNCTIONS.get(name)
        if signatures is None:
            why = "works in the cloud only" if name == "twin_change_includes" else "does not exist"
            raise self._refuse(function, f"function {function.text} {why}; expected one of {', '.join(FUNCTIONS)}")
        given = tuple(argument.type for argument in arguments)
        for signature in signatures:
            if signature.accepts(given):
                return self._node(signature.result, _applied(signature.run, arguments), arguments, function)
        raise self._refuse(
            function, f"{function.text} takes {describe(signatures)}, not ({', '.join(given)}){_advice(given)}"
        )

    def _unary(self, operator: Token, operand: Expression) -> Expression:
        run = operand.run
        if operator.kind is TokenKind.MINUS and operand.type is Type.NUMBER:

            def negated(message: RoutedMessage) -> Value:
                value = run(message)
                return -value if type(value) is float else None

            return self._node(Type.NUMBER, negated, (operand,), operator)
        if operator.kind is TokenKind.NOT and operand.type is Type.NULL:
            return Expression(Type.BOOL, lambda _: True)
        if operator.kind is TokenKind.NOT and operand.type in {Type.BOOL, Type.BODY}:

            def inverted(message: RoutedMessage) -> Value:
                value = run(message)
                return not value if isinstance(value, bool) else None

            return self._node(Type.BOOL, inverted, (operand,), operator)
        wanted = "a number" if operator.kind is TokenKind.MINUS else "a bool"
        advice = _advice((operand.type,))
        if operator.kind is TokenKind.NOT and operand.type is not Type.BOOL:
            advice = "; NOT binds tighter than a comparison, so write NOT (a = b)"
        elif operand.type is Type.BODY:
            advice = "; edgeHub cannot negate a body value, write 0 - ..."
        raise self._refuse(operator, f"{operator.text} takes {wanted}, not {operand.type}{advice}")

    def _chain(self, first: Node, rest: tuple[tuple[Token, Node], ...]) -> Expression:
        result = self.compile(first)
        terms: list[Expression] = []  # of an AND or OR of plain truths: one flat closure, however long
        for operator, node in rest:
            right = self.compile(node)
            if operator.kind in {TokenKind.AND, TokenKind.OR} and _plain(right) and (terms or _plain(result)):
                terms = [*(terms or [result]), right]
                continue
            if terms:
                result, terms = self._flat(operator, terms), []
            result = self._binary(operator, result, right)
        return self._flat(rest[0][0], terms) if terms else result

    def _flat(self, operator: Token, terms: list[Expression]) -> Expression:
        runs = tuple(term.run for term in terms)
        decides = operator.kind is TokenKind.OR

        def combined(message: RoutedMessage) -> Value:
            result: Value = not decides
            for run in runs:
                value = run(message)
                if value is decides:
                    return decides
                if value is None:
                    result = None
            return result

        return self._node(Type.BOOL, combined, tuple(terms), operator)

    def _binary(self, operator: Token, left: Expression, right: Expression) -> Expression:
        match operator.kind:
            case TokenKind.AND | TokenKind.OR:
                return self._logical(operator, left, right)
            case TokenKind.COALESCE:
                return self._coalesce(operator, left, right)
            case TokenKind.CONCAT:
                self._check(operator, Type.STRING, left, right)
                concat = FUNCTIONS["concat"][0]
                return self._node(concat.result, _applied(concat.run, (left, right)), (left, right), operator)
            case TokenKind.EQ | TokenKind.NE | TokenKind.LT | TokenKind.LE | TokenKind.GT | TokenKind.GE:
                self._check(operator, left.type, left, right)
                return self._node(
                    Type.BOOL, _applied(comparison(operator.kind), (left, right)), (left, right), operator
                )
            case _:
                return self._arithmetic(operator, left, right)

    def _arithmetic(self, operator: Token, left: Expression, right: Expression) -> Expression:
        self._check(operator, Type.NUMBER, left, right)
        of_body = Type.BODY in (left.type, right.type)
        if operator.kind is TokenKind.PERCENT and of_body:
            raise self._refuse(operator, "edgeHub has no % for body values; expected numbers, write as_number(...)")
        compute = _ARITHMETIC[operator.kind]

        def computed(left_value: Value, right_value: Value) -> Value:
            if type(left_value) is float and type(right_value) is float:
                return defined(compute(left_value, right_value))
            return None

        result = Type.BODY if of_body else Type.NUMBER
        return self._node(result, _applied(computed, (left, right)), (left, right), operator)

    def _logical(self, operator: Token, left: Expression, right: Expression) -> Expression:
        """AND and OR where a null or a body value takes part; edgeHub's own corners, one by one."""
        if left.type is Type.BODY:
            if operator.kind is TokenKind.AND and right.type is Type.NULL:
                raise self._refuse(operator, "edgeHub cannot AND a body value with null; expected a bool")
            combine = all_of if operator.kind is TokenKind.AND else any_of

            def of_bools(left_value: Value, right_value: Value) -> Value:
                # Not three-valued: anything that is not a bool makes it undefined, even beside a deciding bool.
                if isinstance(left_value, bool) and isinstance(right_value, bool):
                    return combine(left_value, right_value)
                return None

            return self._node(Type.BOOL, _applied(of_bools, (left, right)), (left, right), operator)
        nulls = (left.type is Type.NULL) + (right.type is Type.NULL)
        if (
            left.type not in _TRUTHS
            or right.type not in _TRUTHS
            or (nulls and Type.UNDEFINED in (left.type, right.type))
        ):
            advice = _advice((left.type, right.type))
            if right.type is Type.BODY:
                advice = "; edgeHub takes a bare body value on the left side only, write ... = true"
            raise self._refuse(operator, f"{operator.text} takes bools, not {left.type} and {right.type}{advice}")
        if operator.kind is TokenKind.AND or nulls == 2:  # null AND anything is null, null OR null is null
            return Expression(Type.NULL, lambda _: Null.WRITTEN)
        return right if left.type is Type.NULL else left  # null OR x is x

    def _coalesce(self, operator: Token, left: Expression, right: Expression) -> Expression:
        self._check(operator, left.type, left, right)
        if left.type is Type.UNDEFINED:
            return right
        left_run, right_run = left.run, right.run

        def first_defined(message: RoutedMessage) -> Value:
            value = left_run(message)
            return right_run(message) if value is None else value

        result = Type.BODY if Type.BODY in (left.type, right.type) else left.type
        return self._node(result, first_defined, (left, right), operator)

    def _check(self, operator: Token, wanted: Type, left: Expression, right: Expression) -> None:
        for given in (left.type, right.type):
            if given is wanted or (given is Type.BODY and wanted in _COMPARABLE):
                continue
            if wanted is Type.BODY and given in _COMPARABLE:
                continue
            raise self._refuse(
                operator,
                f"{operator.text} takes {wanted} on both sides, not {left.type} and {right.type}"
                f"{_advice((left.type, right.type))}",
            )

    def _node(self, result: Type, run: Run, parts: tuple[Expression, ...], token: Token) -> Expression:
        height = 1 + max((part.height for part in parts), default=0)
        if height > MAX_HEIGHT:
            raise self._refuse(token, f"more than {MAX_HEIGHT} operators inside one another; split the route")
        return Expression(result, run, height)

    def _refuse(self, token: Token, reason: str) -> RouteRefusedError:
        return RouteRefusedError(self._text, token.at, reason)


def _plain(expression: Expression) -> bool:
    return expression.type is Type.BOOL or expression.type is Type.UNDEFINED


def _applied(function: Callable[..., Value], arguments: tuple[Expression, ...]) -> Run:
    """``function`` of what the arguments are; written out for one and two, which is nearly all there is."""
    runs = tuple(argument.run for argument in arguments)
    if len(runs) == 1:
        only = runs[0]
        return lambda message: function(only(message))
    if len(runs) == 2:
        first, second = runs
        return lambda message: function(first(message), second(message))
    return lambda message: function(*[run(message) for run in runs])


def _advice(given: tuple[Type, ...]) -> str:
    if Type.STRING in given and Type.NUMBER in given:
        return "; properties are strings: compare with a quoted value, or write as_number(property)"
    return ""


def _undefined(_: RoutedMessage) -> Value:
    return None


def _literal(token: Token) -> Expression:
    value: Value
    match token.kind:
        case TokenKind.TRUE | TokenKind.FALSE:
            value = token.kind is TokenKind.TRUE
            return Expression(Type.BOOL, lambda _: value)
        case TokenKind.NULL:
            return Expression(Type.NULL, lambda _: Null.WRITTEN)
        case TokenKind.STRING:
            value = _unescaped(token.text[1:-1])
            return Expression(Type.STRING, lambda _: value)
        case TokenKind.INTEGER | TokenKind.HEX | TokenKind.REAL:
            value = _number(token)
            return Expression(Type.UNDEFINED if value is None else Type.NUMBER, lambda _: value)
        case _:
            return Expression(Type.UNDEFINED, _undefined)


def _number(token: Token) -> float | None:
    """None for what edgeHub's lexer takes for a number and its reader does not: ``e5``, hex above 64 bits."""
    if token.kind is TokenKind.HEX:
        bits = int(token.text, 16)
        return None if bits >= 1 << 64 else float(bits - (1 << 64) if bits >= 1 << 63 else bits)
    try:
        return float(token.text)
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    """Unicode escapes first, then quotes and backslashes, as edgeHub does it."""
    if "\\" not in text:
        return text
    with_units = re.sub(r"\\[Uu]([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), text)
    joined = with_units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return re.sub(r"\\([\"'\\])", r"\1", joined)


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _modulo(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


_ARITHMETIC: dict[TokenKind, Callable[[float, float], float]] = {
    TokenKind.PLUS: lambda left, right: left + right,
    TokenKind.MINUS: lambda left, right: left - right,
    TokenKind.STAR: lambda left, right: left * right,
    TokenKind.SLASH: _divide,
    TokenKind.PERCENT: _modulo,
}
