"""Every parser that faces bytes of others: valid seeds, and a call that may refuse in its own words only.

A file of ``fuzz.parsers`` holds those of one kind. A call with a ``close`` holds something that runs (a hub, an
endpoint), which must be alive and well at the end.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from support.mutation import Mutations

ROOT = Path(__file__).parents[2]
Call = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """``open``: makes inputs and the call, once per run; imports happen there."""

    name: str
    open: Callable[[Path], tuple[Mutations, Call]]


TARGETS: list[Target] = []


def target(function: Callable[[Path], tuple[Mutations, Call]]) -> Callable[..., Any]:
    TARGETS.append(Target(function.__name__, function))
    return function


@cache
def template() -> Any:
    return json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))


def parsed(data: bytes) -> Any:
    """JSON as the hub and the SDK read it; None for what is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def all_targets() -> list[Target]:
    """In a fixed order."""
    for name in ("messages", "twins", "models", "hub", "sealed", "requests"):
        importlib.import_module(f"fuzz.parsers.{name}")
    return TARGETS
