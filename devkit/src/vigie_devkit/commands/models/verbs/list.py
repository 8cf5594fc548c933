"""``vigie models list``: the bundles that ``up --model`` finds by name."""

from __future__ import annotations

import argparse
from typing import Any

from vigie_devkit.commands.models.arguments import add_verb_parser

EXAMPLE = "./vigie models list"


def add_verb(verbs: Any) -> None:
    add_verb_parser(verbs, "list", "bundles in the state folder and those that ship", EXAMPLE, _list)


def _list(_args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import listing

    lines = listing()
    print("\n".join(lines) if lines else "no bundles yet; make one: ./vigie models import FILE.onnx")
    return 0
