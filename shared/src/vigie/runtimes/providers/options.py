"""Checks a candidate's options against its row: ONNX Runtime takes a misspelt option, or a bad value, in silence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from vigie.errors import ProviderOptionError
from vigie.runtimes.providers.row import Option, Row


def check_options(row: Row, options: Mapping[str, str]) -> None:
    """Refuse what the row does not know.

    Raises: ProviderOptionError: an unknown option, with the nearest known one; a value out of its range or choices.
    """
    for name, value in options.items():
        if row.own_options and name.startswith(row.own_options):
            continue
        known = row.options.get(name)
        if known is None:
            raise ProviderOptionError(row.id, name, _unknown(name, row))
        problem = _problem(known, value)
        if problem:
            raise ProviderOptionError(row.id, name, f"{problem}, got {value!r}")


def _unknown(name: str, row: Row) -> str:
    near = difflib.get_close_matches(name, row.options, n=1, cutoff=0.6)
    if near:
        return f"is unknown; did you mean {near[0]!r}?"
    return f"is unknown; it has {', '.join(sorted(row.options))}"


def _problem(option: Option, value: str) -> str:
    """What is expected, if ``value`` is not it."""
    if option.kind in {"choice", "switch"}:
        near = difflib.get_close_matches(value, option.choices, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near and value not in option.choices else ""
        return "" if value in option.choices else f"expected {' or '.join(option.choices)}{hint}"
    if option.kind in {"integer", "number"}:
        return _number_problem(option, value)
    if option.kind == "shapes" and not re.fullmatch(r"[\w./:-]+:\d+(x\d+)*(,[\w./:-]+:\d+(x\d+)*)*", value):
        return "expected shapes such as 'images:1x3x416x416'"
    return "" if value.strip() else "expected a text that is not empty"


def _number_problem(option: Option, value: str) -> str:
    low, high = option.low, option.high
    wanted = "a whole number" if option.kind == "integer" else "a number"
    bounds = f" from {low:g} to {high:g}" if low is not None and high is not None else ""
    try:
        number = int(value) if option.kind == "integer" else float(value)
    except ValueError:
        return f"expected {wanted}{bounds}"
    inside = (low is None or number >= low) and (high is None or number <= high)
    return "" if inside else f"expected {wanted}{bounds}"
