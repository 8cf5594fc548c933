"""``vigie models``: import an ONNX export, fetch or train one, look at it, list, verify, export.

A verb is a file of ``vigie_devkit.commands.models.verbs`` with ``add_verb(verbs)`` and ``EXAMPLE``, a line for the
help. Importing it must be cheap, as with every command.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Any

from vigie_devkit.commands.models import verbs as verbs_folder


def add_parser(subparsers: Any) -> None:
    verbs = [
        importlib.import_module(f"{verbs_folder.__name__}.{module.name}")
        for module in sorted(pkgutil.iter_modules(verbs_folder.__path__), key=lambda module: module.name)
    ]
    parser = subparsers.add_parser(
        "models",
        help="import, fetch, train, inspect, list, verify and export model bundles",
        description="Model bundles: an ONNX export with everything needed to run and trust it.",
        epilog="examples:\n" + "\n".join(f"  {verb.EXAMPLE}" for verb in verbs),
    )
    parser.set_defaults(handler=lambda _args: _usage(parser))
    parsers = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for verb in verbs:
        verb.add_verb(parsers)


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2
