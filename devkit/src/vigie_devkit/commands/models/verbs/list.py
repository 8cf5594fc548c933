"""``vigie models list``: the bundles that ``up --model`` finds by name."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from vigie.terminal import columns_of, show_text
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models list"


def add_verb(verbs: Any) -> None:
    add_verb_parser(verbs, "list", "bundles in the state folder and those that ship", EXAMPLE, _list)


def _list(_args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import listing

    lines = listing(columns_of(sys.stdout) if sys.stdout.isatty() else None)
    show_text("\n".join(lines) if lines else "no bundles yet; make one: ./vigie models import FILE.onnx")
    return 0
