"""``vigie check``: the linter, the formatter and the type checker, as CI runs them."""

from __future__ import annotations

import argparse
import subprocess
from typing import Any

from vigie_devkit.commands.test import test_python
from vigie_devkit.local.errors import Exit
from vigie_devkit.local.paths import CHECKOUT

STEPS = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("mypy strict", ["mypy"]),
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "check",
        help="run ruff and mypy",
        description="Run ruff (rules and format) on everything and mypy, strict, on what ships.",
        epilog="examples:\n  ./vigie check\n  ./vigie check --fix",
    )
    parser.add_argument("--fix", action="store_true", help="fix what ruff can fix safely, and format")
    parser.set_defaults(handler=check)


def check(args: argparse.Namespace) -> int:
    """Run every step even if one fails: all there is to fix at once."""
    python = test_python()
    if args.fix:
        for words in (["ruff", "check", "--fix", "--quiet", "."], ["ruff", "format", "."]):
            subprocess.run([python, "-m", *words], cwd=CHECKOUT, check=False)
    failed: list[str] = []
    for name, words in STEPS:
        print(f"vigie: {name}", flush=True)
        if subprocess.run([python, "-m", *words], cwd=CHECKOUT, check=False).returncode != 0:
            failed.append(name)
    print(f"vigie: check failed: {', '.join(failed)}" if failed else "vigie: all checks passed")
    return Exit.NO_FLOW if failed else Exit.OK
