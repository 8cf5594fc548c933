"""``vigie logs``: what the processes of a run said."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from vigie_devkit.local.errors import NoRunError, UsageError
from vigie_devkit.local.paths import CHECKOUT, RunPaths, add_run_option, find_run, known_runs

if TYPE_CHECKING:
    from vigie_devkit.local.compose_logs import Container


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "logs",
        help="show what the modules and the hub logged",
        description="Show the log of one process (camera, preprocess, inference, sync, hub) or of all of them.",
        epilog="examples:\n  ./vigie logs inference\n  ./vigie logs -f\n  ./vigie logs sync -n 1000 --raw | jq .event\n"
        "  ./vigie logs --compose -f                  of the containers that docker compose started from this checkout",
    )
    parser.add_argument("module", nargs="?", metavar="MODULE", help="a process (default: all); -: lines from stdin")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is added")
    parser.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="how many lines of each (default 50)")
    parser.add_argument("--raw", action="store_true", help="the lines as they are, JSON")
    parser.add_argument(
        "--compose",
        action="store_true",
        help="show the logs of docker compose's containers (default where nothing has run yet)",
    )
    add_run_option(parser)
    parser.set_defaults(handler=logs)


def logs(args: argparse.Namespace) -> int:
    from vigie_devkit.local.colours import wants_colour
    from vigie_devkit.local.logfiles import readable

    text: Callable[[str], str] = str if args.raw else partial(readable, colour=wants_colour(sys.stdout))
    if args.module == "-":
        for line in sys.stdin:
            print(text(line.rstrip("\n")), flush=True)
        return 0
    if containers := containers_meant(args):
        return of_containers(args, containers, text)
    return of_run(args, find_run(args), text)


def of_run(args: argparse.Namespace, run: RunPaths, text: Callable[[str], str]) -> int:
    """The logs of a local run. Raises: NoRunError: it has none yet; UsageError: no process of that name."""
    from vigie_devkit.local.logfiles import follow, tail

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


def containers_meant(args: argparse.Namespace) -> list[Container]:
    """Compose's containers if they are asked for, or if nothing else has run.

    Raises: NoRunError: compose runs nothing.
    """
    if not args.compose and (args.run is not None or known_runs()):
        return []
    from vigie_devkit.local.compose_logs import compose_containers

    containers = compose_containers(CHECKOUT)
    if args.compose and not containers:
        where = f"from {CHECKOUT}; start them: docker compose up"
        raise NoRunError(f"no container of docker compose was started {where}")
    return containers


def of_containers(args: argparse.Namespace, containers: list[Container], text: Callable[[str], str]) -> int:
    """The same of containers. Raises: UsageError: no service of that name."""
    from vigie_devkit.local.compose_logs import last_lines, new_lines

    wanted = [one for one in containers if args.module in (None, one.service)]
    if not wanted:
        raise UsageError(
            f"there is no log of '{args.module}'; there are {', '.join(one.service for one in containers)}"
        )
    for line in in_order([(one.service, line) for one in wanted for line in last_lines(one, args.lines)]):
        print(text(line))
    if args.follow:
        for line in new_lines(wanted):
            print(text(line), flush=True)
    return 0


def in_order(lines: Sequence[tuple[Hashable, str]]) -> list[str]:
    """Lines of several logs by their time stamps; a line without one stays behind its predecessor."""
    import json

    stamped: list[tuple[str, str]] = []
    latest: dict[Hashable, str] = {}
    for log, line in lines:
        try:
            entry = json.loads(line)
            latest[log] = str(entry["timestamp"])
        except (ValueError, KeyError, TypeError):
            pass
        stamped.append((latest.get(log, ""), line))
    return [line for _, line in sorted(stamped, key=lambda one: one[0])]
