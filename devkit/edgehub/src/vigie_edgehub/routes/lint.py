"""What the real hub accepts in silence and people lose days over.

Every rule is one function over one route; a finding says where, what happens, and what to write instead.
Nothing here refuses anything: what cannot work at all is refused by the parser.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum

import msgspec

from vigie_edgehub.routes.config import HubConfig
from vigie_edgehub.routes.lint_conditions import condition_findings
from vigie_edgehub.routes.message import TWIN_CHANGE_SOURCE, module_source
from vigie_edgehub.routes.table import ModuleInput, Route
from vigie_edgehub.routes.tokens import TokenKind


class Severity(StrEnum):
    """``error``: it never does what it says. ``warning``: it does more or less. ``hint``: know this."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


class RouteFinding(msgspec.Struct, frozen=True):
    """``route`` is its name ("" for the whole configuration), ``column`` counts from 1 (0: no place)."""

    code: str
    severity: Severity
    route: str
    column: int
    message: str
    remedy: str

    def __str__(self) -> str:
        place = f"route {self.route!r}" if self.route else "$edgeHub"
        column = f" column {self.column}" if self.column else ""
        return f"{place}{column}: {self.message}; {self.remedy} [{self.code}]"


def lint_config(
    config: HubConfig, modules: Collection[str], *, outputs: Mapping[str, Collection[str]] | None = None
) -> list[RouteFinding]:
    """Everything worth saying about ``config``, route by route in their order.

    Args: modules: ids of the manifest. outputs: what modules are known to send on, where it is known.
    """
    findings: list[RouteFinding] = []
    for route in config.routes:
        for rule in _RULES:
            findings += rule(route, modules)
        for place, code, severity, message, remedy in condition_findings(route.parsed.condition):
            findings.append(RouteFinding(code, Severity(severity), route.name, place + 1, message, remedy))
    findings += _unrouted(config, modules, outputs or {})
    if config.ttl_s == 0:
        findings.append(
            RouteFinding(
                "expires-at-once",
                Severity.ERROR,
                "",
                0,
                "storeAndForwardConfiguration.timeToLiveSecs is 0 or absent: what cannot be delivered at once is lost",
                "write the seconds a message may wait, such as 7200",
            )
        )
    return findings


def _text_after_into(route: Route, _: Collection[str]) -> Iterator[RouteFinding]:
    trailing = route.parsed.trailing
    if trailing is None:
        return
    rest = route.text[trailing.at :]
    yield _finding(
        "text-after-into",
        Severity.ERROR,
        route,
        trailing.at,
        f"everything behind the endpoint is ignored: {_short(rest)}",
        "put WHERE before INTO" if trailing.kind is TokenKind.WHERE else "remove it",
    )


def _star_inside_source(route: Route, _: Collection[str]) -> Iterator[RouteFinding]:
    source = route.parsed.source_tokens
    for token in source[:-1]:
        if token.kind is TokenKind.STAR:
            before = route.text[source[0].at : token.at].rstrip("/") or "/"
            yield _finding(
                "star-inside-source",
                Severity.ERROR,
                route,
                token.at,
                "a '*' that is not the end of the source stands for itself and matches no message",
                f"shorten the source to {_short(before)}",
            )
            return
    for token in source:
        if token.kind is TokenKind.NAME and "*" in token.text:
            yield _finding(
                "star-in-name",
                Severity.ERROR,
                route,
                token.at,
                f"{token.text!r} does not match names that begin like this: only whole path items match",
                "write the whole name, or end the source with the item before it",
            )


def _comment_in_source(route: Route, _: Collection[str]) -> Iterator[RouteFinding]:
    source = route.parsed.source_tokens
    for comment in route.parsed.comments:
        if comment.at in {source[-1].end, *(token.end for token in source)} and comment.at > source[0].at:
            yield _finding(
                "comment-in-source",
                Severity.ERROR,
                route,
                comment.at,
                f"{_short(comment.text)} is a comment ('/*' to '*/'), so the source is {route.parsed.source}",
                "leave out the '*' items in the middle",
            )


def _source_items(route: Route) -> list[str]:
    return [item for item in route.parsed.source.rstrip("*").strip("/").split("/") if item]


