"""``vigie faults``: the whole system under named faults, each with the outcome that is promised."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.terminal import show_text
from vigie_devkit.local.errors import Exit, UsageError

if TYPE_CHECKING:
    from vigie_devkit.faults.fault import Fault
    from vigie_devkit.faults.machine import LoadAverage
    from vigie_devkit.faults.run import Start

EXAMPLES = """examples:
  ./vigie faults --list                              what can be tried
  ./vigie faults --only kill-inference               one of them
  ./vigie faults --only hub                          all whose names begin with it
  ./vigie faults --output docs/reliability.md        all, and the table of that page made anew
  ./vigie faults --kills 100 --seed 4                kill -9 of anything at random while disks fill at random
  ./vigie faults --containers                        the images of this checkout under compose, and faults of containers
  ./vigie faults --containers --only cut-inference   one of them

Faults of disks mount small file systems and need root; those of clocks need libfaketime. Containers need the images
(./vigie images build) and an engine on this machine. What the machine or the engine cannot do is listed, not left out.

exit codes: 0 every promise was kept, 1 one was not, 2 the command line is wrong
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "faults",
        help="put faults on the running system and check what is promised of each",
        description="Run the whole system, put named faults on it, and check what is promised: nothing that was "
        "recorded is lost, nothing comes twice, flow is back in time, and an operator sees it.",
        epilog=EXAMPLES,
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
    parser.add_argument(
        "--containers", action="store_true", help="run the system as containers, and try the faults of containers"
    )
    parser.add_argument("--tag", default="", metavar="T", help="images of this tag (with --containers)")
    parser.add_argument("--registry", default="", metavar="HOST[/PATH]", help="images from there (with --containers)")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON array and nothing else")
    parser.add_argument("--output", type=Path, metavar="FILE", help="put the table into this Markdown page, too")
    parser.set_defaults(handler=faults)


def faults(args: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from vigie_devkit.faults.page import CONTAINERS, PROCESSES, made_by, put_into, table
    from vigie_devkit.faults.registry import all_container_faults, all_faults
    from vigie_devkit.faults.run import try_all
    from vigie_devkit.faults.trial import Result

    known = all_container_faults() if args.containers else all_faults()
    if args.list:
        return _list(known)
    if args.containers and args.kills is not None:
        raise UsageError("--kills kills processes; it cannot be given with --containers")
    if not args.containers and (args.tag or args.registry):
        raise UsageError("--tag and --registry name images; give --containers, too")
    chosen = _chosen(args, known)
    if args.kills is not None:
        return _kills(args, _tell)
    ground = _containers(args, chosen) if args.containers else _processes(chosen)
    for sentence in ground.cannot:
        _tell(sentence)
    results: list[Result] = []
    made = ""
    command = f"./vigie faults {'--containers ' if args.containers else ''}--seed {args.seed}"
    for result in try_all(ground.faults, args.seed, _tell, ground.start):
        results.append(result)
        back = "not back" if result.back_s is None else f"back after {result.back_s:g} s"
        _tell(f"  {result.fault}: {back}, {result.verdict}")
        ground.load.look()
        notes = ground.cannot if args.containers else ()
        how = made_by(command, f"{ground.machine}, {ground.load.words()}", datetime.now(UTC).date())
        made = table(known, results, how, notes)
        if args.output is not None:
            # After each: a run of half an hour that is ended early has told what it found.
            page = args.output.read_text(encoding="utf-8")
            made_anew = put_into(page, made, CONTAINERS if args.containers else PROCESSES)
            args.output.write_text(made_anew, encoding="utf-8")
    if args.json:
        print(json.dumps([{**asdict(result), "kept": result.kept} for result in results]))
    if args.output is None and not args.json:
        print(made)
    return Exit.OK if results and all(result.kept for result in results) else Exit.NO_FLOW


@dataclass
class _Ground:
    """What is tried, and on what. ``cannot``: sentences about what is not."""

    faults: Sequence[Fault]
    start: Start
    machine: str
    load: LoadAverage
    cannot: Sequence[str]


def _processes(chosen: Sequence[Fault]) -> _Ground:
    from vigie_devkit.faults.machine import LoadAverage, cannot_do, machine_in_words
    from vigie_devkit.faults.system import running

    return _Ground(chosen, running, machine_in_words(), LoadAverage(), cannot_do())


def _containers(args: argparse.Namespace, chosen: Sequence[Fault]) -> _Ground:
    """Raises: ContainerEngineError, NotBuiltError, ComposeError: there is nothing to try it on."""
    import os

    from vigie_devkit.faults.ability import Ability
    from vigie_devkit.faults.composed import HUB, Images, starting
    from vigie_devkit.faults.engine_abilities import missing_abilities, split
    from vigie_devkit.faults.machine import LoadAverage, machine_in_words
    from vigie_devkit.images.engine import default_program, open_engine
    from vigie_devkit.images.errors import ComposeError

    engine = open_engine(default_program(), os.environ)
    images = Images(args.tag, args.registry)
    images.check(engine)
    missing = missing_abilities(engine, images.of(HUB))
    if Ability.CLOCK in missing:
        raise ComposeError("faults --containers", f"this engine cannot {Ability.CLOCK} ({missing[Ability.CLOCK]})")
    possible, cannot = split(chosen, missing)
    version = engine.ask("version", "--format", "{{.Server.Version}}").strip()
    machine = f"{machine_in_words()}, {engine.program} {version}"
    return _Ground(possible, starting(engine, images), machine, LoadAverage(), cannot)


def _chosen(args: argparse.Namespace, known: Mapping[str, Fault]) -> list[Fault]:
    """Raises: UsageError: a word that no fault begins with."""
    wrong = [word for word in (*args.only, *args.skip) if not any(name.startswith(word) for name in known)]
    if wrong:
        shown = "./vigie faults --containers --list" if args.containers else "./vigie faults --list"
        raise UsageError(f"there is no fault {wrong[0]!r}; see: {shown}")
    return [
        fault
        for name, fault in known.items()
        if (not args.only or name.startswith(tuple(args.only))) and not name.startswith(tuple(args.skip) or "\0")
    ]


def _tell(line: str) -> None:
    import sys

    sys.stderr.write(f"faults: {line}\n")
    sys.stderr.flush()


def _list(known: Mapping[str, Fault]) -> int:
    for fault in known.values():
        show_text(f"{fault.name:<26}  {fault.what}")
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
