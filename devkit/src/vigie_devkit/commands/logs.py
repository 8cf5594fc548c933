"""``vigie logs``: what the processes of a run said."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from vigie_devkit.local.errors import NoRunError, UsageError
from vigie_devkit.local.paths import add_run_option, find_run


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "logs",
        help="show what the modules and the hub said",
        description="Show the log of one process (camera, preprocess, inference, sync, hub) or of all of them.",
        epilog="examples:\n  ./vigie logs inference\n  ./vigie logs -f\n  ./vigie logs sync -n 1000 --raw | jq .event\n"
        "  docker compose logs --no-log-prefix -f | ./vigie logs -       the same, of containers",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("module", nargs="?", metavar="MODULE", help="which process (default: all); -: lines from stdin")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is added")
    parser.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="how many lines of each (default 50)")
    parser.add_argument("--raw", action="store_true", help="the lines as they are, JSON")
    add_run_option(parser)
    parser.set_defaults(handler=logs)


def logs(args: argparse.Namespace) -> int:
    from vigie_devkit.local.colours import wants_colour
    from vigie_devkit.local.logfiles import follow, readable, tail

    text = str if args.raw else partial(readable, colour=wants_colour(sys.stdout))
    if args.module == "-":
        for line in sys.stdin:
            print(text(line.rstrip("\n")), flush=True)
        return 0
    run = find_run(args)
    found = {log.stem: log for log in sorted(run.logs.glob("*.log"))}
    if not found:
        raise NoRunError(f"run '{run.name}' has no logs yet ({run.logs})")
    if args.module and args.module not in found:
        raise UsageError(f"there is no log of '{args.module}'; there are {', '.join(found)}")
    wanted = [found[args.module]] if args.module else list(found.values())
    positions = {log: log.stat().st_size for log in wanted}
    for line in in_order([(log, line) for log in wanted for line in tail(log, args.lines)]):
        print(text(line))
    while args.follow:
        for _, line in follow(positions):
            print(text(line), flush=True)
        time.sleep(0.2)
    return 0


def in_order(lines: list[tuple[Path, str]]) -> list[str]:
    """Lines of several logs by their time stamps; a line without one stays behind its predecessor."""
    import json

    stamped: list[tuple[str, str]] = []
    latest: dict[Path, str] = {}
    for log, line in lines:
        try:
            entry = json.loads(line)
            latest[log] = str(entry["timestamp"])
        except (ValueError, KeyError, TypeError):
            pass
        stamped.append((latest.get(log, ""), line))
    return [line for _, line in sorted(stamped, key=lambda one: one[0])]