def _source_that_matches_nothing(route: Route, modules: Collection[str]) -> Iterator[RouteFinding]:
    items = _source_items(route)
    lower = [item.lower() for item in items]
    if "*" in route.parsed.source.rstrip("*") or not items:
        return  # another rule's finding, or everything
    code, reason, remedy = "source-matches-nothing", "", ""
    if lower == [TWIN_CHANGE_SOURCE[1:].lower()]:
        return
    if lower[:2] == ["messages", "events"]:
        reason = "/messages/events is a topic, not a source; no message comes from it"
        remedy = "write /messages/* for everything, or /messages/modules/{module}/outputs/{output}"
    elif lower[0] != "messages" or (len(lower) > 1 and lower[1] != "modules"):
        reason = f"no message ever comes from {route.parsed.source}"
        remedy = "sources begin with /messages, /messages/modules/{module} or are /twinChangeNotifications"
    elif len(lower) > 2 and lower[2] not in {module.lower() for module in modules}:
        code, reason = "unknown-source-module", f"no module {items[2]!r} is in the manifest"
        remedy = _did_you_mean(items[2], modules)
    elif (len(lower) > 3 and lower[3] != "outputs") or len(lower) > 5:
        reason = f"no message ever comes from {route.parsed.source}"
        remedy = "write /messages/modules/{module}/outputs/{output}"
    if reason:
        yield _finding(code, Severity.ERROR, route, route.parsed.source_tokens[0].at, reason, remedy)


def _target(route: Route, modules: Collection[str]) -> Iterator[RouteFinding]:
    if not isinstance(route.endpoint, ModuleInput):
        return
    at = route.parsed.address.token.at
    first, module, third, input_name = route.parsed.address.parts
    if module not in modules:
        yield _finding(
            "unknown-target-module",
            Severity.ERROR,
            route,
            at,
            f"no module {module!r} is in the manifest, so its messages wait until they expire",
            _did_you_mean(module, modules),
        )
    if not input_name:
        yield _finding("blank-input", Severity.ERROR, route, at, "the input has no name", "name it behind /inputs/")
    if (first.lower(), third.lower()) != ("modules", "inputs"):
        yield _finding(
            "odd-address",
            Severity.WARNING,
            route,
            at,
            f"edgeHub does not look at {first!r} and {third!r}: this goes to input {input_name!r} of {module!r}",
            f"write /modules/{module}/inputs/{input_name}",
        )


def _loop(route: Route, _: Collection[str]) -> Iterator[RouteFinding]:
    endpoint = route.endpoint
    if isinstance(endpoint, ModuleInput) and route.matches_source(module_source(endpoint.module)):
        yield _finding(
            "own-messages",
            Severity.WARNING,
            route,
            route.parsed.source_tokens[0].at,
            f"{endpoint.module!r} gets its own messages back through {route.parsed.source}",
            "name the modules and outputs meant, one route each",
        )


def _twin_changes_too(route: Route, _: Collection[str]) -> Iterator[RouteFinding]:
    if route.prefix == "/":
        yield _finding(
            "twin-changes-too",
            Severity.HINT,
            route,
            route.parsed.source_tokens[0].at,
            f"{route.parsed.source} also takes a message for every change of reported properties",
            "write /messages/* if only what modules send is meant",
        )


def _unrouted(
    config: HubConfig, modules: Collection[str], outputs: Mapping[str, Collection[str]]
) -> Iterator[RouteFinding]:
    for module in sorted(modules):
        known = outputs.get(module)
        if known is not None:
            for output in sorted(known):
                taking = [one for one in config.routes if one.matches_source(module_source(module, output))]
                if not taking or (len(taking) == 1 and taking[0].condition is not None):
                    yield _dead(f"output {output!r} of {module!r}", some=bool(taking))
        elif not any(_touches(route, module) for route in config.routes):
            yield _dead(f"module {module!r}")


def _dead(what: str, *, some: bool = False) -> RouteFinding:
    """``some``: the one route there is has a condition, so the messages that do not meet it are lost."""
    which = (
        "no route takes those messages of {} that the one route's condition leaves out"
        if some
        else ("no route takes messages of {}")
    )
    return RouteFinding(
        "dead-output",
        Severity.HINT,
        "",
        0,
        f"{which.format(what)}; they are acknowledged and dropped",
        "add a route if it sends any",
    )


def _touches(route: Route, module: str) -> bool:
    """Some output of ``module`` could match, whatever its name."""
    own = f"{module_source(module)}/".lower()
    return own.startswith(route.prefix) or route.prefix.startswith(own)


def _did_you_mean(name: str, modules: Collection[str]) -> str:
    by_lower = {module.lower(): module for module in modules}
    close = get_close_matches(name.lower(), by_lower, 1)
    if close:
        return f"write {by_lower[close[0]]!r}"
    return f"expected one of {', '.join(sorted(modules)) or 'none'}"


def _finding(  # noqa: PLR0917 - the fields of a finding, in their order
    code: str, severity: Severity, route: Route, at: int, message: str, remedy: str
) -> RouteFinding:
    return RouteFinding(code, severity, route.name, at + 1, message, remedy)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


_RULES: tuple[Callable[[Route, Collection[str]], Iterator[RouteFinding]], ...] = (
    _text_after_into,
    _star_inside_source,
    _comment_in_source,
    _source_that_matches_nothing,
    _target,
    _loop,
    _twin_changes_too,
)
