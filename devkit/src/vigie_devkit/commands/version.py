"""``vigie version``: the version of the dev kit and of each module."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "version",
        help="print the version",
        description="Print the version of Vigie; with --all of every part of it.",
        epilog="example:\n  ./vigie version --all",
    )
    parser.add_argument("--all", action="store_true", help="every distribution, and what Python runs it")
    parser.set_defaults(handler=show_version)


def show_version(args: argparse.Namespace) -> int:
    print(f"vigie {version('vigie-devkit')}")
    if getattr(args, "all", False):
        import platform

        for name in (
            "vigie",
            "vigie-edgehub",
            "vigie-camera",
            "vigie-preprocess",
            "vigie-inference",
            "vigie-sync",
            "vigie-viewer",
            "vigie-actions",
            "vigie-evidence",
        ):
            try:
                print(f"{name} {version(name)}")
            except PackageNotFoundError:
                print(f"{name} not installed")
        print(f"python {platform.python_version()} {platform.machine()}")
    return 0
