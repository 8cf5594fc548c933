"""Asks cosmic-ray for mutants; runs in an environment of its own, reads and writes JSON.

``list``: files on standard input, out comes every place that an operator would change. ``apply``: such places on
standard input, out comes each with the changed source.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

Place = tuple[int, int]


def annotations(source: str) -> list[tuple[Place, Place]]:
    """From where to where: types, which nothing evaluates."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for name in ("annotation", "returns"):
            one = getattr(node, name, None)
            if one is not None:
                found.append(((one.lineno, one.col_offset), (one.end_lineno, one.end_col_offset)))
    return found


def places(path: str) -> list[dict[str, Any]]:
    source = Path(path).read_text(encoding="utf-8")
    types = annotations(source)
    tree = get_ast(source)
    found = []
    for name in sorted(operator_names()):
        operator_class = get_operator(name)
        if operator_class.arguments():
            continue
        operator = operator_class()
        positions = [position for node in ast_nodes(tree) for position in operator.mutation_positions(node)]
        for occurrence, (start, end, *_) in enumerate(positions):
            if not any(first <= start and end <= last for first, last in types):
                found.append(
                    {"path": path, "operator": name, "occurrence": occurrence, "line": start[0], "column": start[1]}
                )
    return found


def applied(place: dict[str, Any]) -> dict[str, Any]:
    source = Path(place["path"]).read_text(encoding="utf-8")
    mutant = mutate_code(source, get_operator(place["operator"])(), place["occurrence"])
    assert mutant is not None, place
    return {**place, "source": mutant}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    done = [place for path in asked for place in places(path)] if sys.argv[1] == "list" else list(map(applied, asked))
    json.dump(done, sys.stdout)
