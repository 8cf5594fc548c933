"""``vigie audit``: who changed what through the hub, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.terminal import show_text
from vigie_devkit.local.paths import add_run_option, find_run

if TYPE_CHECKING:
    from vigie.audit.chain import Head
    from vigie.sealing import Seals

_EXAMPLES = """examples:
  ./vigie audit show                                  every module of the run, in order of time
  ./vigie audit show inference -n 20
  ./vigie audit verify                                exit code 1 if a line was removed, changed, moved or cut off
  ./vigie audit verify --folder ./audit --reported 17:5f2c...      a copy, against the twin's reported property
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "audit",
        help="show or verify the record of twin changes and method calls",
        description="The audit logs of modules: every twin version and method call, accepted or refused.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="show|verify", required=True)
    show = verbs.add_parser("show", help="print the lines", epilog="example:\n  ./vigie audit show camera -n 20")
    show.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="the newest N (default 50)")
    show.add_argument("--json", action="store_true", help="the lines as they are")
    show.set_defaults(handler=_show)
    check = verbs.add_parser("verify", help="find what was done to a log", epilog="example:\n  ./vigie audit verify")
    check.add_argument(
        "--reported", type=_head, metavar="N:SUM", help="lines and head of the reported property 'audit'"
    )
    check.set_defaults(handler=_verify)
    for verb in (show, check):
        verb.add_argument("modules", nargs="*", metavar="MODULE", help="modules to show (default: all)")
        verb.add_argument(
            "--key", type=Path, metavar="FILE", help="the device's keys, for sealed lines (default: $VIGIE_AT_REST_KEY)"
        )
        verb.add_argument("--folder", type=Path, help="a copy of a device's audit folder, in place of a run")
        add_run_option(verb)


def _folders(args: argparse.Namespace) -> dict[str, Path]:
    from vigie_devkit.local.audits import audit_folders

    if args.folder is not None:
        return audit_folders([args.folder], args.modules)
    run = find_run(args)
    return audit_folders(sorted(run.modules.iterdir()) if run.modules.is_dir() else [], args.modules)


def _seals(args: argparse.Namespace) -> Seals:
    from vigie.sealing import VARIABLE, read_seals

    return read_seals({VARIABLE: str(args.key)} if args.key is not None else os.environ)


def _show(args: argparse.Namespace) -> int:
    import msgspec

    from vigie_devkit.local.audits import lines_of, readable

    seals = _seals(args)
    found = (line for folder in _folders(args).values() for line in lines_of(folder, seals))
    lines = sorted(found, key=lambda one: one.at)
    for line in lines[-args.lines :] if args.lines > 0 else []:
        if args.json:
            print(msgspec.json.encode(line).decode())
        else:
            show_text("\n".join(readable(line)))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from vigie_devkit.local.audits import judged

    whole, seals = True, _seals(args)
    for module, folder in _folders(args).items():
        verdict = judged(folder, args.reported, seals)
        whole = whole and not verdict.breaks
        state = "whole" if not verdict.breaks else f"{len(verdict.breaks)} breaks"
        print(
            f"{module}: {state}: {verdict.lines} lines, #{verdict.first} to #{verdict.head.n}, head {verdict.head.sum}"
        )
        for one in verdict.breaks:
            print(f"  {one}")
    return 0 if whole else 1


def _head(text: str) -> Head:
    import msgspec

    from vigie.audit.chain import Head

    number, _, digest = text.partition(":")
    try:
        return msgspec.convert({"n": int(number), "sum": digest}, Head)
    except (ValueError, msgspec.ValidationError) as error:
        raise argparse.ArgumentTypeError(f"expected LINES:HEAD as the twin reports them, got {text[:90]!r}") from error
