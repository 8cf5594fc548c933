"""``vigie faults``: the whole system under named faults, each with the outcome that is promised."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie_devkit.local.errors import Exit, UsageError

if TYPE_CHECKING:
    from vigie_devkit.faults.fault import Fault

EXAMPLES = """examples:
  ./vigie faults --list                              what can be tried
  ./vigie faults --only kill-inference               one of them
  ./vigie faults --only hub                          all whose names begin with it
  ./vigie faults --output docs/reliability.md        all, and the table of that page made anew
  ./vigie faults --kills 100 --seed 4                kill -9 of anything at random while disks fill at random

Faults of disks mount small file systems and need root; those of clocks need libfaketime. What this machine cannot do is
listed, not left out.

exit codes: 0 every promise was kept, 1 one was not, 2 the command line is wrong
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "faults",
        help="put faults on the running system and check what is promised of each",
        description="Run the whole system, put named faults on it, and check what is promised: nothing that was "
        "recorded is lost, nothing comes twice, flow is back in time, and an operator sees it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="list the faults and end")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this fault, or all that begin so")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="NAME", help="not this fault, nor what begins so"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is drawn by chance (default: 1)")
    parser.add_argument(
        "--kills", type=int, metavar="N", help="instead of named faults: N kills at random, on disks that others fill"
    )
    parser.add_argument("--json", action="store_true", help="print the results as one JSON array and nothing else")
    parser.add_argument("--output", type=Path, metavar="FILE", help="put the table into this Markdown page, too")
    parser.set_defaults(handler=faults)


def faults(args: argparse.Namespace) -> int:
    import json
    import sys
    from dataclasses import asdict
    from datetime import UTC, datetime

    from vigie_devkit.faults.machine import cannot_do, machine_in_words
    from vigie_devkit.faults.page import put_into, table
    from vigie_devkit.faults.registry import all_faults
    from vigie_devkit.faults.run import try_all
    from vigie_devkit.faults.trial import Result

    known = all_faults()
    if args.list:
        return _list(known)
    wrong = [word for word in (*args.only, *args.skip) if not any(name.startswith(word) for name in known)]
    if wrong:
        raise UsageError(f"there is no fault {wrong[0]!r}; see: ./vigie faults --list")
    chosen = [
        fault
        for name, fault in known.items()
        if (not args.only or name.startswith(tuple(args.only))) and not name.startswith(tuple(args.skip) or "\0")
    ]

    def tell(line: str) -> None:
        sys.stderr.write(f"faults: {line}\n")
        sys.stderr.flush()

    if args.kills is not None:
        return _kills(args, tell)
    for sentence in cannot_do():
        tell(sentence)
    results: list[Result] = []
    made = ""
    for result in try_all(chosen, args.seed, tell):
        results.append(result)
        back = "not back" if result.back_s is None else f"back after {result.back_s:g} s"
        verdict = "kept" if result.kept else f"NOT KEPT: {'; '.join(result.unmet)}"
        tell(f"  {result.fault}: {back}, {verdict}")
        made = table(known, results, machine_in_words(), datetime.now(UTC).date(), args.seed)
        if args.output is not None:
            # After each: a run of half an hour that is ended early has told what it found.
            page = args.output.read_text(encoding="utf-8")
            args.output.write_text(put_into(page, made), encoding="utf-8")
    if args.json:
        print(json.dumps([{**asdict(result), "kept": result.kept} for result in results]))
    if args.output is None and not args.json:
        print(made)
    return Exit.OK if all(result.kept for result in results) else Exit.NO_FLOW


def _list(known: Mapping[str, Fault]) -> int:
    for fault in known.values():
        print(f"{fault.name:<26} {fault.what}")
    return Exit.OK


def _kills(args: argparse.Namespace, tell: Callable[[str], None]) -> int:
    import json
    from dataclasses import asdict

    from vigie_devkit.faults.kills import kill_at_random

    if args.kills < 1:
        raise UsageError(f"--kills: expected at least 1, got {args.kills}")
    report = kill_at_random(args.seed, args.kills, tell)
    print(json.dumps(asdict(report)) if args.json else report.words())
    return Exit.NO_FLOW if report.unmet else Exit.OK
