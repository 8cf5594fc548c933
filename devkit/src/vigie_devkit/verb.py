"""How a verb is added to a command of the CLI."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def add_verb_parser(
    verbs: Any, name: str, text: str, example: str, handler: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """A verb with ``text`` as its help and description, and one example; ``handler`` returns the exit code."""
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"example:\n  {example}",
    )
    verb.set_defaults(handler=handler)
    return verb
